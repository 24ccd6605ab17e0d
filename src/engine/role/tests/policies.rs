//! The custom Astra role of a role with a policy, through crashes and outages.

use std::time::Duration;

use astra_emulator::Fault;
use astra_emulator::FaultRule;
use astra_emulator::Role;
use serde_json::Value;
use serde_json::json;

use crate::engine::testing::AstraMount;
use crate::engine::testing::refused;
use crate::engine::testing::text;
use crate::vault::Operation;
use crate::vault::memory::WriteFault;

const ROLES: &str = "/v2/organizations/roles";
const ONE_ROLE: &str = "/v2/organizations/roles/*";

fn policy(actions: &[&str]) -> Value {
    json!({"resources": ["drn:astra:org:{{org_id}}:db:*"], "actions": actions, "effect": "allow"})
}

/// The custom roles that this mount keeps.
fn kept(bench: &AstraMount) -> Vec<Role> {
    let roles = bench.astra.roles(None).unwrap();
    let kept = roles
        .into_iter()
        .filter(|role| role.name.starts_with("vault-"));
    kept.collect()
}

fn notes(bench: &AstraMount) -> Vec<String> {
    let keys = bench.storage.keys();
    keys.into_iter()
        .filter(|key| key.starts_with("v1/custom-role/"))
        .collect()
}

/// The nonce of the create that the only note tells of.
async fn noted_nonce(bench: &AstraMount) -> String {
    let [key] = notes(bench).try_into().unwrap();
    let entry = crate::vault::Storage::get(&*bench.storage, &key).await;
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

async fn delete(bench: &AstraMount) -> Vec<String> {
    let outcome = bench.call(Operation::Delete, "roles/app", json!({})).await;
    outcome
        .unwrap()
        .map(|response| response.warnings().to_vec())
        .unwrap_or_default()
}

#[tokio::test]
async fn a_policy_is_kept_in_step_and_goes_with_its_role() {
    let bench = AstraMount::configured().await;
    let given = policy(&["db-rest", "db-cql"]);
    bench
        .write("roles/app", json!({"policy": given}))
        .await
        .unwrap();
    let [role] = kept(&bench).try_into().unwrap();
    assert!(role.name.ends_with("-app"), "{}", role.name);
    assert_eq!(role.policy.actions, ["db-cql", "db-rest"]);
    let description = &role.policy.description;
    assert!(
        description.starts_with("vault:") && description.ends_with(" Kept by Vault for role app"),
        "{description}"
    );
    let org = &bench.astra.seeds().organizations[0].id;
    assert_eq!(role.policy.resources, [format!("drn:astra:org:{org}:db:*")]);
    let read = bench.read_response("roles/app").await;
    assert_eq!(read.data()["policy"], given);
    assert_eq!(read.data()["astra_roles"], json!([]));
    assert_eq!(read.data()["astra_role_ids"], json!([role.id]));
    assert_eq!(read.data()["unresolved_astra_roles"], json!([]));

    // A credential holds it; a change keeps its id.
    let credential = bench.read_response("creds/app").await;
    let token = bench.astra.token(&text(&credential, "client_id")).unwrap();
    assert_eq!(token.roles, std::slice::from_ref(&role.id));
    let as_text = policy(&["db-cql"]).to_string();
    bench
        .write("roles/app", json!({"policy": as_text}))
        .await
        .unwrap();
    let [changed] = kept(&bench).try_into().unwrap();
    assert_eq!(
        (changed.id, changed.policy.actions),
        (role.id.clone(), vec!["db-cql".to_owned()])
    );
    let read = bench.read_response("roles/app").await;
    assert_eq!(read.data()["policy"], json!(as_text));

    assert_eq!(
        delete(&bench).await,
        [format!(
            "live tokens that hold the custom Astra role \"{}\" (1) lose its rights with it; their \
             leases stay and are still revoked",
            role.name
        )]
    );
    assert_eq!(kept(&bench), []);
    assert_eq!(notes(&bench), Vec::<String>::new());
    assert!(bench.revoke(&credential).await.is_ok());
    assert!(bench.astra.live_tokens().is_empty());
    assert!(
        bench.astra.violations().is_empty(),
        "{:?}",
        bench.astra.violations()
    );
}

#[tokio::test]
async fn switching_to_astra_roles_deletes_the_custom_role_and_back_makes_one() {
    let bench = AstraMount::configured().await;
    let given = json!({"policy": policy(&["db-cql"]), "ttl": "10m"});
    bench.write("roles/app", given.clone()).await.unwrap();
    bench
        .write("roles/app", json!({"astra_roles": "RO User"}))
        .await
        .unwrap();
    assert_eq!(kept(&bench), []);
    let read = bench.read_response("roles/app").await;
    assert_eq!(
        (&read.data()["policy"], &read.data()["ttl"]),
        (&json!(""), &json!(600))
    );
    bench
        .call(
            Operation::Patch,
            "roles/app",
            json!({"policy": policy(&["db-cql"]), "astra_roles": null}),
        )
        .await
        .unwrap();
    assert_eq!(kept(&bench).len(), 1);
    assert_eq!(notes(&bench), Vec::<String>::new());
    let both = json!({"policy": policy(&["db-cql"]), "astra_roles": "RO User"});
    assert_eq!(
        bench.refusal("roles/app", both).await,
        "astra_roles and policy are both given: give one of astra_roles, policy and access"
    );
    let none = bench
        .call(Operation::Patch, "roles/app", json!({"policy": null}))
        .await;
    assert_eq!(
        refused(none),
        "astra_roles is missing: give one or more names or ids of Astra roles, or policy or access instead"
    );
    assert_eq!(kept(&bench).len(), 1);
}

#[tokio::test]
async fn a_crash_before_the_role_is_stored_leaves_no_custom_role() {
    let mut bench = AstraMount::configured().await;
    bench.tick().await;
    // The note is written, the role is not.
    bench
        .storage
        .set_write_fault(Some(WriteFault::refuse_puts_after(1)));
    let outcome = bench
        .write("roles/app", json!({"policy": policy(&["db-cql"])}))
        .await;
    assert!(outcome.is_err());
    assert_eq!(kept(&bench).len(), 1);
    let org = &bench.astra.seeds().organizations[0].id;
    let note = format!("v1/custom-role/default/{org}/app");
    assert_eq!(notes(&bench), [note]);
    bench.storage.set_write_fault(None);

    bench.restart();
    bench.tick().await;
    assert_eq!(kept(&bench), []);
    assert_eq!(notes(&bench), Vec::<String>::new());
    let missing = bench.call(Operation::Read, "roles/app", json!({})).await;
    assert!(missing.unwrap().is_none());
}

#[tokio::test]
async fn after_a_crash_the_role_can_be_written_again_at_once() {
    let mut bench = AstraMount::configured().await;
    bench
        .storage
        .set_write_fault(Some(WriteFault::refuse_puts_after(1)));
    let given = json!({"policy": policy(&["db-cql"])});
    assert!(bench.write("roles/app", given).await.is_err());
    bench.storage.set_write_fault(None);
    let [left] = kept(&bench).try_into().unwrap();

    bench.restart();
    let given = json!({"policy": policy(&["db-rest"])});
    bench.write("roles/app", given).await.unwrap();
    let [taken_over] = kept(&bench).try_into().unwrap();
    assert_eq!(taken_over.id, left.id);
    assert_eq!(taken_over.policy.actions, ["db-rest"]);
    assert_eq!(notes(&bench), Vec::<String>::new());
    bench.tick().await;
    assert_eq!(kept(&bench).len(), 1);
}

#[tokio::test]
async fn a_crash_in_an_update_brings_the_stored_policy_back() {
    let mut bench = AstraMount::configured().await;
    let given = json!({"policy": policy(&["db-cql"])});
    bench.write("roles/app", given).await.unwrap();
    bench
        .storage
        .set_write_fault(Some(WriteFault::refuse_puts_after(1)));
    let given = json!({"policy": policy(&["db-rest"])});
    assert!(bench.write("roles/app", given).await.is_err());
    let [changed] = kept(&bench).try_into().unwrap();
    assert_eq!(changed.policy.actions, ["db-rest"]);
    bench.storage.set_write_fault(None);

    bench.restart();
    bench.tick().await;
    assert_eq!(kept(&bench)[0].policy.actions, ["db-cql"]);
    // The same update, sent twice, takes effect only now: the note still knows its nonce.
    bench.astra.edit_role(&changed.id, changed.policy).unwrap();
    bench.tick().await;
    assert_eq!(kept(&bench)[0].policy.actions, ["db-cql"]);
    assert_eq!(notes(&bench).len(), 1);
    bench.deadlines.late_create_window = Duration::ZERO;
    bench.restart();
    bench.tick().await;
    assert_eq!(kept(&bench)[0].policy.actions, ["db-cql"]);
    assert_eq!(notes(&bench), Vec::<String>::new());
}

#[tokio::test]
async fn an_outage_at_the_deletion_is_healed_by_the_tick() {
    let mut bench = AstraMount::configured().await;
    let given = json!({"policy": policy(&["db-cql"])});
    bench.write("roles/app", given).await.unwrap();
    let fault = bench
        .astra
        .add_fault(status(403, "DELETE", ONE_ROLE))
        .unwrap();
    let [warning] = delete(&bench).await.try_into().unwrap();
    assert!(
        warning.starts_with("the custom Astra role \"vault-"),
        "{warning}"
    );
    assert!(
        warning.contains("could not be deleted yet: the root token may not do DELETE ")
            && warning.contains("It grants nothing any more"),
        "{warning}"
    );
    assert_eq!(kept(&bench).len(), 1);
    bench.tick().await;
    assert_eq!(kept(&bench).len(), 1);

    bench.restart();
    bench.astra.remove_fault(fault).unwrap();
    bench.tick().await;
    assert_eq!(kept(&bench), []);
    assert_eq!(notes(&bench), Vec::<String>::new());
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_is_found_by_its_name() {
    let bench = AstraMount::configured().await;
    let lost = FaultRule::new(Fault::ResetAfterCommit {})
        .on("POST", ROLES)
        .times(1);
    bench.astra.add_fault(lost).unwrap();
    bench
        .write("roles/app", json!({"policy": policy(&["db-cql"])}))
        .await
        .unwrap();
    let [role] = kept(&bench).try_into().unwrap();
    let read = bench.read_response("roles/app").await;
    assert_eq!(read.data()["astra_role_ids"], json!([role.id]));
    assert_eq!(notes(&bench), Vec::<String>::new());
}

#[tokio::test]
async fn a_create_that_may_still_take_effect_keeps_its_note() {
    let bench = AstraMount::configured().await;
    let lost = FaultRule::new(Fault::ResetBeforeCommit {})
        .on("POST", ROLES)
        .times(1);
    bench.astra.add_fault(lost).unwrap();
    let given = json!({"policy": policy(&["db-cql"])});
    assert!(bench.write("roles/app", given).await.is_err());
    assert_eq!(kept(&bench), []);
    bench.tick().await;
    assert_eq!(notes(&bench).len(), 1);
    // It takes effect late.
    let nonce = noted_nonce(&bench).await;
    let mut late = bench.astra.roles(None).unwrap()[0].policy.clone();
    late.description = format!("vault:0123456789ab:{nonce} late");
    bench.astra.create_role(None, "late", late).unwrap();
    bench.tick().await;
    assert_eq!(kept(&bench), []);
    assert_eq!(notes(&bench), Vec::<String>::new());
}

#[tokio::test]
async fn a_custom_role_of_unknown_origin_is_left_alone() {
    let bench = AstraMount::configured().await;
    let given = json!({"policy": policy(&["db-cql"])});
    bench.write("roles/app", given.clone()).await.unwrap();
    let [role] = kept(&bench).try_into().unwrap();
    delete(&bench).await;
    let theirs = bench
        .astra
        .create_role(None, &role.name, role.policy)
        .unwrap();
    let written = bench.write("roles/app", given).await.unwrap().unwrap();
    let read = bench.read_response("roles/app").await;
    let own = read.data()["astra_role_ids"][0].as_str().unwrap();
    let own = kept(&bench)
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
    bench.tick().await;
    assert_eq!(kept(&bench).len(), 2);
    // Its name stays with it.
    let given = json!({"policy": policy(&["db-rest"])});
    bench.write("roles/app", given).await.unwrap();
    let changed = kept(&bench).into_iter().find(|role| role.id == own.id);
    assert_eq!(changed.unwrap().name, own.name);
    delete(&bench).await;
    assert_eq!(kept(&bench), [theirs]);
}

#[tokio::test]
async fn a_custom_role_that_was_deleted_in_astra_is_shown_and_made_again() {
    let bench = AstraMount::configured().await;
    let given = json!({"policy": policy(&["db-cql"])});
    bench.write("roles/app", given.clone()).await.unwrap();
    let [role] = kept(&bench).try_into().unwrap();
    bench.astra.delete_role(&role.id).unwrap();
    let read = bench.read_response("roles/app").await;
    assert_eq!(read.data()["unresolved_astra_roles"], json!([role.id]));
    assert_eq!(
        read.warnings(),
        [format!(
            "policy: its custom Astra role ({}) is no longer in the organization: write the role \
             again with its policy to make it again",
            role.id
        )]
    );
    bench.write("roles/app", given).await.unwrap();
    let [again] = kept(&bench).try_into().unwrap();
    assert_ne!(again.id, role.id);
    let read = bench.read_response("roles/app").await;
    assert_eq!(read.data()["astra_role_ids"], json!([again.id]));
    assert_eq!(notes(&bench), Vec::<String>::new());
}

#[tokio::test]
async fn a_root_token_without_the_right_is_told_so_and_nothing_is_stored() {
    let bench = AstraMount::configured().await;
    let given = json!({"policy": policy(&["db-cql"])});
    let fault = bench.astra.add_fault(status(403, "POST", ROLES)).unwrap();
    let refused = bench.refusal("roles/app", given).await;
    let expected = "policy, access: the root token of config \"default\" may not keep custom roles: give \
        it org-role-write and org-role-delete, or use astra_roles instead (";
    assert!(refused.starts_with(expected), "{refused}");
    bench.astra.remove_fault(fault).unwrap();
    assert_eq!(notes(&bench), Vec::<String>::new());
    let missing = bench.call(Operation::Read, "roles/app", json!({})).await;
    assert!(missing.unwrap().is_none());
}

#[tokio::test]
async fn bad_policies_are_refused_before_anything_happens() {
    let bench = AstraMount::configured().await;
    let before = bench.astra.stats().requests;
    let not_json = bench.refusal("roles/app", json!({"policy": "{"})).await;
    assert!(
        not_json.starts_with("policy: the text is not JSON ("),
        "{not_json}"
    );
    let foreign = json!({
        "resources": ["drn:astra:org:00000000-0000-4000-8000-000000000000"], "actions": ["db-cql"],
        "effect": "allow",
    });
    let foreign = bench.refusal("roles/app", json!({"policy": foreign})).await;
    assert!(
        foreign.contains("which config \"default\" is for"),
        "{foreign}"
    );
    let admin = bench
        .refusal("roles/app", json!({"policy": policy(&["org-token-write"])}))
        .await;
    assert!(
        admin.ends_with("or set allow_token_admin=true on the config"),
        "{admin}"
    );
    assert_eq!(bench.astra.stats().requests, before);
    assert_eq!(notes(&bench), Vec::<String>::new());
}

#[tokio::test]
async fn a_move_to_another_config_moves_the_custom_role() {
    let bench = AstraMount::configured().await;
    let second = bench.astra.seeds().organizations[1].clone();
    bench.write_config("second", &second.root_token).await;
    let given = json!({"policy": policy(&["db-cql"])});
    bench.write("roles/app", given.clone()).await.unwrap();
    bench
        .write(
            "roles/app",
            json!({"config": "second", "policy": policy(&["db-cql"])}),
        )
        .await
        .unwrap();
    assert_eq!(kept(&bench), []);
    let theirs = bench.astra.roles(Some(&second.id)).unwrap();
    let theirs: Vec<&Role> = theirs
        .iter()
        .filter(|role| role.name.starts_with("vault-"))
        .collect();
    assert_eq!(theirs.len(), 1);
    assert_eq!(
        theirs[0].policy.resources,
        [format!("drn:astra:org:{}:db:*", second.id)]
    );
    assert_eq!(notes(&bench), Vec::<String>::new());
}
