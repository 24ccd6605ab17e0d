//! `/v2/organizations/roles`.

use serde_json::Value;
use serde_json::json;

use crate::harness::*;

const ROLES: &str = "/v2/organizations/roles";

fn role(org: &str, name: &str, actions: &[&str]) -> Value {
    json!({"name": name, "policy": {
        "description": name, "effect": "allow",
        "resources": [format!("drn:astra:org:{org}")], "actions": actions}})
}

fn org(astra: &Astra) -> String {
    astra.emulator.seeds().organizations[0].id.clone()
}

#[tokio::test]
async fn a_custom_role_is_created_changed_and_deleted() {
    let astra = Astra::new().await;
    let org = org(&astra);
    let made = astra
        .call("POST", ROLES, Some(role(&org, "mine", &["org-db-view"])))
        .await;
    assert_eq!(made.0, 201);
    // The answer to a create is in Pascal case, all others in snake case.
    let made = parsed(&made);
    let path = format!("{ROLES}/{}", made["ID"].as_str().unwrap());
    let read = parsed(&astra.get(&path).await);
    for (snake, pascal) in [
        ("id", "ID"),
        ("name", "Name"),
        ("policy", "Policy"),
        ("last_update_date_time", "LastUpdateDateTime"),
        ("last_update_user_id", "LastUpdateUserID"),
    ] {
        assert_eq!(read[snake], made[pascal], "{snake}");
    }
    assert_eq!(made["OrgID"], org.as_str());
    let root = astra.emulator.seeds().tokens["org_admin"].client_id.clone();
    assert_eq!(read["last_update_user_id"], root.as_str());

    let change = role(&org, "renamed", &["org-token-read"]);
    let changed = astra.call("PUT", &path, Some(change.clone())).await;
    assert_eq!(changed.0, 200);
    assert_eq!(parsed(&changed)["policy"], change["policy"]);
    assert_eq!(parsed(&astra.get(&path).await)["name"], "renamed");

    assert_eq!(
        astra.call("DELETE", &path, None).await,
        (204, String::new())
    );
    assert_eq!(astra.get(&path).await.0, 404);
    assert_eq!(astra.call("DELETE", &path, None).await.0, 404);
    assert_eq!(astra.call("PUT", &path, Some(change)).await.0, 404);
    assert!(astra.emulator.violations().is_empty());
}

#[tokio::test]
async fn editing_and_deleting_a_role_changes_its_tokens() {
    let astra = Astra::new().await;
    let org = org(&astra);
    let made = astra
        .call(
            "POST",
            ROLES,
            Some(role(&org, "lister", &["org-token-read"])),
        )
        .await;
    let id = parsed(&made)["ID"].as_str().unwrap().to_owned();
    let token = parsed(&astra.create(json!({"roles": [id]})).await);
    let text = token["token"].as_str().unwrap();
    assert_eq!(
        astra
            .call_as(text, "GET", "/v2/clientIdSecrets", None)
            .await
            .0,
        200
    );

    let path = format!("{ROLES}/{id}");
    let change = role(&org, "lister", &["org-db-view"]);
    assert_eq!(astra.call("PUT", &path, Some(change)).await.0, 200);
    assert_eq!(
        astra
            .call_as(text, "GET", "/v2/clientIdSecrets", None)
            .await
            .0,
        403
    );

    let change = role(&org, "lister", &["org-token-read"]);
    assert_eq!(astra.call("PUT", &path, Some(change)).await.0, 200);
    assert_eq!(astra.call("DELETE", &path, None).await.0, 204);
    assert_eq!(
        astra
            .call_as(text, "GET", "/v2/clientIdSecrets", None)
            .await
            .0,
        403
    );
    // The token keeps the dangling id.
    let view = astra
        .emulator
        .token(token["clientId"].as_str().unwrap())
        .unwrap();
    assert_eq!(view.roles, [id]);
}

#[tokio::test]
async fn bad_roles_are_refused() {
    let astra = Astra::new().await;
    let org = org(&astra);
    let with = |member: &str, value: Value| {
        let mut role = role(&org, "bad", &["db-cql"]);
        role["policy"][member] = value;
        role
    };
    let without = |member: &str| {
        let mut role = role(&org, "bad", &["db-cql"]);
        role["policy"].as_object_mut().unwrap().remove(member);
        role
    };
    for body in [
        json!({"policy": role(&org, "x", &[])["policy"]}),
        json!({"name": "", "policy": role(&org, "x", &[])["policy"]}),
        json!({"name": "x"}),
        without("description"),
        without("effect"),
        without("resources"),
        without("actions"),
        with("effect", json!("deny")),
        with("actions", json!([""])),
        with("resources", json!(["db:x"])),
        with(
            "resources",
            json!(["drn:astra:org:00000000-0000-4000-8000-000000000000"]),
        ),
        with("extra", json!(1)),
    ] {
        astra.emulator.clear_violations();
        let got = astra.call("POST", ROLES, Some(body.clone())).await;
        assert_eq!(got.0, 400, "{body}");
        assert!(parsed(&got).is_string());
        assert_eq!(astra.violations(), ["role"], "{body}");
    }
    // An empty list of resources was accepted by the real service.
    assert_eq!(
        astra
            .call("POST", ROLES, Some(with("resources", json!([]))))
            .await
            .0,
        201
    );
}

#[tokio::test]
async fn names_are_unique_in_an_organization() {
    let astra = Astra::new().await;
    let org = org(&astra);
    let taken = astra
        .call("POST", ROLES, Some(role(&org, "App Reader", &["db-cql"])))
        .await;
    assert_eq!(taken.0, 409);
    assert!(parsed(&taken).is_string());
    let path = format!("{ROLES}/{}", astra.emulator.seeds().roles["Nothing"]);
    let taken = astra
        .call("PUT", &path, Some(role(&org, "App Reader", &["db-cql"])))
        .await;
    assert_eq!(taken.0, 409);
    let other = astra.emulator.seeds().organizations[2].clone();
    let body = Some(role(&other.id, "App Reader", &["db-cql"]));
    assert_eq!(
        astra
            .call_as(&other.root_token, "POST", ROLES, body)
            .await
            .0,
        201
    );
}

#[tokio::test]
async fn built_in_roles_stay() {
    let astra = Astra::new().await;
    let path = format!("{ROLES}/{API_RO_USER}");
    assert_eq!(astra.get(&path).await.0, 200);
    let body = role(&org(&astra), "x", &["db-cql"]);
    assert_eq!(astra.call("PUT", &path, Some(body)).await.0, 403);
    assert_eq!(astra.call("DELETE", &path, None).await.0, 403);
    assert_eq!(astra.get(&path).await.0, 200);
}

#[tokio::test]
async fn role_permissions_are_needed_except_for_the_list() {
    let astra = Astra::new().await;
    let admin = astra.seed("db_admin");
    let path = format!("{ROLES}/{API_RO_USER}");
    assert_eq!(astra.call_as(&admin, "GET", ROLES, None).await.0, 200);
    assert_eq!(astra.call_as(&admin, "GET", &path, None).await.0, 403);
    let body = role(&org(&astra), "x", &["db-cql"]);
    assert_eq!(
        astra
            .call_as(&admin, "POST", ROLES, Some(body.clone()))
            .await
            .0,
        403
    );
    assert_eq!(astra.call_as(&admin, "PUT", &path, Some(body)).await.0, 403);
    assert_eq!(astra.call_as(&admin, "DELETE", &path, None).await.0, 403);
    let users = "/v2/organizations/users";
    assert_eq!(astra.call_as(&admin, "GET", users, None).await.0, 200);
    assert_eq!(
        astra
            .call_as(&astra.seed("token_writer"), "GET", users, None)
            .await
            .0,
        403
    );
    assert_eq!(astra.get(&format!("{ROLES}/nonsense")).await.0, 400);
    assert_eq!(astra.get(&format!("{ROLES}/{UNKNOWN_ROLE}")).await.0, 404);
}
