//! A config, its role or its root token is changed while a request that needs it is under way.

use std::time::Duration;

use astra_emulator::Fault;
use astra_emulator::PortalToken;
use serde_json::Value;
use serde_json::json;

use crate::engine::Deadlines;
use crate::engine::testing::AstraMount;
use crate::engine::testing::READER;
use crate::engine::testing::refused;
use crate::engine::testing::virtual_time;
use crate::vault::HandlerResult;
use crate::vault::Operation;

const TOKENS: &str = "/v2/clientIdSecrets";
const ROLES: &str = "/v2/organizations/roles";

/// The next request to Astra on `path` arrives after three seconds; `first` is asked now, and `second` is
/// asked and answered before that request arrives.
async fn overtake<A, B>(
    mount: &AstraMount,
    method: &str,
    path: &str,
    first: impl Future<Output = A>,
    second: impl Future<Output = B>,
) -> (A, B) {
    let latency = Fault::Latency {
        ms: 3_000,
        max_ms: None,
        at: Default::default(),
    };
    mount.fault_once(method, path, latency);
    let second = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        second.await
    };
    tokio::join!(first, second)
}

fn policy() -> Value {
    json!({
        "resources": ["drn:astra:org:{{org_id}}:db:*"], "actions": ["db-cql"], "effect": "allow",
    })
}

/// The names of the custom roles of the mount.
fn custom_roles(mount: &AstraMount) -> Vec<String> {
    let roles = mount.astra.roles(None).unwrap().into_iter();
    roles
        .map(|role| role.name)
        .filter(|name| name.starts_with("vault-"))
        .collect()
}

/// A root token that an operator made.
fn root_token(mount: &AstraMount) -> String {
    let roles = mount.astra.seeds().tokens["org_admin"].roles.clone();
    let wanted = PortalToken {
        roles,
        ..PortalToken::default()
    };
    mount.astra.create_token(wanted).unwrap().token
}

async fn delete(mount: &AstraMount, path: &str, force: bool) -> HandlerResult {
    let data = json!({"force": force});
    mount.call(Operation::Delete, path, data).await
}

#[test]
fn a_role_that_is_being_written_holds_its_config() {
    for path in ["roles/app", "static-roles/app"] {
        virtual_time::run(1, async {
            let mount = AstraMount::in_virtual_time(Deadlines::default());
            mount
                .write("config", mount.config(json!({})))
                .await
                .unwrap();
            let given = match path {
                "roles/app" => json!({"policy": policy()}),
                _ => json!({"policy": policy(), "rotation_period": 3600}),
            };
            let write = mount.write(path, given);
            let delete = delete(&mount, "config", false);
            let (written, deleted) = overtake(&mount, "POST", ROLES, write, delete).await;
            written.unwrap();
            assert_eq!(
                refused(deleted),
                "config \"default\" is in use: custom Astra roles that are being changed or deleted (1). \
                 Wait for the host's ticks first, or delete with force=true"
            );
        });
    }
}

#[test]
fn no_custom_role_is_made_for_a_config_that_is_being_deleted() {
    virtual_time::run(1, async {
        let mut mount = AstraMount::in_virtual_time(Deadlines::default());
        mount
            .write("config", mount.config(json!({})))
            .await
            .unwrap();
        let write = mount.write("roles/app", json!({"policy": policy()}));
        let delete = delete(&mount, "config", false);
        let (deleted, written) = overtake(&mount, "GET", TOKENS, delete, write).await;
        deleted.unwrap();
        let text = written.err().unwrap().to_string();
        let expected =
            "config \"default\" is being deleted, so no custom Astra role is made or changed";
        assert!(text.contains(expected), "{text}");
        assert_eq!(custom_roles(&mount), Vec::<String>::new());
        let keys = mount.storage.keys();
        let is_note = |key: &String| key.contains("custom-role/");
        assert!(!keys.iter().any(is_note), "nothing was sent: {keys:?}");
        // A config that is written under its name is another one.
        mount
            .write("config", mount.config(json!({})))
            .await
            .unwrap();
        mount
            .write("roles/app", json!({"policy": policy()}))
            .await
            .unwrap();
        mount.mint("app").await.unwrap();
        mount.restart();
        mount.mint("app").await.unwrap();
    });
}

#[test]
fn no_mint_that_began_with_a_config_ends_after_its_deletion() {
    virtual_time::run(1, async {
        let mount = AstraMount::in_virtual_time(Deadlines::default());
        let untried = mount.config(json!({"verify": false}));
        mount.write("config", untried).await.unwrap();
        mount
            .write("roles/app", json!({"astra_roles": READER}))
            .await
            .unwrap();
        let changed = async {
            let other = mount.config(json!({"max_concurrency": 3}));
            mount.write("config", other).await.unwrap();
            delete(&mount, "roles/app", false).await.unwrap();
            delete(&mount, "config", false).await.unwrap();
        };
        let mint = mount.mint("app");
        let (minted, ()) = overtake(&mount, "GET", "/v2/currentOrg", mint, changed).await;
        assert!(minted.is_err());
        assert_eq!(mount.requests("POST", TOKENS), 0);
    });
}

#[test]
fn a_mint_whose_role_leaves_a_config_that_is_deleted_is_minted_where_it_went() {
    virtual_time::run(1, async {
        let mount = AstraMount::in_virtual_time(Deadlines::default());
        mount.mount().await;
        mount
            .write("roles/app", json!({"astra_roles": READER, "max_active": 3}))
            .await
            .unwrap();
        let org = &mount.astra.seeds().organizations[1];
        mount.write_config("other", &org.root_token).await;
        let changed = async {
            mount
                .write("roles/app", json!({"config": "other"}))
                .await
                .unwrap();
            delete(&mount, "config", true).await.unwrap();
        };
        let mint = mount.mint("app");
        let (minted, ()) = overtake(&mount, "GET", TOKENS, mint, changed).await;
        let minted = minted.unwrap();
        assert_eq!(mount.astra.token(&minted.client_id).unwrap().org_id, org.id);
    });
}

#[test]
fn a_root_token_that_rotation_minted_lasts_for_the_mints_that_began_with_it() {
    virtual_time::run(1, async {
        let mount = AstraMount::in_virtual_time(Deadlines::default());
        mount.mount().await;
        mount.write("rotate-root/default", json!({})).await.unwrap();
        let minted = mount.read_data("config").await["token_client_id"].clone();
        let changed = async {
            let other = mount.config(json!({"token": root_token(&mount)}));
            mount.write("config", other).await.unwrap();
            mount.tick().await;
            assert!(mount.is_live(minted.as_str().unwrap()));
        };
        let mint = mount.mint("reader");
        let (credential, ()) = overtake(&mount, "POST", TOKENS, mint, changed).await;
        let credential = credential.unwrap();
        tokio::time::sleep(Duration::from_secs(120)).await;
        mount.tick().await;
        assert_eq!(mount.live(), [credential.client_id]);
    });
}

#[test]
fn a_rotation_spares_earlier_root_tokens_that_requests_still_use() {
    virtual_time::run(1, async {
        let mount = AstraMount::in_virtual_time(Deadlines::default());
        mount.mount().await;
        mount.write("rotate-root/default", json!({})).await.unwrap();
        let changed = async {
            let other = mount.config(json!({"token": root_token(&mount)}));
            mount.write("config", other).await.unwrap();
            mount.write("rotate-root/default", json!({})).await.unwrap();
        };
        let mints = mount.requests("POST", TOKENS);
        let mint = mount.mint("reader");
        let (credential, ()) = overtake(&mount, "POST", TOKENS, mint, changed).await;
        // The rotation's and the mint's, which did not have to begin again.
        assert_eq!(mount.requests("POST", TOKENS) - mints, 2);
        assert!(mount.is_live(&credential.unwrap().client_id));
    });
}

/// The tick that would delete a token which a config is just written with waits until that is over.
#[test]
fn a_root_token_that_is_being_written_is_not_deleted() {
    virtual_time::run(1, async {
        let mut mount = AstraMount::in_virtual_time(Deadlines::default());
        mount.mount().await;
        let taken = root_token(&mount);
        let config = mount.config(json!({"token": taken}));
        mount.write("config", config.clone()).await.unwrap();
        // It is replaced, and cannot be deleted before its config goes.
        let refusal = mount.fault("DELETE", "/v2/clientIdSecrets/*", refusal());
        mount.write("rotate-root/default", json!({})).await.unwrap();
        delete(&mount, "config", true).await.unwrap();
        mount.astra.remove_fault(refusal).unwrap();
        mount.advance(Duration::from_secs(3600));
        let write = mount.write("config/other", config);
        let tick = mount.tick();
        let (written, ()) = overtake(&mount, "GET", "/v2/currentOrg", write, tick).await;
        written.unwrap();
        let root = mount.read_data("config/other").await["token_client_id"].clone();
        assert!(mount.is_live(root.as_str().unwrap()));
    });
}

fn refusal() -> Fault {
    Fault::Status {
        status: 403,
        body: astra_emulator::fault::FaultBody::String,
        retry_after: None,
        committed: false,
    }
}

#[test]
fn a_mint_begins_again_when_the_operator_replaced_the_root_token_and_deleted_it() {
    virtual_time::run(1, async {
        let mount = AstraMount::in_virtual_time(Deadlines::default());
        mount.mount().await;
        let former = mount.read_data("config").await["token_client_id"].clone();
        let changed = async {
            let other = mount.config(json!({"token": root_token(&mount)}));
            mount.write("config", other).await.unwrap();
            mount.astra.revoke_token(former.as_str().unwrap()).unwrap();
        };
        let mint = mount.mint("reader");
        let (credential, ()) = overtake(&mount, "POST", TOKENS, mint, changed).await;
        assert_eq!(mount.live(), [credential.unwrap().client_id]);
    });
}
