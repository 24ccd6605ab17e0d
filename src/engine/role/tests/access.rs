//! `access`: a policy for one database, which the engine makes.

use astra_emulator::Role;
use reqwest::StatusCode;
use serde_json::Value;
use serde_json::json;

use super::cql;
use crate::engine::Deadlines;
use crate::engine::testing::AstraMount;
use crate::engine::testing::refused;
use crate::engine::testing::text;
use crate::vault::Operation;
use crate::vault::Response;

const ROLES: &str = "/v2/organizations/roles";

/// The only custom role that this mount keeps.
fn kept(mount: &AstraMount) -> Role {
    let roles = mount.astra.roles(None).unwrap();
    let kept: Vec<Role> = roles
        .into_iter()
        .filter(|role| role.name.starts_with("vault-"))
        .collect();
    let [role] = kept.try_into().unwrap();
    role
}

fn vector(mount: &AstraMount) -> String {
    mount.astra.seeds().databases["vector_db"].id.clone()
}

/// The actions on databases of the built-in role of this name, as Astra lists it.
fn built_in(mount: &AstraMount, name: &str) -> Vec<String> {
    let roles = mount.astra.roles(None).unwrap();
    let role = roles.into_iter().find(|role| role.name == name).unwrap();
    let actions = role.policy.actions.into_iter();
    let mut actions: Vec<String> = actions.filter(|one| one.starts_with("db-")).collect();
    actions.sort();
    actions
}

async fn write(mount: &AstraMount, path: &str, data: Value) {
    mount.write(path, data).await.unwrap();
}

/// The status of a query of the database `id` for `keyspace` with the credential.
async fn http(mount: &AstraMount, credential: &Response, id: &str, keyspace: &str) -> StatusCode {
    let region = match *id == vector(mount) {
        true => "us-east1",
        false => "us-east-2",
    };
    let url = mount.astra.data_url(id, region);
    reqwest::Client::new()
        .post(format!("{url}/api/json/v1/{keyspace}"))
        .header("Token", text(credential, "token"))
        .header("User-Agent", "test")
        .header("Content-Type", "application/json")
        .header("Accept", "application/json")
        .body(r#"{"findCollections": {}}"#)
        .send()
        .await
        .unwrap()
        .status()
}

/// What a list showed for the policy also tells what the root token lacks.
#[tokio::test]
async fn a_change_of_access_lists_the_roles_once() {
    let mount = AstraMount::configured().await;
    let id = vector(&mount);
    let app = |access| json!({"access": access, "database_id": id});
    write(&mount, "roles/app", app("read-only")).await;
    let before = mount.requests("GET", ROLES);
    write(&mount, "roles/app", app("read-write")).await;
    assert_eq!(mount.requests("GET", ROLES) - before, 1);
}

#[tokio::test]
async fn each_access_has_the_actions_that_astra_lists() {
    let mount = AstraMount::configured().await;
    let id = vector(&mount);
    let org = mount.astra.seeds().organizations[0].id.clone();
    let database = format!("drn:astra:org:{org}:db:{id}");
    let mut role_id = None;
    for (access, name) in [
        ("read-only", "RO Svc Acct"),
        ("read-write", "R/W Svc Acct"),
        ("admin", "Admin Svc Acct"),
    ] {
        write(
            &mount,
            "roles/app",
            json!({"access": access, "database_id": id}),
        )
        .await;
        let role = kept(&mount);
        let actions = built_in(&mount, name);
        assert_eq!(role.policy.actions, actions, "{access}");
        assert!(!actions.is_empty());
        // A change keeps the custom role, and tokens follow.
        assert_eq!(*role_id.get_or_insert(role.id.clone()), role.id);
        let read = mount.read_response("roles/app").await;
        assert_eq!(read.warnings(), Vec::<String>::new());
        assert_eq!(read.data()["access"], access);
        assert_eq!(read.data()["policy"], "");
        assert_eq!(read.data()["access_actions"], json!(actions));
        assert_eq!(
            read.data()["access_resources"],
            json!(role.policy.resources)
        );
        assert!(role.policy.resources.contains(&database));
        assert!(
            role.policy
                .resources
                .contains(&format!("{database}:keyspace:*:table:*"))
        );
        assert!(
            role.policy
                .resources
                .iter()
                .all(|one| one.starts_with(&database))
        );
    }
    let list = mount.call(Operation::List, "roles/", json!({})).await;
    let list = list.unwrap().unwrap();
    let info = &list.data()["key_info"]["app"];
    assert_eq!(
        (&info["access"], &info["has_policy"]),
        (&json!("admin"), &json!(false))
    );
}

#[tokio::test]
async fn what_was_read_can_be_written_back_and_a_change_is_followed() {
    let mount = AstraMount::configured().await;
    let id = vector(&mount);
    let role = json!({"access": "read-only", "database_id": id, "keyspace": "app", "ttl": "5m"});
    write(&mount, "roles/app", role).await;
    let read = mount.read_response("roles/app").await;
    let back = read.data().clone();
    write(&mount, "roles/app", Value::Object(back)).await;
    assert_eq!(mount.read_response("roles/app").await.data(), read.data());
    let before = kept(&mount);
    assert!(
        before
            .policy
            .resources
            .iter()
            .any(|one| one.ends_with(":keyspace:app"))
    );

    // Another keyspace, and all of them.
    write(&mount, "roles/app", json!({"keyspace": "default_keyspace"})).await;
    let resources = kept(&mount).policy.resources;
    assert!(
        resources
            .iter()
            .any(|one| one.ends_with(":keyspace:default_keyspace"))
    );
    assert!(!resources.iter().any(|one| one.contains(":app")));
    write(&mount, "roles/app", json!({"keyspace": ""})).await;
    let resources = kept(&mount).policy.resources;
    assert!(resources.iter().any(|one| one.ends_with(":keyspace:*")));

    // Another way: the custom role stays for a policy, and goes for Astra roles.
    let policy = json!({"resources": [format!("drn:astra:org:{{{{org_id}}}}:db:{id}")],
                        "actions": ["db-cql"], "effect": "allow"});
    write(&mount, "roles/app", json!({"policy": policy})).await;
    let role = kept(&mount);
    assert_eq!(
        (role.id, role.policy.actions),
        (before.id, vec!["db-cql".to_owned()])
    );
    assert_eq!(mount.read_response("roles/app").await.data()["access"], "");
    write(&mount, "roles/app", json!({"access": "read-only"})).await;
    write(&mount, "roles/app", json!({"astra_roles": "RO User"})).await;
    let left = mount.astra.roles(None).unwrap();
    assert!(!left.iter().any(|role| role.name.starts_with("vault-")));
    assert!(mount.astra.violations().is_empty());
}

#[tokio::test]
async fn bad_combinations_name_field_value_and_remedy() {
    let mount = AstraMount::configured().await;
    let id = vector(&mount);
    let needs = "access: read-only is for one database, and database_id is empty: give database_id, or use astra_roles or policy instead";
    for path in ["roles/n", "static-roles/n"] {
        for (data, expected) in [
            (json!({"access": "read-only"}), needs),
            (json!({"access": "read-only", "database_id": ""}), needs),
            (
                json!({"access": "readonly", "database_id": id}),
                "access: \"readonly\" is unknown: give read-only, read-write or admin",
            ),
            (
                json!({"access": "admin", "database_id": id, "astra_roles": "RO User"}),
                "astra_roles and access are both given: give one of astra_roles, policy and access",
            ),
            (
                json!({"access": "admin", "database_id": id, "policy": "{}"}),
                "policy and access are both given: give one of astra_roles, policy and access",
            ),
        ] {
            let mut data = data;
            if path.starts_with("static") {
                data["rotation_period"] = "1h".into();
            }
            let message = refused(mount.call(Operation::Update, path, data.clone()).await);
            assert_eq!(message, expected, "{path} {data}");
        }
    }
    write(
        &mount,
        "roles/n",
        json!({"access": "read-only", "database_id": id}),
    )
    .await;
    for data in [json!({"database_id": ""}), json!({"database_id": null})] {
        let outcome = mount.call(Operation::Patch, "roles/n", data).await;
        assert_eq!(refused(outcome), needs);
    }
    let outcome = mount
        .call(Operation::Update, "roles/n", json!({"access": ""}))
        .await;
    assert_eq!(
        refused(outcome),
        "astra_roles is missing: give one or more names or ids of Astra roles, or policy or access instead"
    );
    // What acts in Astra refuses unknown parameters, also by the database alone.
    let outcome = mount
        .call(
            Operation::Update,
            "roles/n",
            json!({"keyspace": "app", "tttl": 5}),
        )
        .await;
    assert!(refused(outcome).starts_with("unrecognized parameters: "));
}

#[tokio::test]
async fn a_token_reaches_its_keyspace_and_no_other() {
    let options = astra_emulator::Options {
        cql: true,
        ..astra_emulator::Options::default()
    };
    let mount = AstraMount::with(options, Deadlines::default()).await;
    let token = mount.astra.root_token();
    mount.write_config("default", &token).await;
    let id = vector(&mount);
    let role = json!({"access": "read-write", "database_id": id, "keyspace": "app", "secure_connect_bundle": true});
    write(&mount, "roles/app", role.clone()).await;
    let mut static_role = role;
    static_role["rotation_period"] = "24h".into();
    write(&mount, "static-roles/app", static_role).await;
    let others: Vec<String> = mount
        .astra
        .databases()
        .into_iter()
        .map(|own| own.id)
        .filter(|own| *own != id)
        .collect();
    assert!(!others.is_empty());
    for path in ["creds/app", "static-creds/app"] {
        let credential = mount.read_response(path).await;
        assert_eq!(http(&mount, &credential, &id, "app").await, StatusCode::OK);
        let other = http(&mount, &credential, &id, "default_keyspace").await;
        assert_eq!(other, StatusCode::UNAUTHORIZED);

        let link = text(&credential, "secure_connect_bundle_url");
        let address = mount.astra.cql_address().unwrap();
        let login = (
            text(&credential, "client_id"),
            text(&credential, "client_secret"),
        );
        let mut session = cql::Session::open(&link, address, &login).await;
        assert_eq!(session.query("SELECT * FROM system.local").await, Ok(()));
        assert_eq!(session.query("USE app").await, Ok(()));
        let refused = session.query("USE default_keyspace").await;
        assert_eq!(
            refused,
            Err("the token's roles do not cover keyspace default_keyspace".to_owned())
        );
    }
    // Tokens follow a change of the role at once.
    let credential = mount.read_response("creds/app").await;
    write(&mount, "roles/app", json!({"keyspace": "default_keyspace"})).await;
    assert_eq!(
        http(&mount, &credential, &id, "app").await,
        StatusCode::UNAUTHORIZED
    );
    let other = http(&mount, &credential, &id, "default_keyspace").await;
    assert_eq!(other, StatusCode::OK);
}
