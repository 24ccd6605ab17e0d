//! What will fail at the first mint, or be of no use, is told when it is written.

use astra_emulator::Policy;
use astra_emulator::PortalToken;
use serde_json::Value;
use serde_json::json;

use crate::engine::testing::AstraMount;
use crate::vault::Operation;

const TOKENS: [&str; 2] = ["org-token-read", "org-token-write"];
const ROLES: [&str; 2] = ["org-role-write", "org-role-delete"];

/// A root token that may do `actions` on the organization and `data` in all databases.
fn root_token(mount: &AstraMount, actions: &[&str], data: &[&str]) -> String {
    let org = &mount.astra.seeds().organizations[0].id;
    let make = |name: String, actions: &[&str], resource: String| {
        let policy = Policy {
            description: String::new(),
            resources: vec![resource],
            actions: actions.iter().map(|action| (*action).to_owned()).collect(),
            effect: "allow".to_owned(),
        };
        mount.astra.create_role(None, &name, policy).unwrap().id
    };
    let own = format!("root {}", actions.len());
    let mut roles = vec![make(own, actions, format!("drn:astra:org:{org}"))];
    if !data.is_empty() {
        roles.push(make(
            format!("data {}", data.join(" ")),
            data,
            format!("drn:astra:org:{org}:db:*"),
        ));
    }
    let portal = PortalToken {
        roles,
        ..PortalToken::default()
    };
    mount.astra.create_token(portal).unwrap().token
}

async fn warnings(mount: &AstraMount, path: &str, data: Value) -> Vec<String> {
    let written = mount.write(path, data).await.unwrap();
    written.map_or_else(Vec::new, |written| written.warnings().to_vec())
}

fn config(mount: &AstraMount, token: &str) -> Value {
    json!({"token": token, "url": mount.astra.url()})
}

#[tokio::test]
async fn a_root_token_that_can_grant_nothing_is_told_of_when_it_is_written() {
    let mount = AstraMount::new().await;
    let token = root_token(&mount, &TOKENS, &[]);
    assert_eq!(
        warnings(&mount, "config", config(&mount, &token)).await,
        [
            "the root token has no rights on databases, just org-token-read, org-token-write: \
             Astra lets no token grant more than its own rights, so give it all that roles are to \
             grant"
        ]
    );
    let told = warnings(&mount, "roles/app", json!({"astra_roles": "RO User"})).await;
    let [told] = told.try_into().unwrap();
    assert!(
        told.starts_with("astra_roles: \"RO User\" grants ")
            && told.contains("db-table-select")
            && told.contains(
                ", which the root token of config \"default\" lacks, so Astra may refuse to mint \
                 (403)"
            ),
        "{told}"
    );
    // And so it is.
    let refused = mount.call(Operation::Read, "creds/app", json!({})).await;
    let refused = format!("{:?}", refused.err().unwrap());
    assert!(refused.contains("HTTP 403"), "{refused}");
    // The administrator's lacks nothing, and what roles need is compared with a new token.
    let admin = mount.astra.root_token();
    let none: [&str; 0] = [];
    assert_eq!(
        warnings(&mount, "config", config(&mount, &admin)).await,
        none
    );
    assert_eq!(
        warnings(&mount, "roles/app", json!({"astra_roles": "RO User"})).await,
        none
    );
    let weak = root_token(&mount, &[TOKENS[0], TOKENS[1], ROLES[0]], &["db-rest"]);
    let [told] = warnings(&mount, "config", config(&mount, &weak))
        .await
        .try_into()
        .unwrap();
    assert!(told.starts_with("role \"app\" grants "), "{told}");
    assert!(
        told.contains("db-cql, ") && told.contains(":db:*:keyspace:*, "),
        "{told}"
    );
}

#[tokio::test]
async fn a_policy_is_compared_with_the_root_tokens_rights_and_with_the_database() {
    let mount = AstraMount::new().await;
    let [read, write] = TOKENS;
    let [make, delete] = ROLES;
    let token = root_token(
        &mount,
        &[read, write, make, delete],
        &["db-rest", "org-db-view"],
    );
    mount.write_config("default", &token).await;
    let database = mount.astra.seeds().databases["vector_db"].id.clone();
    let role = |resources: &[String], actions: &[&str]| {
        let policy = json!({"resources": resources, "actions": actions, "effect": "allow"});
        json!({"policy": policy, "database_id": database, "keyspace": "app"})
    };
    let org = &mount.astra.seeds().organizations[0].id;
    let here = format!("drn:astra:org:{{{{org_id}}}}:db:{database}");
    let elsewhere = "drn:astra:org:{{org_id}}:db:00000000-0000-4000-8000-000000000000".to_owned();
    let all = "drn:astra:org:{{org_id}}:db:*:keyspace:*".to_owned();

    let told = warnings(&mount, "roles/a", role(&[elsewhere], &["db-rest"])).await;
    assert_eq!(
        told,
        [format!(
            "policy: none of its resources is in database {database}, which the credentials are \
             for: add \"{here}\", its keyspaces and their tables"
        )]
    );
    let told = warnings(
        &mount,
        "roles/b",
        role(std::slice::from_ref(&here), &["db-cql", "db-rest"]),
    )
    .await;
    assert_eq!(
        told,
        [
            format!(
                "policy: it grants db-cql on drn:astra:org:{org}:db:{database}, which the root \
                 token of config \"default\" lacks, so Astra may refuse to mint (403): give the \
                 root token those rights, or grant less"
            ),
            format!(
                "policy: none of its resources is in keyspace \"app\", which the credentials are \
                 for: add \"{here}:keyspace:app\" and its tables"
            )
        ]
    );
    let told = warnings(&mount, "roles/c", role(&[here, all], &["db-rest"])).await;
    let [told] = told.try_into().unwrap();
    assert!(
        told.starts_with("policy: it grants db-rest on drn:")
            && told.contains(":db:*:keyspace:*, which"),
        "{told}"
    );
}
