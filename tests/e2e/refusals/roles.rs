//! Roles.

use serde_json::json;

use super::refused;
use harness::READ_ONLY;

use crate::setup;

pub(super) const POLICY: &str = "an Astra policy has the lists resources and actions, the text \
    effect, which is \"allow\", and optionally the text description";

#[tokio::test]
async fn roles() {
    let mount = setup::mount("refusals-roles").await;
    let seeds = mount.astra.emulator.seeds();
    let second =
        json!({ "token": seeds.tokens["second_org_admin"].token, "url": mount.astra.url() });
    mount.write("config/second", second).await.ok();
    let database = &seeds.databases["vector_db"].id;
    let org = mount.astra.org_id();
    let cases = [
        (
            json!({ "astra_roles": "API RO Usr" }),
            "astra_roles: the organization has no role \"API RO Usr\"; the nearest names are \"API \
             RO User\", \"API R/W User\", \"API Admin User\""
                .to_owned(),
        ),
        (
            json!({ "astra_roles": "API RO User,Organization Administrator" }),
            "astra_roles: \"Organization Administrator\" may create tokens, roles, users or \
             passwords, so its tokens could outlive their lease by making others: choose a role \
             without org-token-write, org-role-write, org-user-write, org-external-auth-write and \
             org-db-passwordreset, or set allow_token_admin=true on the config"
                .to_owned(),
        ),
        (
            json!({ "astra_roles": READ_ONLY, "database_id": "vector_db" }),
            format!("database_id: \"vector_db\" is a name, and names need not be unique: give the \
                id, {database}"),
        ),
        (
            json!({ "astra_roles": READ_ONLY, "database_id": database, "region": "mars" }),
            format!(
                "region: database \"vector_db\" ({database}) has no region \"mars\": it has \
                 \"europe-west1\", \"us-east1\""
            ),
        ),
        (
            json!({ "astra_roles": READ_ONLY, "secure_connect_bundle": true }),
            "secure_connect_bundle needs database_id: give the id of the database, or leave \
             secure_connect_bundle out".to_owned(),
        ),
        (
            json!({ "astra_roles": READ_ONLY, "ttl": "-1h" }),
            "Field validation failed: error converting input for field \"ttl\": cannot provide \
             negative value '-3600'".to_owned(),
        ),
        (
            json!({
                "policy": json!({
                    "resources": [format!("drn:astra:org:{}", seeds.organizations[1].id)],
                    "actions": ["db-cql"], "effect": "allow",
                }).to_string(),
            }),
            format!(
                "policy: resource \"drn:astra:org:{}\" is not of organization {org}, which config \
                 \"default\" is for: write {{{{org_id}}}} or {org} after \"drn:astra:org:\", or \
                 use the other organization's config",
                seeds.organizations[1].id
            ),
        ),
        (
            json!({ "astra_roles": READ_ONLY, "ttl": "2h", "max_ttl": "1h" }),
            "ttl: 2h is longer than max_ttl, 1h: shorten ttl or lengthen max_ttl".to_owned(),
        ),
        (
            json!({ "astra_roles": READ_ONLY, "config": "second", "database_id": database }),
            format!(
                "database_id: the organization of config \"second\" has no database \
                 \"{database}\"; it has no database that the root token can see: give the id of a \
                 database of this organization, or use the config of the other one (list \
                 databases/second shows all)"
            ),
        ),
        (
            json!({ "astra_roles": READ_ONLY, "database_id": database, "keyspace": "nope" }),
            format!(
                "keyspace: database \"vector_db\" ({database}) has no keyspace \"nope\": it has \
                 \"app\", \"default_keyspace\""
            ),
        ),
        (
            json!({ "astra_roles": READ_ONLY, "region": "us-east1" }),
            "region needs database_id: give the id of the database, or leave region out".to_owned(),
        ),
        (
            json!({ "policy": "allow everything" }),
            format!("policy: the text is not JSON (expected value at line 1 column 1): {POLICY}"),
        ),
        (json!({ "policy": "[1]" }), format!("policy: it is a list, not a JSON object: {POLICY}")),
        (
            json!({
                "policy": json!({
                    "resources": ["drn:astra:org:x"], "actions": ["db-cql"], "effect": "deny",
                }).to_string(),
            }),
            "policy: effect is \"deny\", and Astra knows only \"allow\": write \"allow\", and \
             leave out what is not to be allowed".to_owned(),
        ),
        (
            json!({
                "policy": json!({
                    "resources": [format!("drn:astra:org:{org}")], "actions": ["org-token-write"],
                    "effect": "allow",
                }).to_string(),
            }),
            "policy: its actions allow creating tokens, roles, users or passwords, so its tokens \
             could outlive their lease by making others: leave out org-token-write, \
             org-role-write, org-user-write, org-external-auth-write, org-db-passwordreset and \
             patterns that cover them, or set allow_token_admin=true on the config"
                .to_owned(),
        ),
        (
            json!({ "astra_roles": READ_ONLY, "policy": "{\"effect\":\"allow\"}" }),
            "astra_roles and policy are both given: give one of astra_roles, policy and access"
                .to_owned(),
        ),
        (
            json!({ "astra_roles": READ_ONLY, "max_active": -1 }),
            "max_active: -1 is out of range: give a number from 1 to 1000000, or 0 for no \
             limit".to_owned(),
        ),
        (
            json!({ "astra_roles": READ_ONLY, "config": "none" }),
            "config \"none\" does not exist: write it first, with token=… at \
             config/none".to_owned(),
        ),
        (
            json!({ "ttl": "1h" }),
            "astra_roles is missing: give one or more names or ids of Astra roles, or policy or access instead".to_owned(),
        ),
    ];
    for (body, text) in cases {
        refused(&mount, "roles/bad", body, &text).await;
    }
    // Also of a role that exists, which keeps what it had.
    let refusal = mount
        .api
        .patch(&mount.path("roles/reader"), json!({ "ttl": "9h" }))
        .await
        .refused(400);
    assert_eq!(
        refusal,
        "ttl: 9h is longer than max_ttl, 8h: shorten ttl or lengthen max_ttl"
    );
    assert_eq!(mount.read("roles/reader").await.data()["ttl"], 3600);
    mount.finish().await;
}
