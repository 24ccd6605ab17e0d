//! Writing, patching and reading roles.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::engine::testing::AstraMount;
use crate::engine::testing::refused;
use crate::vault::Operation;

/// Fields that only a read shows.
const READ_ONLY: [&str; 2] = ["astra_role_ids", "unresolved_astra_roles"];

fn writable(data: &Map<String, Value>) -> Value {
    let mut data = data.clone();
    for field in READ_ONLY {
        data.remove(field);
    }
    Value::Object(data)
}

#[tokio::test]
async fn what_was_read_can_be_written_back() {
    let mount = AstraMount::configured().await;
    let database = mount.astra.seeds().databases["vector_db"].clone();
    let policy = json!({
        "resources": ["drn:astra:org:__ORG_ID__"], "actions": ["db-cql"], "effect": "allow",
        "description": "d",
    });
    for role in [
        json!({"astra_roles": "RO User,R/W User"}),
        json!({
            "policy": policy, "require_reason": true, "max_active": 7, "ttl": "1h", "max_ttl": "2h",
            "description": "x",
        }),
        json!({"policy": format!(" {policy} ")}),
        json!({"astra_roles": ["RO \
            User"], "database_id": database.id, "keyspace": "app", "secure_connect_bundle": true}),
    ] {
        mount.write("roles/app", role.clone()).await.unwrap();
        let first = mount.read_response("roles/app").await;
        let back = mount.write("roles/app", writable(first.data())).await;
        back.unwrap_or_else(|error| panic!("{role}: {error}"));
        assert_eq!(
            mount.read_response("roles/app").await.data(),
            first.data(),
            "of {role}"
        );
        mount
            .call(Operation::Delete, "roles/app", json!({}))
            .await
            .unwrap();
    }
    mount
        .write("roles/app", json!({"astra_roles": "RO User,R/W User"}))
        .await
        .unwrap();
    let read = mount.read_response("roles/app").await;
    assert_eq!(read.data()["astra_roles"], json!(["R/W User", "RO User"]));
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_null_brings_the_default_back() {
    let mount = AstraMount::configured().await;
    let database = mount.astra.seeds().databases["vector_db"].clone();
    let role = json!({"astra_roles": "RO User", "require_reason": true, "max_active": 3, "ttl": 60,
                      "database_id": database.id, "region": "europe-west1", "keyspace": "app"});
    mount.write("roles/app", role).await.unwrap();
    let before = mount.astra.stats().requests;
    let patch = json!({"max_active": null, "ttl": 120});
    mount
        .call(Operation::Patch, "roles/app", patch)
        .await
        .unwrap();
    // Astra is only asked whether the Astra roles are still there.
    assert_eq!(mount.astra.stats().requests, before + 1);
    let read = mount.read_response("roles/app").await;
    let data = read.data();
    assert_eq!(
        (&data["max_active"], &data["ttl"], &data["require_reason"]),
        (&json!(0), &json!(120), &json!(true))
    );
    assert_eq!(
        (&data["region"], &data["keyspace"]),
        (&json!("europe-west1"), &json!("app"))
    );
    let patch = json!({"database_id": null});
    mount
        .call(Operation::Patch, "roles/app", patch)
        .await
        .unwrap();
    let read = mount.read_response("roles/app").await;
    let data = read.data();
    assert_eq!(
        (&data["database_id"], &data["region"], &data["keyspace"]),
        (&json!(""), &json!(""), &json!(""))
    );
    let missing = mount
        .call(Operation::Patch, "roles/none", json!({"ttl": 1}))
        .await;
    assert_eq!(
        missing.map(drop).unwrap_err().to_string(),
        "role \"none\" does not exist: write it before patching it"
    );
}

#[tokio::test]
async fn bad_input_is_refused_and_changes_nothing() {
    let mount = AstraMount::configured().await;
    let databases = mount.astra.seeds().databases;
    let (vector, classic) = (&databases["vector_db"].id, &databases["classic_db"].id);
    let role = |more: Value| {
        let mut role = json!({"astra_roles": "RO User"});
        role.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        role
    };
    for (data, expected) in [
        (
            json!({}),
            "astra_roles is missing: give one or more names or ids of Astra roles, or policy or access instead"
                .to_owned(),
        ),
        (
            json!({"astra_roles": "RO Uzer"}),
            "astra_roles: the organization has no role \"RO Uzer\"; the nearest names are \"RO \
             User\", \"R/W User\", \"API RO User\""
                .to_owned(),
        ),
        (
            json!({"astra_roles": "Database Administrator"}),
            "astra_roles: \"Database Administrator\" may create tokens, roles, users or passwords, \
             so its tokens could outlive their lease by making others: choose a role without \
             org-token-write, org-role-write, org-user-write, org-external-auth-write and \
             org-db-passwordreset, or set allow_token_admin=true on the config"
                .to_owned(),
        ),
        (
            role(json!({"config": "nope"})),
            "config \"nope\" does not exist: write it first, with token=… at config/nope"
                .to_owned(),
        ),
        (
            role(json!({"ttl": "2h", "max_ttl": "1h"})),
            "ttl: 2h is longer than max_ttl, 1h: shorten ttl or lengthen max_ttl"
                .to_owned(),
        ),
        (
            role(json!({"max_active": -1})),
            "max_active: -1 is out of range: give a number from 1 to 1000000, or 0 for no limit"
                .to_owned(),
        ),
        (
            role(json!({"keyspace": "app"})),
            "keyspace needs database_id: give the id of the database, or leave keyspace out"
                .to_owned(),
        ),
        (
            role(json!({"database_id": "vector_db"})),
            format!(
                "database_id: \"vector_db\" is a name, and names need not be unique: give the id, \
                 {vector}"
            ),
        ),
        (
            role(json!({"database_id": "00000000-0000-4000-8000-000000000000"})),
            format!(
                "database_id: the organization of config \"default\" has no database \
                 \"00000000-0000-4000-8000-000000000000\"; it has \"classic_db\" ({classic}), \
                 \"vector_db\" ({vector}): give the id of a database of this organization, or use \
                 the config of the other one (list databases/default shows all)"
            ),
        ),
        (
            role(json!({"database_id": vector, "region": "mars"})),
            format!(
                "region: database \"vector_db\" ({vector}) has no region \"mars\": it has \
                 \"europe-west1\", \"us-east1\""
            ),
        ),
        (
            role(json!({"database_id": vector, "keyspace": "nope"})),
            format!(
                "keyspace: database \"vector_db\" ({vector}) has no keyspace \"nope\": it has \
                 \"app\", \"default_keyspace\""
            ),
        ),
    ] {
        assert_eq!(
            mount.refusal("roles/app", data.clone()).await,
            expected,
            "for {data}"
        );
        let missing = mount.call(Operation::Read, "roles/app", json!({})).await;
        assert!(missing.unwrap().is_none(), "stored by {data}");
    }
    assert!(mount.astra.violations().is_empty());
}

#[tokio::test]
async fn a_database_of_another_organization_is_refused() {
    let mount = AstraMount::configured().await;
    let vector = mount.astra.seeds().databases["vector_db"].id.clone();
    let second = mount.astra.seeds().organizations[1].root_token.clone();
    mount.write_config("second", &second).await;
    let role = json!({"config": "second", "astra_roles": "RO User", "database_id": vector});
    assert_eq!(
        mount.refusal("roles/app", role).await,
        format!(
            "database_id: the organization of config \"second\" has no database \"{vector}\"; it \
             has no database that the root token can see: give the id of a database of this \
             organization, or use the config of the other one (list databases/second shows all)"
        )
    );
}

#[tokio::test]
async fn a_sleeping_database_is_accepted_with_a_warning() {
    let mount = AstraMount::configured().await;
    let classic = mount.astra.seeds().databases["classic_db"].id.clone();
    let role = json!({"astra_roles": "RO User", "database_id": classic});
    let answer = mount.write("roles/app", role).await.unwrap().unwrap();
    assert_eq!(
        answer.warnings(),
        [format!(
            "database_id: database \"classic_db\" ({classic}) is HIBERNATED, not ACTIVE: \
             credentials are minted, but it may not answer, and gives no secure connect bundle, \
             until it is resumed"
        )]
    );
}

#[tokio::test]
async fn a_read_shows_names_that_no_longer_resolve_and_does_without_astra() {
    let mount = AstraMount::configured().await;
    let own = mount.astra.roles(None).unwrap()[0].policy.clone();
    let made = mount.astra.create_role(None, "Mine", own).unwrap();
    // The first built-in role may not create tokens.
    mount
        .write("roles/app", json!({"astra_roles": "Mine,RO User"}))
        .await
        .unwrap();
    mount.astra.delete_role(&made.id).unwrap();
    let read = mount.read_response("roles/app").await;
    assert_eq!(read.data()["astra_roles"], json!(["Mine", "RO User"]));
    assert_eq!(read.data()["unresolved_astra_roles"], json!(["Mine"]));
    let down = astra_emulator::FaultRule::new(astra_emulator::Fault::NoListen {});
    mount.astra.add_fault(down).unwrap();
    let read = mount.read_response("roles/app").await;
    assert_eq!(read.data()["astra_roles"], json!(["Mine", "RO User"]));
    assert!(!read.data().contains_key("unresolved_astra_roles"));
}

#[tokio::test]
async fn a_refused_update_leaves_the_stored_role() {
    let mount = AstraMount::configured().await;
    mount
        .write("roles/app", json!({"astra_roles": "RO User", "ttl": 60}))
        .await
        .unwrap();
    let before = mount.read_response("roles/app").await;
    let outcome = mount
        .write("roles/app", json!({"astra_roles": "Missing", "ttl": 90}))
        .await;
    assert!(refused(outcome).starts_with("astra_roles: "));
    assert_eq!(mount.read_response("roles/app").await.data(), before.data());
}
