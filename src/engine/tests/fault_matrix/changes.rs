//! Changes whose upstream calls go wrong: policies, databases, rotations.

use serde_json::Value;
use serde_json::json;

use super::scenarios::Prepared;
use super::scenarios::Scenario;
use super::scenarios::Scenario::*;
use crate::engine::testing::AstraMount;
use crate::engine::testing::READER;
use crate::vault::Error;
use crate::vault::HandlerResult;

/// What is there before.
pub async fn prepare(scenario: Scenario, mount: &AstraMount, prepared: &mut Prepared) {
    match scenario {
        PolicyChange | PolicyRemoval => {
            let role = policy_role("db-rest");
            mount.write("roles/narrow", role).await.unwrap();
        }
        Bundle => {
            let database = &mount.astra.seeds().databases["vector_db"];
            let role = json!({
                "astra_roles": READER, "database_id": database.id, "secure_connect_bundle": true,
            });
            mount.write("roles/reader", role).await.unwrap();
        }
        RotateRoot | RotateRootList | RotateRootProof | RotateRootDelete => prepared.replaced = 1,
        StaticRotation | StaticProof | StaticDelete => {
            mount
                .write("static-roles/app", static_role())
                .await
                .unwrap();
        }
        _ => {}
    }
}

/// The change.  What is only warned of, as ticks finish it, is an error here.
pub async fn act(
    scenario: Scenario,
    mount: &AstraMount,
    prepared: &mut Prepared,
) -> Result<(), Error> {
    match scenario {
        PolicyRole => told(mount.write("roles/narrow", policy_role("db-rest")).await),
        PolicyChange => told(mount.write("roles/narrow", policy_role("db-graphql")).await),
        PolicyRemoval => told(mount.delete("roles/narrow", json!({})).await),
        Bundle => {
            prepared.issued.push(mount.mint("reader").await?);
            Ok(())
        }
        RotateRoot | RotateRootList | RotateRootProof | RotateRootDelete => {
            told(mount.write("rotate-root", json!({})).await)
        }
        StaticRole => told(mount.write("static-roles/app", static_role()).await),
        StaticRotation | StaticProof | StaticDelete => {
            told(mount.write("rotate-role/app", json!({})).await)
        }
        _ => panic!("{scenario:?} is no change"),
    }
}

fn told(outcome: HandlerResult) -> Result<(), Error> {
    let response = outcome?;
    let warnings = response.map_or_else(Vec::new, |response| response.warnings().to_vec());
    match warnings.first() {
        Some(warning) => Err(Error::Internal(warning.clone())),
        None => Ok(()),
    }
}

fn policy_role(action: &str) -> Value {
    let policy = json!({
        "resources": ["drn:astra:org:{{org_id}}:db:*"], "actions": [action], "effect": "allow",
    });
    json!({ "policy": policy, "ttl": "1h" })
}

fn static_role() -> Value {
    json!({ "astra_roles": READER, "rotation_period": "24h", "overlap": "0" })
}

/// The client ids of the live tokens that the mount itself uses, as its reads tell.
pub async fn own(mount: &AstraMount) -> Vec<String> {
    let mut own = Vec::new();
    for (path, name) in [
        ("config", "token_client_id"),
        ("static-roles/app", "client_id"),
    ] {
        if let Some(data) = mount.read(path).await {
            own.push(data[name].as_str().unwrap().to_owned());
        }
    }
    let minted = mount.live();
    own.retain(|client_id| minted.contains(client_id));
    own
}

/// There is a custom role for a role that has a policy, and no other, and it is what the role says.
pub async fn check_custom_roles(mount: &AstraMount) {
    let stored = mount.read("roles/narrow").await;
    let roles = mount.astra.roles(None).unwrap();
    let kept: Vec<_> = roles
        .iter()
        .filter(|role| role.name.starts_with("vault-"))
        .collect();
    let Some(stored) = stored else {
        assert!(kept.is_empty(), "no role claims {kept:?}");
        return;
    };
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(stored["astra_role_ids"], json!([kept[0].id]));
    let actions = serde_json::to_value(&kept[0].policy.actions).unwrap();
    assert_eq!(stored["policy"]["actions"], actions);
}
