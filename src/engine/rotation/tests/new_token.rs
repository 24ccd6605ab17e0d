//! What a new root token must be, and do, before it takes the place of the present one.

use std::cmp::Ordering;

use astra_emulator::PortalToken;
use serde_json::Value;
use serde_json::json;

use super::root_of;
use super::rotate;
use crate::engine::Deadlines;
use crate::engine::testing::AstraMount;
use crate::engine::testing::change_answers;
use crate::engine::testing::virtual_time;
use crate::vault::Storage;

/// The stored config `default`.
async fn stored(mount: &AstraMount) -> Value {
    let entry = mount.storage.get("v1/config/default").await.unwrap();
    serde_json::from_slice(&entry.unwrap().value).unwrap()
}

/// A new token that ends too soon for the next tick is taken only if the present one does not end later.
#[test]
fn no_rotation_brings_the_end_of_the_root_token_nearer() {
    virtual_time::run(1, async {
        let mut outcomes = Vec::new();
        for life in 94..=106 {
            let mount = AstraMount::in_virtual_time(Deadlines::default());
            mount.mount().await;
            let roles = mount.astra.seeds().tokens["org_admin"].roles.clone();
            let ending = PortalToken {
                roles,
                expires_in_s: Some(100),
                ..PortalToken::default()
            };
            let present = mount.astra.create_token(ending).unwrap();
            mount.write_config("default", &present.token).await;
            let knobs = json!({"rewrite_expiry": {"life_s": life}});
            mount.astra.set_knobs(knobs).unwrap();
            let is_taken = rotate(&mount).await.is_ok();
            let end = |client_id: &str| mount.astra.token(client_id).unwrap().token_expiry;
            let made = mount.astra.tokens(false).into_iter();
            let made = made.filter(|token| token.minted_by.as_deref() == Some(&present.client_id));
            let [made] = &made.collect::<Vec<_>>()[..] else {
                panic!("one token is made");
            };
            let (old, new) = (
                end(&present.client_id).unwrap(),
                end(&made.client_id).unwrap(),
            );
            assert_eq!(is_taken, new >= old, "{new} in place of {old}");
            assert!(mount.is_live(&root_of(&mount).await));
            outcomes.push(new.cmp(&old));
        }
        // The list was long enough.
        outcomes.dedup();
        assert_eq!(outcomes, [Ordering::Less, Ordering::Greater]);
    });
}

/// An untried config does not say which organization it is for: the present root token does.
#[test]
fn a_token_of_another_organization_does_not_become_the_root_token() {
    virtual_time::run(1, async {
        let mount = AstraMount::in_virtual_time(Deadlines::default());
        let own = mount.astra.root_token();
        let other = mount.astra.seeds().organizations[2].id.clone();
        change_answers(&mount.astra, move |request, answer| {
            let with = request.headers()[http::header::AUTHORIZATION].to_str();
            if request.uri().path() == "/v2/currentOrg" && !with.unwrap().contains(&own) {
                answer["id"] = json!(other);
            }
        });
        let untried = mount.config(json!({"verify": false}));
        mount.write("config", untried).await.unwrap();
        let first = root_of(&mount).await;
        let error = rotate(&mount).await.err().unwrap().to_string();
        assert!(error.contains("organization"), "{error}");
        assert_eq!(root_of(&mount).await, first);
        assert!(mount.live().is_empty());
    });
}

#[test]
fn a_token_that_does_not_work_is_tried_only_as_often_as_there_are_waits() {
    virtual_time::run(1, async {
        let mount = AstraMount::in_virtual_time(Deadlines::default());
        mount.mount().await;
        let never = json!({"create_visible_after_ms": 600_000, "create_visible_scope": "auth"});
        mount.astra.set_knobs(never).unwrap();
        let before = mount.all_requests();
        assert!(rotate(&mount).await.is_err());
        let tried = mount.all_requests() - before;
        assert!((8..30).contains(&tried), "{tried}");
        assert!(mount.live().is_empty());
    });
}

#[test]
fn a_rotation_leaves_nothing_to_do() {
    virtual_time::run(1, async {
        let mount = AstraMount::in_virtual_time(Deadlines::default());
        mount.mount().await;
        rotate(&mount).await.unwrap();
        assert_eq!(stored(&mount).await["pending_delete"], json!([]));
        let deletions = mount.requests("DELETE", "");
        mount.tick().await;
        assert_eq!(mount.requests("DELETE", ""), deletions);
    });
}

/// The end follows from the schedule and goes with it, also where an older version wrote the entry, which did
/// not note how long the token was asked to last.
#[test]
fn an_end_that_the_schedule_gave_goes_with_the_schedule() {
    virtual_time::run(1, async {
        let mut mount = AstraMount::in_virtual_time(Deadlines::default());
        mount.mount().await;
        let end = async |mount: &AstraMount| {
            let root = mount.astra.token(&root_of(mount).await).unwrap();
            root.token_expiry
        };
        let period = json!({"rotation_period": "30d"});
        mount.write("config", period).await.unwrap();
        rotate(&mount).await.unwrap();
        assert!(end(&mount).await.is_some());
        let key = "v1/config/default";
        let mut entry = mount.storage.get(key).await.unwrap().unwrap();
        let mut older = stored(&mount).await;
        older.as_object_mut().unwrap().remove("root_life").unwrap();
        entry.value = serde_json::to_vec(&older).unwrap();
        mount.storage.put(entry).await.unwrap();
        mount.restart();
        let suspended = json!({"disable_automated_rotation": true});
        mount.write("config", suspended).await.unwrap();
        rotate(&mount).await.unwrap();
        assert_eq!(end(&mount).await, None);
    });
}
