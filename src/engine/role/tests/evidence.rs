//! Custom Astra roles are deleted and taken over only on evidence: copies of the storage, creates that
//! were refused and happened, custom roles that were given up, and configs that moved.

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
fn kept(bench: &AstraMount, org: Option<&str>) -> Vec<Role> {
    let roles = bench.astra.roles(org).unwrap().into_iter();
    roles
        .filter(|role| role.name.starts_with("vault-"))
        .collect()
}

fn by_id(bench: &AstraMount, id: &str) -> Option<Role> {
    kept(bench, None).into_iter().find(|role| role.id == id)
}

fn notes(bench: &AstraMount) -> usize {
    let keys = bench.storage.keys();
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

fn fault(bench: &AstraMount, method: &str, path: &str, fault: Fault) {
    let rule = FaultRule::new(fault).on(method, path);
    bench.astra.add_fault(rule).unwrap();
}

fn fault_once(bench: &AstraMount, method: &str, path: &str, fault: Fault) {
    let rule = FaultRule::new(fault).on(method, path).times(1);
    bench.astra.add_fault(rule).unwrap();
}

async fn write(bench: &AstraMount, actions: &[&str]) -> Vec<String> {
    let written = bench.write("roles/app", policy(actions)).await.unwrap();
    written.map_or_else(Vec::new, |response| response.warnings().to_vec())
}

async fn delete(bench: &AstraMount) -> Vec<String> {
    let deleted = bench.call(Operation::Delete, "roles/app", json!({})).await;
    let deleted = deleted.unwrap();
    deleted.map_or_else(Vec::new, |response| response.warnings().to_vec())
}

async fn role_id(bench: &AstraMount) -> String {
    let read = bench.read_response("roles/app").await;
    read.data()["astra_role_ids"][0]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn a_copy_of_the_storage_leaves_what_the_first_mount_made_since() {
    // The snapshot is taken while the note of a deletion stands.
    let bench = AstraMount::configured().await;
    write(&bench, &["db-cql"]).await;
    fault(
        &bench,
        "DELETE",
        ONE_ROLE,
        refused(503, FaultBody::Html, false),
    );
    delete(&bench).await;
    let copy = bench.fork().await;
    bench.astra.clear_faults();
    write(&bench, &["db-rest"]).await;
    bench.tick().await;
    let id = role_id(&bench).await;
    let credential = bench.read_response("creds/app").await;
    copy.tick().await;
    let role = by_id(&bench, &id).unwrap();
    assert_eq!(role.policy.actions, ["db-rest"]);
    let token = bench.astra.token(&text(&credential, "client_id")).unwrap();
    assert_eq!(token.roles, [role.id]);
    assert_eq!((notes(&bench), notes(&copy)), (0, 0));
}

#[tokio::test]
async fn a_copy_of_the_storage_does_not_take_a_lost_create_of_the_first_mount() {
    let bench = AstraMount::configured().await;
    lose_create(&bench).await;
    let copy = bench.fork().await;
    write(&bench, &["db-rest"]).await;
    let id = role_id(&bench).await;
    copy.tick().await;
    assert_eq!(by_id(&bench, &id).unwrap().policy.actions, ["db-rest"]);
    // Nor does it adopt it.
    let warnings = write(&copy, &["db-cql"]).await;
    assert!(
        warnings[0].contains("of which this mount knows nothing"),
        "{warnings:?}"
    );
    assert_ne!(role_id(&copy).await, id);
    assert_eq!(by_id(&bench, &id).unwrap().policy.actions, ["db-rest"]);
}

/// A write whose custom role is made, and whose role is not stored.
async fn lose_create(bench: &AstraMount) {
    bench
        .storage
        .set_write_fault(Some(WriteFault::refuse_puts_after(1)));
    let outcome = bench.write("roles/app", policy(&["db-cql"])).await;
    assert!(outcome.is_err());
    bench.storage.set_write_fault(None);
    assert_eq!(kept(bench, None).len(), 1);
}

#[tokio::test]
async fn a_copy_of_the_storage_does_not_undo_a_change_of_the_first_mount() {
    let bench = AstraMount::configured().await;
    write(&bench, &["db-cql"]).await;
    let id = role_id(&bench).await;
    // The snapshot is taken while the note of a change stands.
    bench
        .storage
        .set_write_fault(Some(WriteFault::refuse_puts_after(1)));
    let outcome = bench.write("roles/app", policy(&["db-rest"])).await;
    assert!(outcome.is_err());
    bench.storage.set_write_fault(None);
    let copy = bench.fork().await;
    write(&bench, &["db-graphql"]).await;
    copy.tick().await;
    assert_eq!(by_id(&bench, &id).unwrap().policy.actions, ["db-graphql"]);
    // It is told so, and does not delete it either.
    let read = copy.read_response("roles/app").await;
    assert!(
        read.warnings()[0].contains("was written since by another cluster"),
        "{:?}",
        read.warnings()
    );
    let warnings = delete(&copy).await;
    assert!(warnings[0].contains("is left alone"), "{warnings:?}");
    assert_eq!(by_id(&bench, &id).unwrap().policy.actions, ["db-graphql"]);
}

#[tokio::test]
async fn a_custom_role_that_cannot_be_deleted_loses_its_rights_and_is_not_used_again() {
    let bench = AstraMount::configured().await;
    write(&bench, &["org-db-view"]).await;
    let first = role_id(&bench).await;
    let credential = bench.read_response("creds/app").await;
    fault(
        &bench,
        "DELETE",
        ONE_ROLE,
        refused(409, FaultBody::Errors, false),
    );
    let warnings = delete(&bench).await;
    assert!(
        warnings[0].contains("It grants nothing any more"),
        "{warnings:?}"
    );
    assert!(
        warnings[1].contains("lose its rights with it"),
        "{warnings:?}"
    );
    let org = &bench.astra.seeds().organizations[0].id;
    let nothing = [format!("drn:astra:org:{org}:db:{NO_DATABASE}")];
    assert_eq!(by_id(&bench, &first).unwrap().policy.resources, nothing);

    write(&bench, &["org-db-view", "org-db-terminate"]).await;
    let second = role_id(&bench).await;
    assert_ne!(second, first);
    let token = bench.astra.token(&text(&credential, "client_id")).unwrap();
    assert_eq!(token.roles, std::slice::from_ref(&first));
    assert_eq!(by_id(&bench, &first).unwrap().policy.resources, nothing);
    // Ticks go on trying, and ask for the rights to be taken only once.
    bench.tick().await;
    let puts = |bench: &AstraMount| {
        let journal = bench.astra.journal();
        journal.iter().filter(|entry| entry.method == "PUT").count()
    };
    assert_eq!(puts(&bench), 1);
    bench.astra.clear_faults();
    bench.tick().await;
    assert_eq!(by_id(&bench, &first), None);
    let [left] = kept(&bench, None).try_into().unwrap();
    assert_eq!(left.id, second);
    assert_eq!(notes(&bench), 0);
}

#[tokio::test]
async fn a_custom_role_that_an_outage_keeps_is_told_to_keep_its_rights() {
    let bench = AstraMount::configured().await;
    write(&bench, &["db-cql"]).await;
    let id = role_id(&bench).await;
    bench.read_response("creds/app").await;
    fault(&bench, "DELETE", ONE_ROLE, Fault::ResetBeforeCommit {});
    let warnings = delete(&bench).await;
    assert!(warnings[0].contains("keeps its rights: "), "{warnings:?}");
    assert!(
        warnings[1].contains("keep its rights for now"),
        "{warnings:?}"
    );
    assert_eq!(by_id(&bench, &id).unwrap().policy.actions, ["db-cql"]);
    bench.astra.clear_faults();
    bench.tick().await;
    assert_eq!(kept(&bench, None), []);
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
        let bench = AstraMount::configured().await;
        fault_once(&bench, "POST", ROLES, refused(status, body, true));
        write(&bench, &["db-cql"]).await;
        let [role] = kept(&bench, None).try_into().unwrap();
        assert_eq!(role_id(&bench).await, role.id, "{status} {body:?}");
        assert_eq!(notes(&bench), 0, "{status} {body:?}");
        delete(&bench).await;
        assert_eq!(kept(&bench, None), [], "{status} {body:?}");
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
            let mut bench = AstraMount::configured().await;
            fault_once(&bench, "POST", ROLES, refused(status, body, true));
            // The list after the create fails.
            let no_list = refused(403, FaultBody::Errors, false);
            let mut no_list = FaultRule::new(no_list).on("GET", ROLES);
            no_list.matcher.after = Some(1);
            bench.astra.add_fault(no_list).unwrap();
            let outcome = bench.write("roles/app", policy(&["db-cql"])).await;
            assert!(outcome.is_err(), "{status} {body:?}");
            assert_eq!(kept(&bench, None).len(), 1, "{status} {body:?}");
            bench.astra.clear_faults();
            bench.restart();
            if by_tick {
                bench.tick().await;
                assert_eq!(kept(&bench, None), [], "{status} {body:?}");
            }
            write(&bench, &["db-rest"]).await;
            let [role] = kept(&bench, None).try_into().unwrap();
            assert_eq!(role_id(&bench).await, role.id, "{status} {body:?}");
            assert_eq!(role.policy.actions, ["db-rest"], "{status} {body:?}");
            assert_eq!(notes(&bench), 0, "{status} {body:?}");
        }
    }
}

#[tokio::test]
async fn a_config_that_moved_names_the_custom_role_that_it_left_behind() {
    let bench = AstraMount::configured().await;
    let organizations = bench.astra.seeds().organizations;
    let (first, second) = (&organizations[0], &organizations[1]);
    write(&bench, &["db-cql"]).await;
    let left = role_id(&bench).await;
    let name = kept(&bench, None)[0].name.clone();
    let moved = |token: &str| json!({"token": token, "url": bench.astra.url(), "force": true});
    let written = bench
        .write("config/default", moved(&second.root_token))
        .await;
    let warnings = written.unwrap().unwrap().warnings().to_vec();
    let expected = format!("custom Astra role of role app ({left})");
    assert!(
        warnings.iter().any(|warning| warning.contains(&expected)),
        "{warnings:?}"
    );

    let warnings = write(&bench, &["db-cql"]).await;
    assert_eq!(
        warnings,
        [format!(
            "the custom Astra role \"{name}\" ({left}) stays in organization {}, because config \
             \"default\" is now for {}: delete it there, or give the config a root token of that \
             organization again",
            first.id, second.id
        )]
    );
    let [there] = kept(&bench, Some(&second.id)).try_into().unwrap();
    assert_eq!(role_id(&bench).await, there.id);
    bench.tick().await;
    assert_eq!(kept(&bench, Some(&first.id)).len(), 1);
    assert_eq!(notes(&bench), 1);

    // Back in the first organization its custom role goes, and the other one waits.
    bench
        .write("config/default", moved(&first.root_token))
        .await
        .unwrap();
    bench.tick().await;
    assert_eq!(kept(&bench, Some(&first.id)), []);
    assert_eq!(kept(&bench, Some(&second.id)).len(), 1);
}

#[tokio::test]
async fn a_custom_role_waits_while_no_one_knows_which_organization_the_config_is_for() {
    let bench = AstraMount::configured().await;
    let organizations = bench.astra.seeds().organizations;
    write(&bench, &["db-cql"]).await;
    let left = role_id(&bench).await;
    bench
        .delete("config/default", json!({"force": true}))
        .await
        .unwrap();
    let untried = |org: usize| {
        let token = &organizations[org].root_token;
        json!({"token": token, "url": bench.astra.url(), "verify": false})
    };
    bench.write("config/default", untried(1)).await.unwrap();
    // The other organization's list would not show the custom role.
    let refused = refused(401, FaultBody::Errors, false);
    fault_once(&bench, "GET", "/v2/currentOrg", refused);
    let warnings = delete(&bench).await;
    assert!(warnings[0].contains("keeps its rights"), "{warnings:?}");
    assert_eq!((kept(&bench, None).len(), notes(&bench)), (1, 1));
    let back = bench.config(json!({"token": bench.another_root_token(), "force": true}));
    bench.write("config/default", back).await.unwrap();
    bench.tick().await;
    assert_eq!((by_id(&bench, &left), notes(&bench)), (None, 0));
}
