//! Custom Astra roles are deleted and taken over only on evidence: copies of the storage, creates that
//! were refused and happened, custom roles that were given up, and configs that moved.

use std::time::Duration;

use astra_emulator::Fault;
use astra_emulator::FaultRule;
use astra_emulator::Role;
use astra_emulator::fault::FaultBody;
use serde_json::Value;
use serde_json::json;

use crate::engine::testing::AstraMount;
use crate::engine::testing::text;
use crate::vault::Operation;
use crate::vault::memory::WriteFault;

const ROLES: &str = "/v2/organizations/roles";
const ONE_ROLE: &str = "/v2/organizations/roles/*";
const NO_DATABASE: &str = "00000000-0000-0000-0000-000000000000";

fn policy(actions: &[&str]) -> Value {
    let resources = ["drn:astra:org:{{org_id}}:db:*"];
    json!({"policy": {"resources": resources, "actions": actions, "effect": "allow"}})
}

/// The custom roles of all mounts in an organization.
fn kept(mount: &AstraMount, org: Option<&str>) -> Vec<Role> {
    let roles = mount.astra.roles(org).unwrap().into_iter();
    roles
        .filter(|role| role.name.starts_with("vault-"))
        .collect()
}

fn by_id(mount: &AstraMount, id: &str) -> Option<Role> {
    kept(mount, None).into_iter().find(|role| role.id == id)
}

fn notes(mount: &AstraMount) -> usize {
    let keys = mount.storage.keys();
    keys.iter()
        .filter(|key| key.contains("custom-role/"))
        .count()
}

fn refused(status: u16, body: FaultBody, committed: bool) -> Fault {
    Fault::Status {
        status,
        body,
        retry_after: None,
        committed,
    }
}

fn fault(mount: &AstraMount, method: &str, path: &str, fault: Fault) {
    let rule = FaultRule::new(fault).on(method, path);
    mount.astra.add_fault(rule).unwrap();
}

fn fault_once(mount: &AstraMount, method: &str, path: &str, fault: Fault) {
    let rule = FaultRule::new(fault).on(method, path).times(1);
    mount.astra.add_fault(rule).unwrap();
}

async fn write(mount: &AstraMount, actions: &[&str]) -> Vec<String> {
    let written = mount.write("roles/app", policy(actions)).await.unwrap();
    written.map_or_else(Vec::new, |response| response.warnings().to_vec())
}

async fn delete(mount: &AstraMount) -> Vec<String> {
    let deleted = mount.call(Operation::Delete, "roles/app", json!({})).await;
    let deleted = deleted.unwrap();
    deleted.map_or_else(Vec::new, |response| response.warnings().to_vec())
}

async fn role_id(mount: &AstraMount) -> String {
    let read = mount.read_response("roles/app").await;
    read.data()["astra_role_ids"][0]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn a_copy_of_the_storage_leaves_what_the_first_mount_made_since() {
    // The snapshot is taken while the note of a deletion stands.
    let mount = AstraMount::configured().await;
    write(&mount, &["db-cql"]).await;
    fault(
        &mount,
        "DELETE",
        ONE_ROLE,
        refused(503, FaultBody::Html, false),
    );
    delete(&mount).await;
    let mut copy = mount.fork().await;
    mount.astra.clear_faults();
    write(&mount, &["db-rest"]).await;
    mount.tick().await;
    let id = role_id(&mount).await;
    let credential = mount.read_response("creds/app").await;
    copy.tick().await;
    // A new process looks once more for what Astra does not know.
    copy.deadlines.late_create_window = Duration::ZERO;
    copy.restart();
    copy.tick().await;
    let role = by_id(&mount, &id).unwrap();
    assert_eq!(role.policy.actions, ["db-rest"]);
    let token = mount.astra.token(&text(&credential, "client_id")).unwrap();
    assert_eq!(token.roles, [role.id]);
    assert_eq!((notes(&mount), notes(&copy)), (0, 0));
}

#[tokio::test]
async fn a_copy_of_the_storage_does_not_take_a_lost_create_of_the_first_mount() {
    let mount = AstraMount::configured().await;
    lose_create(&mount).await;
    let copy = mount.fork().await;
    write(&mount, &["db-rest"]).await;
    let id = role_id(&mount).await;
    copy.tick().await;
    assert_eq!(by_id(&mount, &id).unwrap().policy.actions, ["db-rest"]);
    // Nor does it adopt it.
    let warnings = write(&copy, &["db-cql"]).await;
    assert!(
        warnings[0].contains("of which this mount knows nothing"),
        "{warnings:?}"
    );
    assert_ne!(role_id(&copy).await, id);
    assert_eq!(by_id(&mount, &id).unwrap().policy.actions, ["db-rest"]);
}

/// A write whose custom role is made, and whose role is not stored.
async fn lose_create(mount: &AstraMount) {
    mount
        .storage
        .set_write_fault(Some(WriteFault::refuse_puts_after(1)));
    let outcome = mount.write("roles/app", policy(&["db-cql"])).await;
    assert!(outcome.is_err());
    mount.storage.set_write_fault(None);
    assert_eq!(kept(mount, None).len(), 1);
}

#[tokio::test]
async fn a_copy_of_the_storage_does_not_undo_a_change_of_the_first_mount() {
    let mount = AstraMount::configured().await;
    write(&mount, &["db-cql"]).await;
    let id = role_id(&mount).await;
    // The snapshot is taken while the note of a change stands.
    mount
        .storage
        .set_write_fault(Some(WriteFault::refuse_puts_after(1)));
    let outcome = mount.write("roles/app", policy(&["db-rest"])).await;
    assert!(outcome.is_err());
    mount.storage.set_write_fault(None);
    let copy = mount.fork().await;
    write(&mount, &["db-graphql"]).await;
    copy.tick().await;
    assert_eq!(by_id(&mount, &id).unwrap().policy.actions, ["db-graphql"]);
    // It is told so, and does not delete it either.
    let read = copy.read_response("roles/app").await;
    assert!(
        read.warnings()[0].contains("was written since by another cluster"),
        "{:?}",
        read.warnings()
    );
    let warnings = delete(&copy).await;
    assert!(warnings[0].contains("is left alone"), "{warnings:?}");
    assert_eq!(by_id(&mount, &id).unwrap().policy.actions, ["db-graphql"]);
}

#[tokio::test]
async fn a_custom_role_that_cannot_be_deleted_loses_its_rights_and_is_not_used_again() {
    let mount = AstraMount::configured().await;
    write(&mount, &["org-db-view"]).await;
    let first = role_id(&mount).await;
    let credential = mount.read_response("creds/app").await;
    fault(
        &mount,
        "DELETE",
        ONE_ROLE,
        refused(409, FaultBody::Errors, false),
    );
    let warnings = delete(&mount).await;
    assert!(
        warnings[0].contains("It grants nothing any more"),
        "{warnings:?}"
    );
    assert!(
        warnings[1].contains("lose its rights with it"),
        "{warnings:?}"
    );
    let org = &mount.astra.seeds().organizations[0].id;
    let nothing = [format!("drn:astra:org:{org}:db:{NO_DATABASE}")];
    assert_eq!(by_id(&mount, &first).unwrap().policy.resources, nothing);

    write(&mount, &["org-db-view", "org-db-terminate"]).await;
    let second = role_id(&mount).await;
    assert_ne!(second, first);
    let token = mount.astra.token(&text(&credential, "client_id")).unwrap();
    assert_eq!(token.roles, std::slice::from_ref(&first));
    assert_eq!(by_id(&mount, &first).unwrap().policy.resources, nothing);
    // Ticks go on trying, and ask for the rights to be taken only once.
    mount.tick().await;
    let puts = |mount: &AstraMount| {
        let journal = mount.astra.journal();
        journal.iter().filter(|entry| entry.method == "PUT").count()
    };
    assert_eq!(puts(&mount), 1);
    mount.astra.clear_faults();
    mount.tick().await;
    assert_eq!(by_id(&mount, &first), None);
    let [left] = kept(&mount, None).try_into().unwrap();
    assert_eq!(left.id, second);
    assert_eq!(notes(&mount), 0);
}

#[tokio::test]
async fn a_custom_role_that_an_outage_keeps_is_told_to_keep_its_rights() {
    let mount = AstraMount::configured().await;
    write(&mount, &["db-cql"]).await;
    let id = role_id(&mount).await;
    mount.read_response("creds/app").await;
    fault(&mount, "DELETE", ONE_ROLE, Fault::ResetBeforeCommit {});
    let warnings = delete(&mount).await;
    assert!(warnings[0].contains("keeps its rights: "), "{warnings:?}");
    assert!(
        warnings[1].contains("keep its rights for now"),
        "{warnings:?}"
    );
    assert_eq!(by_id(&mount, &id).unwrap().policy.actions, ["db-cql"]);
    mount.astra.clear_faults();
    mount.tick().await;
    assert_eq!(kept(&mount, None), []);
}

#[tokio::test]
async fn a_create_that_was_refused_and_happened_is_found() {
    for (status, body) in [
        (403, FaultBody::Html),
        (400, FaultBody::Html),
        (409, FaultBody::Html),
        (401, FaultBody::Null),
        (403, FaultBody::BlockPage),
        (400, FaultBody::Errors),
        (403, FaultBody::String),
        (429, FaultBody::Errors),
        (413, FaultBody::Empty),
        (404, FaultBody::Half),
    ] {
        let mount = AstraMount::configured().await;
        fault_once(&mount, "POST", ROLES, refused(status, body, true));
        write(&mount, &["db-cql"]).await;
        let [role] = kept(&mount, None).try_into().unwrap();
        assert_eq!(role_id(&mount).await, role.id, "{status} {body:?}");
        assert_eq!(notes(&mount), 0, "{status} {body:?}");
        delete(&mount).await;
        assert_eq!(kept(&mount, None), [], "{status} {body:?}");
    }
}

#[tokio::test]
async fn a_create_that_was_refused_and_happened_is_taken_by_the_next_write_or_the_tick() {
    for (status, body) in [
        (403, FaultBody::Html),
        (409, FaultBody::Errors),
        (401, FaultBody::Null),
    ] {
        for by_tick in [false, true] {
            let mut mount = AstraMount::configured().await;
            fault_once(&mount, "POST", ROLES, refused(status, body, true));
            // The list after the create fails.
            let no_list = refused(403, FaultBody::Errors, false);
            let mut no_list = FaultRule::new(no_list).on("GET", ROLES);
            no_list.matcher.after = Some(1);
            mount.astra.add_fault(no_list).unwrap();
            let outcome = mount.write("roles/app", policy(&["db-cql"])).await;
            assert!(outcome.is_err(), "{status} {body:?}");
            assert_eq!(kept(&mount, None).len(), 1, "{status} {body:?}");
            mount.astra.clear_faults();
            mount.restart();
            if by_tick {
                mount.tick().await;
                assert_eq!(kept(&mount, None), [], "{status} {body:?}");
            }
            write(&mount, &["db-rest"]).await;
            let [role] = kept(&mount, None).try_into().unwrap();
            assert_eq!(role_id(&mount).await, role.id, "{status} {body:?}");
            assert_eq!(role.policy.actions, ["db-rest"], "{status} {body:?}");
            assert_eq!(notes(&mount), 0, "{status} {body:?}");
        }
    }
}

#[tokio::test]
async fn a_config_that_moved_names_the_custom_role_that_it_left_behind() {
    let mount = AstraMount::configured().await;
    let organizations = mount.astra.seeds().organizations;
    let (first, second) = (&organizations[0], &organizations[1]);
    write(&mount, &["db-cql"]).await;
    let left = role_id(&mount).await;
    let name = kept(&mount, None)[0].name.clone();
    let moved = |token: &str| json!({"token": token, "url": mount.astra.url(), "force": true});
    let written = mount
        .write("config/default", moved(&second.root_token))
        .await;
    let warnings = written.unwrap().unwrap().warnings().to_vec();
    let expected = format!("custom Astra role of role app ({left})");
    assert!(
        warnings.iter().any(|warning| warning.contains(&expected)),
        "{warnings:?}"
    );

    let warnings = write(&mount, &["db-cql"]).await;
    assert_eq!(
        warnings,
        [format!(
            "the custom Astra role \"{name}\" ({left}) stays in organization {}, because config \
             \"default\" is now for {}: delete it there, or give the config a root token of that \
             organization again",
            first.id, second.id
        )]
    );
    let [there] = kept(&mount, Some(&second.id)).try_into().unwrap();
    assert_eq!(role_id(&mount).await, there.id);
    mount.tick().await;
    assert_eq!(kept(&mount, Some(&first.id)).len(), 1);
    assert_eq!(notes(&mount), 1);

    // Back in the first organization its custom role goes, and the other one waits.
    mount
        .write("config/default", moved(&first.root_token))
        .await
        .unwrap();
    mount.tick().await;
    assert_eq!(kept(&mount, Some(&first.id)), []);
    assert_eq!(kept(&mount, Some(&second.id)).len(), 1);
}

#[tokio::test]
async fn a_custom_role_waits_while_no_one_knows_which_organization_the_config_is_for() {
    let mount = AstraMount::configured().await;
    let organizations = mount.astra.seeds().organizations;
    write(&mount, &["db-cql"]).await;
    let left = role_id(&mount).await;
    mount
        .delete("config/default", json!({"force": true}))
        .await
        .unwrap();
    let untried = |org: usize| {
        let token = &organizations[org].root_token;
        json!({"token": token, "url": mount.astra.url(), "verify": false})
    };
    mount.write("config/default", untried(1)).await.unwrap();
    // The other organization's list would not show the custom role.
    let refused = refused(401, FaultBody::Errors, false);
    fault_once(&mount, "GET", "/v2/currentOrg", refused);
    let warnings = delete(&mount).await;
    assert!(warnings[0].contains("keeps its rights"), "{warnings:?}");
    assert_eq!((kept(&mount, None).len(), notes(&mount)), (1, 1));
    let back = mount.config(json!({"token": mount.another_root_token(), "force": true}));
    mount.write("config/default", back).await.unwrap();
    mount.tick().await;
    assert_eq!((by_id(&mount, &left), notes(&mount)), (None, 0));
}

#[tokio::test]
async fn an_update_that_something_in_front_of_astra_calls_not_found_is_taken_back() {
    let mount = AstraMount::configured().await;
    write(&mount, &["db-cql"]).await;
    let not_found = refused(404, FaultBody::Html, true);
    fault_once(&mount, "PUT", ONE_ROLE, not_found);
    let no_create = refused(403, FaultBody::Errors, false);
    fault_once(&mount, "POST", ROLES, no_create);
    let outcome = mount.write("roles/app", policy(&["db-rest"])).await;
    assert!(outcome.is_err());
    assert_eq!(kept(&mount, None)[0].policy.actions, ["db-rest"]);
    mount.tick().await;
    assert_eq!(kept(&mount, None)[0].policy.actions, ["db-cql"]);
}

/// Only a list shows that a custom role is gone.
#[tokio::test]
async fn an_update_of_a_listed_custom_role_that_is_called_not_found_makes_no_other() {
    let mount = AstraMount::configured().await;
    write(&mount, &["db-cql"]).await;
    let id = role_id(&mount).await;
    let credential = mount.read_response("creds/app").await;
    for body in [
        FaultBody::Envoy,
        FaultBody::Empty,
        FaultBody::String,
        FaultBody::Errors,
        FaultBody::Html,
    ] {
        fault_once(&mount, "PUT", ONE_ROLE, refused(404, body, false));
        let outcome = mount.write("roles/app", policy(&["db-rest"])).await;
        let error = outcome.err().map(|error| error.to_string());
        let error = error.unwrap_or_default();
        assert!(
            error.contains("cannot keep the custom Astra role"),
            "{body:?} {error}"
        );
        let [role] = kept(&mount, None).try_into().unwrap();
        assert_eq!(
            (role.id, role.policy.actions),
            (id.clone(), vec!["db-cql".to_owned()])
        );
    }
    assert_eq!(write(&mount, &["db-rest"]).await, [""; 0]);
    assert_eq!(role_id(&mount).await, id);
    let token = mount.astra.token(&text(&credential, "client_id")).unwrap();
    assert_eq!(token.roles, std::slice::from_ref(&id));
    assert_eq!(by_id(&mount, &id).unwrap().policy.actions, ["db-rest"]);
}
