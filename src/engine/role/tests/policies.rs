//! The custom Astra role of a role with a policy, through crashes and outages.

use std::time::Duration;

use astra_emulator::Fault;
use astra_emulator::FaultRule;
use astra_emulator::Role;
use serde_json::Value;
use serde_json::json;

use crate::engine::Deadlines;
use crate::engine::testing::AstraMount;
use crate::engine::testing::READER;
use crate::engine::testing::refused;
use crate::engine::testing::text;
use crate::engine::testing::virtual_time;
use crate::engine::testing::warnings;
use crate::vault::Operation;
use crate::vault::memory::WriteFault;

const TOKENS: &str = "/v2/clientIdSecrets";
const ROLES: &str = "/v2/organizations/roles";
const ONE_ROLE: &str = "/v2/organizations/roles/*";

fn policy(actions: &[&str]) -> Value {
    json!({"resources": ["drn:astra:org:{{org_id}}:db:*"], "actions": actions, "effect": "allow"})
}

/// The custom roles that this mount keeps.
fn kept(mount: &AstraMount) -> Vec<Role> {
    let roles = mount.astra.roles(None).unwrap();
    let kept = roles
        .into_iter()
        .filter(|role| role.name.starts_with("vault-"));
    kept.collect()
}

fn notes(mount: &AstraMount) -> Vec<String> {
    let keys = mount.storage.keys();
    keys.into_iter()
        .filter(|key| key.starts_with("v1/custom-role/"))
        .collect()
}

/// The nonce of the create that the only note tells of.
async fn noted_nonce(mount: &AstraMount) -> String {
    let [key] = notes(mount).try_into().unwrap();
    let entry = crate::vault::Storage::get(&*mount.storage, &key).await;
    let note: Value = serde_json::from_slice(&entry.unwrap().unwrap().value).unwrap();
    note["creates"][0].as_str().unwrap().to_owned()
}

fn status(status: u16, method: &str, path: &str) -> FaultRule {
    let fault = Fault::Status {
        status,
        body: astra_emulator::fault::FaultBody::String,
        retry_after: None,
        committed: false,
    };
    FaultRule::new(fault).on(method, path)
}

async fn delete(mount: &AstraMount) -> Vec<String> {
    let outcome = mount.call(Operation::Delete, "roles/app", json!({})).await;
    outcome
        .unwrap()
        .map(|response| response.warnings().to_vec())
        .unwrap_or_default()
}

#[tokio::test]
async fn a_policy_is_kept_in_step_and_goes_with_its_role() {
    let mount = AstraMount::configured().await;
    let given = policy(&["db-rest", "db-cql"]);
    mount
        .write("roles/app", json!({"policy": given}))
        .await
        .unwrap();
    let [role] = kept(&mount).try_into().unwrap();
    assert!(role.name.ends_with("-app"), "{}", role.name);
    assert_eq!(role.policy.actions, ["db-cql", "db-rest"]);
    let description = &role.policy.description;
    assert!(
        description.starts_with("vault:") && description.ends_with(" Kept by Vault for role app"),
        "{description}"
    );
    let org = &mount.astra.seeds().organizations[0].id;
    assert_eq!(role.policy.resources, [format!("drn:astra:org:{org}:db:*")]);
    let read = mount.read_response("roles/app").await;
    assert_eq!(read.data()["policy"], given);
    assert_eq!(read.data()["astra_roles"], json!([]));
    assert_eq!(read.data()["astra_role_ids"], json!([role.id]));
    assert_eq!(read.data()["unresolved_astra_roles"], json!([]));

    // A credential holds it; a change keeps its id.
    let credential = mount.read_response("creds/app").await;
    let token = mount.astra.token(&text(&credential, "client_id")).unwrap();
    assert_eq!(token.roles, std::slice::from_ref(&role.id));
    let as_text = policy(&["db-cql"]).to_string();
    mount
        .write("roles/app", json!({"policy": as_text}))
        .await
        .unwrap();
    let [changed] = kept(&mount).try_into().unwrap();
    assert_eq!(
        (changed.id, changed.policy.actions),
        (role.id.clone(), vec!["db-cql".to_owned()])
    );
    let read = mount.read_response("roles/app").await;
    assert_eq!(read.data()["policy"], json!(as_text));

    assert_eq!(
        delete(&mount).await,
        [format!(
            "live tokens that hold the custom Astra role \"{}\" (1) lose its rights with it; their \
             leases stay and are still revoked",
            role.name
        )]
    );
    assert_eq!(kept(&mount), []);
    assert_eq!(notes(&mount), Vec::<String>::new());
    assert!(mount.revoke(&credential).await.is_ok());
    assert!(mount.astra.live_tokens().is_empty());
    assert!(
        mount.astra.violations().is_empty(),
        "{:?}",
        mount.astra.violations()
    );
}

#[tokio::test]
async fn switching_to_astra_roles_deletes_the_custom_role_and_back_makes_one() {
    let mount = AstraMount::configured().await;
    let given = json!({"policy": policy(&["db-cql"]), "ttl": "10m"});
    mount.write("roles/app", given.clone()).await.unwrap();
    mount
        .write("roles/app", json!({"astra_roles": "RO User"}))
        .await
        .unwrap();
    assert_eq!(kept(&mount), []);
    let read = mount.read_response("roles/app").await;
    assert_eq!(
        (&read.data()["policy"], &read.data()["ttl"]),
        (&json!(""), &json!(600))
    );
    mount
        .call(
            Operation::Patch,
            "roles/app",
            json!({"policy": policy(&["db-cql"]), "astra_roles": null}),
        )
        .await
        .unwrap();
    assert_eq!(kept(&mount).len(), 1);
    assert_eq!(notes(&mount), Vec::<String>::new());
    let both = json!({"policy": policy(&["db-cql"]), "astra_roles": "RO User"});
    assert_eq!(
        mount.refusal("roles/app", both).await,
        "astra_roles and policy are both given: give one of astra_roles, policy and access"
    );
    let none = mount
        .call(Operation::Patch, "roles/app", json!({"policy": null}))
        .await;
    assert_eq!(
        refused(none),
        "astra_roles is missing: give one or more names or ids of Astra roles, or policy or access instead"
    );
    assert_eq!(kept(&mount).len(), 1);
}

#[tokio::test]
async fn a_crash_before_the_role_is_stored_leaves_no_custom_role() {
    let mut mount = AstraMount::configured().await;
    mount.tick().await;
    // The note is written, the role is not.
    mount
        .storage
        .set_write_fault(Some(WriteFault::refuse_puts_after(1)));
    let outcome = mount
        .write("roles/app", json!({"policy": policy(&["db-cql"])}))
        .await;
    assert!(outcome.is_err());
    assert_eq!(kept(&mount).len(), 1);
    let org = &mount.astra.seeds().organizations[0].id;
    let note = format!("v1/custom-role/default/{org}/app");
    assert_eq!(notes(&mount), [note]);
    mount.storage.set_write_fault(None);

    mount.restart();
    mount.tick().await;
    assert_eq!(kept(&mount), []);
    assert_eq!(notes(&mount), Vec::<String>::new());
    let missing = mount.call(Operation::Read, "roles/app", json!({})).await;
    assert!(missing.unwrap().is_none());
}

#[tokio::test]
async fn after_a_crash_the_role_can_be_written_again_at_once() {
    let mut mount = AstraMount::configured().await;
    mount
        .storage
        .set_write_fault(Some(WriteFault::refuse_puts_after(1)));
    let given = json!({"policy": policy(&["db-cql"])});
    assert!(mount.write("roles/app", given).await.is_err());
    mount.storage.set_write_fault(None);
    let [left] = kept(&mount).try_into().unwrap();

    mount.restart();
    let given = json!({"policy": policy(&["db-rest"])});
    mount.write("roles/app", given).await.unwrap();
    let [taken_over] = kept(&mount).try_into().unwrap();
    assert_eq!(taken_over.id, left.id);
    assert_eq!(taken_over.policy.actions, ["db-rest"]);
    assert_eq!(notes(&mount), Vec::<String>::new());
    mount.tick().await;
    assert_eq!(kept(&mount).len(), 1);
}

#[tokio::test]
async fn a_crash_in_an_update_brings_the_stored_policy_back() {
    let mut mount = AstraMount::configured().await;
    let given = json!({"policy": policy(&["db-cql"])});
    mount.write("roles/app", given).await.unwrap();
    mount
        .storage
        .set_write_fault(Some(WriteFault::refuse_puts_after(1)));
    let given = json!({"policy": policy(&["db-rest"])});
    assert!(mount.write("roles/app", given).await.is_err());
    let [changed] = kept(&mount).try_into().unwrap();
    assert_eq!(changed.policy.actions, ["db-rest"]);
    mount.storage.set_write_fault(None);

    mount.restart();
    mount.tick().await;
    assert_eq!(kept(&mount)[0].policy.actions, ["db-cql"]);
    // The same update, sent twice, takes effect only now: the note still knows its nonce.
    mount.astra.edit_role(&changed.id, changed.policy).unwrap();
    mount.tick().await;
    assert_eq!(kept(&mount)[0].policy.actions, ["db-cql"]);
    assert_eq!(notes(&mount).len(), 1);
    mount.deadlines.late_create_window = Duration::ZERO;
    mount.restart();
    mount.tick().await;
    assert_eq!(kept(&mount)[0].policy.actions, ["db-cql"]);
    assert_eq!(notes(&mount), Vec::<String>::new());
}

#[tokio::test]
async fn an_outage_at_the_deletion_is_healed_by_the_tick() {
    let mut mount = AstraMount::configured().await;
    let given = json!({"policy": policy(&["db-cql"])});
    mount.write("roles/app", given).await.unwrap();
    let fault = mount
        .astra
        .add_fault(status(403, "DELETE", ONE_ROLE))
        .unwrap();
    let [warning] = delete(&mount).await.try_into().unwrap();
    assert!(
        warning.starts_with("the custom Astra role \"vault-"),
        "{warning}"
    );
    assert!(
        warning.contains("could not be deleted yet: the root token may not do DELETE ")
            && warning.contains("It grants nothing any more"),
        "{warning}"
    );
    assert_eq!(kept(&mount).len(), 1);
    mount.tick().await;
    assert_eq!(kept(&mount).len(), 1);

    mount.restart();
    mount.astra.remove_fault(fault).unwrap();
    mount.tick().await;
    assert_eq!(kept(&mount), []);
    assert_eq!(notes(&mount), Vec::<String>::new());
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_is_found_by_its_name() {
    let mount = AstraMount::configured().await;
    let lost = FaultRule::new(Fault::ResetAfterCommit {})
        .on("POST", ROLES)
        .times(1);
    mount.astra.add_fault(lost).unwrap();
    mount
        .write("roles/app", json!({"policy": policy(&["db-cql"])}))
        .await
        .unwrap();
    let [role] = kept(&mount).try_into().unwrap();
    let read = mount.read_response("roles/app").await;
    assert_eq!(read.data()["astra_role_ids"], json!([role.id]));
    assert_eq!(notes(&mount), Vec::<String>::new());
}

#[tokio::test]
async fn a_create_that_may_still_take_effect_keeps_its_note() {
    let mount = AstraMount::configured().await;
    let lost = FaultRule::new(Fault::ResetBeforeCommit {})
        .on("POST", ROLES)
        .times(1);
    mount.astra.add_fault(lost).unwrap();
    let given = json!({"policy": policy(&["db-cql"])});
    assert!(mount.write("roles/app", given).await.is_err());
    assert_eq!(kept(&mount), []);
    mount.tick().await;
    assert_eq!(notes(&mount).len(), 1);
    // It takes effect late.
    let nonce = noted_nonce(&mount).await;
    let mut late = mount.astra.roles(None).unwrap()[0].policy.clone();
    late.description = format!("vault:0123456789ab:{nonce} late");
    mount.astra.create_role(None, "late", late).unwrap();
    mount.tick().await;
    assert_eq!(kept(&mount), []);
    assert_eq!(notes(&mount), Vec::<String>::new());
}

#[tokio::test]
async fn a_custom_role_of_unknown_origin_is_left_alone() {
    let mount = AstraMount::configured().await;
    let given = json!({"policy": policy(&["db-cql"])});
    mount.write("roles/app", given.clone()).await.unwrap();
    let [role] = kept(&mount).try_into().unwrap();
    delete(&mount).await;
    let theirs = mount
        .astra
        .create_role(None, &role.name, role.policy)
        .unwrap();
    let written = mount.write("roles/app", given).await.unwrap().unwrap();
    let read = mount.read_response("roles/app").await;
    let own = read.data()["astra_role_ids"][0].as_str().unwrap();
    let own = kept(&mount)
        .into_iter()
        .find(|role| role.id == own)
        .unwrap();
    assert_eq!(
        written.warnings(),
        [format!(
            "policy: the organization of config \"default\" already has a custom role \"{}\" ({}), \
             of which this mount knows nothing, perhaps of a mount restored from the same \
             snapshot: that one is left alone, and the role's own is called \"{}\"",
            role.name, theirs.id, own.name
        )]
    );
    mount.tick().await;
    assert_eq!(kept(&mount).len(), 2);
    // Its name stays with it.
    let given = json!({"policy": policy(&["db-rest"])});
    mount.write("roles/app", given).await.unwrap();
    let changed = kept(&mount).into_iter().find(|role| role.id == own.id);
    assert_eq!(changed.unwrap().name, own.name);
    delete(&mount).await;
    assert_eq!(kept(&mount), [theirs]);
}

#[tokio::test]
async fn a_custom_role_that_was_deleted_in_astra_is_shown_and_made_again() {
    let mut mount = AstraMount::configured().await;
    let given = json!({"policy": policy(&["db-cql"])});
    mount.write("roles/app", given.clone()).await.unwrap();
    let [role] = kept(&mount).try_into().unwrap();
    mount.astra.delete_role(&role.id).unwrap();
    let read = mount.read_response("roles/app").await;
    assert_eq!(read.data()["unresolved_astra_roles"], json!([role.id]));
    assert_eq!(
        read.warnings(),
        [format!(
            "policy: its custom Astra role ({}) is no longer in the organization: write the role \
             again with its policy to make it again",
            role.id
        )]
    );
    mount.write("roles/app", given).await.unwrap();
    let [again] = kept(&mount).try_into().unwrap();
    assert_ne!(again.id, role.id);
    let read = mount.read_response("roles/app").await;
    assert_eq!(read.data()["astra_role_ids"], json!([again.id]));
    // Whether Astra knows what it has just made, and what it was told, later lists show.
    mount.deadlines.late_create_window = Duration::ZERO;
    mount.restart();
    mount.tick().await;
    assert_eq!(kept(&mount), [again]);
    assert_eq!(notes(&mount), Vec::<String>::new());
}

#[tokio::test]
async fn a_custom_role_that_is_still_to_be_deleted_holds_its_config() {
    let mount = AstraMount::configured().await;
    let given = json!({"policy": policy(&["db-cql"])});
    mount.write("roles/app", given).await.unwrap();
    let down = mount
        .astra
        .add_fault(status(503, "DELETE", ONE_ROLE))
        .unwrap();
    delete(&mount).await;
    assert_eq!(kept(&mount).len(), 1);
    let deleted = mount.call(Operation::Delete, "config", json!({})).await;
    let text = refused(deleted);
    assert!(
        text.contains("custom Astra roles that are being changed or deleted (1)"),
        "{text}"
    );
    mount.astra.remove_fault(down).unwrap();
    mount.tick().await;
    let deleted = mount.call(Operation::Delete, "config", json!({})).await;
    assert!(deleted.unwrap().is_none());
    assert_eq!(kept(&mount), []);
}

#[tokio::test]
async fn a_custom_role_whose_config_is_gone_is_deleted_once_that_is_back() {
    let leaves = ["deleted", "moved"];
    for how in leaves {
        let mount = AstraMount::configured().await;
        let other = &mount.astra.seeds().organizations[1];
        let other = mount.config(json!({"token": other.root_token}));
        mount.write("config/other", other).await.unwrap();
        let given = json!({"policy": policy(&["db-cql"])});
        mount.write("roles/app", given).await.unwrap();
        let [custom] = kept(&mount).try_into().unwrap();
        mount
            .call(Operation::Delete, "config", json!({"force": true}))
            .await
            .unwrap();
        let told = match how {
            "deleted" => delete(&mount).await,
            _ => {
                let moved = json!({"config": "other", "astra_roles": READER});
                let moved = mount.write("roles/app", moved).await.unwrap();
                moved.unwrap().warnings().to_vec()
            }
        };
        assert_eq!(
            told,
            [format!(
                "config \"default\" does not exist, so the custom Astra role with id {} stays in \
                 its organization: a tick deletes it once the config is written again; otherwise \
                 delete it in Astra",
                custom.id
            )],
            "{how}"
        );
        mount.tick().await;
        let config = mount.config(json!({}));
        mount.write("config", config).await.unwrap();
        mount.tick().await;
        assert_eq!(kept(&mount), [], "{how}");
        assert_eq!(notes(&mount), Vec::<String>::new(), "{how}");
    }
}

/// Each change takes the custom role away that a mint is about to ask for.
#[test]
fn a_role_that_is_changed_during_a_mint_is_minted_with_as_it_is_then() {
    let policy = || policy(&["db-cql"]);
    let changes = [
        ("astra_roles", json!({"astra_roles": READER})),
        ("config", json!({"config": "other", "policy": policy()})),
        ("deletion", json!({"policy": policy()})),
    ];
    for (what, change) in changes {
        virtual_time::run(1, async {
            let mount = AstraMount::in_virtual_time(Deadlines::default());
            mount
                .write("config", mount.config(json!({})))
                .await
                .unwrap();
            let other = &mount.astra.seeds().organizations[1];
            let other = mount.config(json!({"token": other.root_token}));
            mount.write("config/other", other).await.unwrap();
            let given = json!({"config": "default", "policy": policy()});
            mount.write("roles/app", given).await.unwrap();
            let latency = Fault::Latency {
                ms: 3_000,
                max_ms: None,
                at: Default::default(),
            };
            let rule = FaultRule::new(latency).on("POST", TOKENS).times(1);
            mount.astra.add_fault(rule).unwrap();
            let changed = async {
                // Its request is on its way.
                tokio::time::sleep(Duration::from_secs(1)).await;
                if what == "deletion" {
                    delete(&mount).await;
                }
                mount.write("roles/app", change).await.unwrap();
            };
            let (credential, ()) = tokio::join!(mount.read_data("creds/app"), changed);
            let read = mount.read_data("roles/app").await;
            let client_id = credential["client_id"].as_str().unwrap();
            let token = mount.astra.token(client_id).unwrap();
            assert_eq!(json!(token.roles), read["astra_role_ids"], "{what}");
            assert_eq!(mount.live(), [client_id], "{what}");
            assert_eq!(mount.requests("POST", TOKENS), 2, "{what}");
        });
    }
}

#[tokio::test]
async fn a_root_token_without_the_right_is_told_so_and_nothing_is_stored() {
    let mount = AstraMount::configured().await;
    let given = json!({"policy": policy(&["db-cql"])});
    let fault = mount.astra.add_fault(status(403, "POST", ROLES)).unwrap();
    let refused = mount.refusal("roles/app", given).await;
    let expected = "policy, access: the root token of config \"default\" may not keep custom roles: give \
        it org-role-write and org-role-delete, or use astra_roles instead (";
    assert!(refused.starts_with(expected), "{refused}");
    mount.astra.remove_fault(fault).unwrap();
    assert_eq!(notes(&mount), Vec::<String>::new());
    let missing = mount.call(Operation::Read, "roles/app", json!({})).await;
    assert!(missing.unwrap().is_none());
}

#[tokio::test]
async fn bad_policies_are_refused_before_anything_happens() {
    let mount = AstraMount::configured().await;
    let before = mount.astra.stats().requests;
    let not_json = mount.refusal("roles/app", json!({"policy": "{"})).await;
    assert!(
        not_json.starts_with("policy: the text is not JSON ("),
        "{not_json}"
    );
    let foreign = json!({
        "resources": ["drn:astra:org:00000000-0000-4000-8000-000000000000"], "actions": ["db-cql"],
        "effect": "allow",
    });
    let foreign = mount.refusal("roles/app", json!({"policy": foreign})).await;
    assert!(
        foreign.contains("which config \"default\" is for"),
        "{foreign}"
    );
    let admin = mount
        .refusal("roles/app", json!({"policy": policy(&["org-token-write"])}))
        .await;
    assert!(
        admin.ends_with("or set allow_token_admin=true on the config"),
        "{admin}"
    );
    assert_eq!(mount.astra.stats().requests, before);
    assert_eq!(notes(&mount), Vec::<String>::new());
}

#[tokio::test]
async fn a_move_to_another_config_moves_the_custom_role() {
    let mount = AstraMount::configured().await;
    let second = mount.astra.seeds().organizations[1].clone();
    mount.write_config("second", &second.root_token).await;
    let given = json!({"policy": policy(&["db-cql"])});
    mount.write("roles/app", given.clone()).await.unwrap();
    mount
        .write(
            "roles/app",
            json!({"config": "second", "policy": policy(&["db-cql"])}),
        )
        .await
        .unwrap();
    assert_eq!(kept(&mount), []);
    let theirs = mount.astra.roles(Some(&second.id)).unwrap();
    let theirs: Vec<&Role> = theirs
        .iter()
        .filter(|role| role.name.starts_with("vault-"))
        .collect();
    assert_eq!(theirs.len(), 1);
    assert_eq!(
        theirs[0].policy.resources,
        [format!("drn:astra:org:{}:db:*", second.id)]
    );
    assert_eq!(notes(&mount), Vec::<String>::new());
}

#[tokio::test]
async fn a_move_to_another_config_of_the_organization_makes_another_custom_role_without_a_warning()
{
    let mount = AstraMount::configured().await;
    let another = mount.another_root_token();
    mount.write_config("second", &another).await;
    let given = json!({"policy": policy(&["db-cql"])});
    mount.write("roles/app", given.clone()).await.unwrap();
    let [former] = kept(&mount).try_into().unwrap();
    let moved = json!({"config": "second", "policy": policy(&["db-cql"])});
    let moved = mount.write("roles/app", moved).await.unwrap();
    assert_eq!(warnings(moved), [""; 0]);
    let [own] = kept(&mount).try_into().unwrap();
    assert_ne!(own.id, former.id);
    let read = mount.read_data("roles/app").await;
    assert_eq!(read["astra_role_ids"], json!([own.id]));
    assert_eq!(notes(&mount), Vec::<String>::new());
}
