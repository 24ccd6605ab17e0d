//! `require_reason` and `max_active`.

use std::sync::Arc;
use std::time::Duration;

use astra_emulator::Fault;
use astra_emulator::fault::LatencyPoint;
use futures_util::future::join_all;
use serde_json::json;

use crate::engine::Deadlines;
use crate::engine::testing::AstraMount;
use crate::engine::testing::refused;
use crate::engine::testing::text;
use crate::engine::testing::virtual_time;
use crate::vault::Operation;

#[tokio::test]
async fn a_reason_may_be_required() {
    let mount = AstraMount::configured().await;
    let role = json!({"astra_roles": "RO User", "require_reason": true});
    mount.write("roles/app", role).await.unwrap();
    for data in [json!({}), json!({"reason": "  "})] {
        let outcome = mount.call(Operation::Read, "creds/app", data).await;
        assert_eq!(
            refused(outcome),
            "role \"app\" needs a reason: say why the credential is wanted, for instance vault \
             read astra/creds/app reason=OPS-1234"
        );
    }
    assert!(mount.astra.live_tokens().is_empty());
    let data = json!({"reason": "OPS-7"});
    let outcome = mount.call(Operation::Update, "creds/app", data).await;
    let credential = outcome.unwrap().unwrap();
    let token = mount.astra.token(&text(&credential, "client_id")).unwrap();
    assert!(
        token.description.contains("for OPS-7"),
        "{}",
        token.description
    );
}

/// Lists do not show for a while what was minted, nor that it was deleted.
#[test]
fn the_limit_holds_while_lists_are_behind() {
    virtual_time::run(1, async {
        let mount = AstraMount::in_virtual_time(Deadlines::default());
        mount.mount().await;
        let role = json!({"astra_roles": "RO User", "max_active": 2});
        mount.write("roles/app", role).await.unwrap();
        let knobs = json!({"create_visible_after_ms": 25_000, "create_visible_scope": "list"});
        mount.astra.set_knobs(knobs).unwrap();
        let first = mount.mint("app").await.unwrap();
        mount.mint("app").await.unwrap();
        for _ in 0..2 {
            let outcome = mount.call(Operation::Read, "creds/app", json!({})).await;
            assert!(refused(outcome).contains("(it has 2, its max_active is 2)"));
        }
        mount.revoke(&first).await.unwrap();
        mount.mint("app").await.unwrap();
        let outcome = mount.call(Operation::Read, "creds/app", json!({})).await;
        assert!(refused(outcome).contains("(it has 2, its max_active is 2)"));
        assert_eq!(mount.live().len(), 2);
    });
}

/// A list is as old as the moment at which it was asked for, however long it takes.
#[test]
fn the_limit_holds_while_a_list_is_slow() {
    virtual_time::run(1, async {
        let mount = AstraMount::in_virtual_time(Deadlines::default());
        mount.mount().await;
        let role = json!({"astra_roles": "RO User", "max_active": 1});
        mount.write("roles/app", role).await.unwrap();
        let knobs = json!({"create_visible_after_ms": 25_000, "create_visible_scope": "list"});
        mount.astra.set_knobs(knobs).unwrap();
        mount.mint("app").await.unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
        let slow = Fault::Latency {
            ms: 29_000,
            max_ms: None,
            at: LatencyPoint::AfterCommit,
        };
        mount.fault("GET", "/v2/clientIdSecrets", slow);
        let outcome = mount.call(Operation::Read, "creds/app", json!({})).await;
        assert!(refused(outcome).contains("(it has 1, its max_active is 1)"));
    });
}

#[tokio::test]
async fn the_limit_holds_and_an_ended_lease_makes_room() {
    let mut mount = AstraMount::configured().await;
    let role = json!({"astra_roles": "RO User", "max_active": 2});
    mount.write("roles/app", role.clone()).await.unwrap();
    mount.write("roles/other", role).await.unwrap();
    let first = mount.read_response("creds/app").await;
    mount.read_response("creds/app").await;
    mount.read_response("creds/other").await;
    let outcome = mount.call(Operation::Read, "creds/app", json!({})).await;
    assert_eq!(
        refused(outcome),
        "role \"app\" may have no more live tokens (it has 2, its max_active is 2): wait until a \
         lease ends, revoke leases that are not needed (vault lease revoke astra/creds/app/<id>; \
         tokens/default shows for whom they were minted), or raise max_active at roles/app"
    );
    mount.revoke(&first).await.unwrap();
    mount.read_response("creds/app").await;
    // A new process counts what its predecessor minted.
    mount.restart();
    let outcome = mount.call(Operation::Read, "creds/app", json!({})).await;
    assert!(refused(outcome).contains("(it has 2, its max_active is 2)"));
    assert_eq!(mount.astra.live_tokens().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mints_at_once_do_not_overshoot_and_use_what_is_allowed() {
    let mount = Arc::new(AstraMount::configured().await);
    let role = json!({"astra_roles": "RO User", "max_active": 5});
    mount.write("roles/app", role).await.unwrap();
    for _ in 0..5 {
        let reads = (0..20).map(|_| {
            let mount = Arc::clone(&mount);
            tokio::spawn(async move { mount.call(Operation::Read, "creds/app", json!({})).await })
        });
        let outcomes = join_all(reads).await;
        let credentials: Vec<_> = outcomes
            .into_iter()
            .filter_map(|outcome| match outcome.unwrap() {
                Ok(credential) => credential,
                Err(error) => {
                    assert!(error.to_string().contains("max_active is 5"), "{error}");
                    None
                }
            })
            .collect();
        assert_eq!(credentials.len(), 5);
        assert_eq!(mount.astra.live_tokens().len(), 5);
        for credential in &credentials {
            mount.revoke(credential).await.unwrap();
        }
    }
    assert!(mount.astra.live_tokens().is_empty());
}

#[tokio::test]
async fn a_limit_that_is_far_costs_one_list() {
    let mount = AstraMount::configured().await;
    let role = json!({"astra_roles": "RO User", "max_active": 1000});
    mount.write("roles/app", role).await.unwrap();
    mount.astra.clear_journal();
    for _ in 0..10 {
        mount.read_response("creds/app").await;
    }
    let journal = mount.astra.journal();
    let is_list = |path: &str| path == "/v2/clientIdSecrets";
    let lists = journal
        .iter()
        .filter(|entry| entry.method == "GET" && is_list(&entry.path))
        .count();
    assert_eq!(lists, 1, "{journal:#?}");
}

#[tokio::test]
async fn the_token_of_a_request_that_is_repeated_after_a_crash_does_not_count() {
    let mut mount = AstraMount::configured().await;
    let role = json!({"astra_roles": "RO User", "max_active": 1});
    mount.write("roles/app", role).await.unwrap();
    let first = mount.read_as("repeated", "creds/app").await;
    let first = text(&first.unwrap().unwrap(), "client_id");
    mount.restart();
    let second = mount.read_as("repeated", "creds/app").await;
    let second = text(&second.unwrap().unwrap(), "client_id");
    let live = mount.astra.live_tokens();
    let live: Vec<&String> = live.iter().map(|token| &token.client_id).collect();
    assert_eq!(live, [&second]);
    assert_ne!(first, second);
}

#[tokio::test]
async fn where_tokens_cannot_be_counted_the_answer_says_so() {
    let mount = AstraMount::configured().await;
    mount
        .astra
        .set_knobs(json!({"ignore_description": true}))
        .unwrap();
    let role = json!({"astra_roles": "RO User", "max_active": 1});
    mount.write("roles/app", role).await.unwrap();
    // One odd answer shows nothing of the organization.
    for is_told in [false, true] {
        let credential = mount.read_response("creds/app").await;
        let expected = "max_active of role \"app\" is not enforced: without descriptions its \
            tokens cannot be counted";
        let warnings = credential.warnings();
        assert_eq!(
            warnings.iter().any(|warning| warning == expected),
            is_told,
            "{warnings:?}"
        );
    }
    assert_eq!(mount.astra.live_tokens().len(), 2);
}

#[tokio::test]
async fn a_copied_description_does_not_count() {
    let mut mount = AstraMount::configured().await;
    let role = json!({"astra_roles": "RO User", "max_active": 2});
    mount.write("roles/app", role).await.unwrap();
    let first = mount.read_response("creds/app").await;
    let token = mount.astra.token(&text(&first, "client_id")).unwrap();
    for _ in 0..3 {
        let copy = astra_emulator::PortalToken {
            description: token.description.clone(),
            ..astra_emulator::PortalToken::default()
        };
        mount.astra.create_token(copy).unwrap();
    }
    mount.restart();
    mount.read_response("creds/app").await;
    let outcome = mount.call(Operation::Read, "creds/app", json!({})).await;
    assert!(refused(outcome).contains("(it has 2, its max_active is 2)"));
}
