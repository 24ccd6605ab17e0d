//! The current token: it works when it is served, it is looked for in Astra, and costs no more than it must.

use std::time::Duration;

use astra_emulator::Fault;
use astra_emulator::FaultRule;
use astra_emulator::fault::FaultBody;
use astra_emulator::fault::LatencyPoint;
use serde_json::Value;
use serde_json::json;
use tokio::time::Instant;

use super::creds;
use super::current;
use super::refused;
use super::role;
use super::text;
use crate::astra::Deadline;
use crate::engine::Deadlines;
use crate::engine::testing::AstraMount;
use crate::engine::testing::virtual_time;
use crate::secret::Secret;
use crate::vault::Storage;

const LIST: &str = "/v2/clientIdSecrets";

/// So old a token has to be listed.
const LISTED: Duration = Duration::from_secs(121);

async fn with_role() -> AstraMount {
    let mount = AstraMount::in_virtual_time(Deadlines::default());
    mount.mount().await;
    mount.write("static-roles/app", role()).await.unwrap();
    mount
}

/// Whether Astra takes the token that is served now.
async fn works(mount: &AstraMount) -> bool {
    let configs = &mount.backend.engine.configs;
    let mut entry = configs.require("default").await.unwrap().entry.clone();
    let token = text(&creds(mount).await, "token").to_owned();
    entry.token = Secret::new(token);
    let deadline = Deadline::after(Duration::from_secs(10));
    entry.client().unwrap().current_org(deadline).await.is_ok()
}

#[test]
fn a_token_is_served_once_it_works() {
    virtual_time::run(1, async {
        let mount = with_role().await;
        let first = current(&mount).await;
        let late = json!({"create_visible_after_ms": 5_000, "create_visible_scope": "auth"});
        mount.astra.set_knobs(late).unwrap();
        mount.write("rotate-role/app", json!({})).await.unwrap();
        assert_ne!(current(&mount).await, first);
        assert!(works(&mount).await);
    });
}

/// A tick sees that its token is gone, and comes to the role after its deletion, which leaves another token.
#[test]
fn a_role_that_is_deleted_while_its_token_is_looked_for_stays_deleted() {
    // One of them is while the tick waits for the list.
    for seconds in 1..12 {
        virtual_time::run(1, async {
            let mut mount = with_role().await;
            let first = current(&mount).await;
            mount.write("rotate-role/app", json!({})).await.unwrap();
            tokio::time::sleep(LISTED).await;
            mount.restart();
            let late = Fault::Latency {
                ms: 3_000,
                max_ms: None,
                at: LatencyPoint::default(),
            };
            mount.fault("GET", LIST, late);
            let refusal = Fault::Status {
                // No list is asked whether it is gone.
                status: 418,
                body: FaultBody::String,
                retry_after: None,
                committed: false,
            };
            mount.fault("DELETE", &format!("{LIST}/{first}"), refusal);
            let delete = async {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                mount.delete("static-roles/app", json!({})).await.unwrap();
            };
            tokio::join!(mount.tick(), delete);
            assert!(mount.read("static-roles/app").await.is_none(), "{seconds}");
            mount.astra.clear_faults();
            tokio::time::sleep(LISTED).await;
            mount.tick().await;
            assert_eq!(mount.live(), [""; 0], "{seconds}");
        });
    }
}

/// The list of an organization that the config was moved to shows nothing of a token that is in another.
#[test]
fn a_token_in_an_organization_that_its_config_has_left_does_not_count_as_gone() {
    virtual_time::run(1, async {
        let mut mount = with_role().await;
        let first = current(&mount).await;
        let there = mount.astra.seeds().organizations[1].root_token.clone();
        mount
            .write_config("other", &mount.another_root_token())
            .await;
        tokio::time::sleep(LISTED).await;
        let moved = mount.config(json!({"token": there, "force": true}));
        mount.write("config", moved).await.unwrap();
        mount.restart();
        let lists = mount.requests("GET", LIST);
        for _ in 0..2 {
            mount.tick().await;
        }
        assert_eq!(current(&mount).await, first);
        assert!(mount.is_live(&first));
        assert_eq!(mount.requests("GET", LIST), lists);
    });
}

/// No one waits long for a new token because an old one is in an organization that hangs.
#[test]
fn a_rotation_does_not_wait_for_the_organization_of_an_old_token() {
    virtual_time::run(1, async {
        let mount = with_role().await;
        let overlap = json!({"overlap": 60});
        mount.patch("static-roles/app", overlap).await.unwrap();
        let orgs = mount.astra.seeds().organizations;
        mount
            .write_config("other", &mount.another_root_token())
            .await;
        let moved = mount.config(json!({"token": orgs[1].root_token, "force": true}));
        mount.write("config", moved).await.unwrap();
        mount.write("rotate-role/app", json!({})).await.unwrap();
        tokio::time::sleep(Duration::from_secs(61)).await;
        let hang = FaultRule::new(Fault::Hang { committed: false });
        mount.astra.add_fault(hang.of_org(&orgs[0].id)).unwrap();
        let began = Instant::now();
        mount.write("rotate-role/app", json!({})).await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(15));
    });
}

/// Of two configs that could delete an old token the first one's root token gets no answer.
#[test]
fn a_root_token_that_hangs_leaves_time_to_that_of_another_config() {
    virtual_time::run(1, async {
        let mount = with_role().await;
        let first = current(&mount).await;
        let overlap = json!({"overlap": 0});
        mount.patch("static-roles/app", overlap).await.unwrap();
        let there = mount.astra.seeds().organizations[1].root_token.clone();
        for name in ["a", "b"] {
            let token = mount.another_root_token();
            mount.write_config(name, &token).await;
        }
        let read = mount.read_data("config/a").await;
        let mut rule = FaultRule::new(Fault::Hang { committed: false });
        rule.matcher.client_id = Some(text(&read, "token_client_id").to_owned());
        mount.astra.add_fault(rule).unwrap();
        let moved = mount.config(json!({"token": there, "force": true}));
        mount.write("config", moved).await.unwrap();
        mount.write("rotate-role/app", json!({})).await.unwrap();
        mount.tick().await;
        assert!(!mount.is_live(&first));
    });
}

/// What is refused of a write says nothing of the rotation of what is stored.
#[test]
fn a_write_that_is_refused_does_not_put_the_rotation_off() {
    virtual_time::run(1, async {
        let mount = with_role().await;
        let first = current(&mount).await;
        mount.fault("POST", LIST, refused());
        tokio::time::sleep(Duration::from_secs(86_300)).await;
        for _ in 0..8 {
            let other = json!({"astra_roles": "RO User"});
            assert!(mount.patch("static-roles/app", other).await.is_err());
        }
        let read = mount.read_data("static-roles/app").await;
        assert_eq!(read["rotation_error"], json!(""));
        mount.astra.clear_faults();
        tokio::time::sleep(Duration::from_secs(101)).await;
        mount.tick().await;
        assert_ne!(current(&mount).await, first);
    });
}

#[test]
fn a_token_that_never_works_is_not_served_and_not_left() {
    virtual_time::run(1, async {
        let mount = with_role().await;
        let first = current(&mount).await;
        let never = json!({"create_visible_after_ms": 600_000, "create_visible_scope": "auth"});
        mount.astra.set_knobs(never).unwrap();
        let before = mount.all_requests();
        let rotated = mount.write("rotate-role/app", json!({})).await;
        assert!(rotated.is_err());
        assert_eq!(mount.live(), [first]);
        // It was tried as often as there are waits, and not without them.
        let tried = mount.all_requests() - before;
        assert!((8..30).contains(&tried), "{tried}");
    });
}

#[test]
fn a_token_is_looked_for_when_it_is_old_enough_and_then_once_an_hour() {
    virtual_time::run(1, async {
        let mount = with_role().await;
        let lists = async || {
            let before = mount.requests("GET", LIST);
            mount.tick().await;
            mount.requests("GET", LIST) - before
        };
        assert_eq!(lists().await, 0, "it may not be listed yet");
        tokio::time::sleep(LISTED).await;
        assert_eq!(lists().await, 1);
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_secs(600)).await;
            assert_eq!(lists().await, 0, "it was seen");
        }
        tokio::time::sleep(Duration::from_secs(1_801)).await;
        assert_eq!(lists().await, 1);
    });
}

#[test]
fn a_token_that_is_listed_stays_although_the_organization_keeps_no_descriptions() {
    virtual_time::run(1, async {
        let mount = AstraMount::in_virtual_time(Deadlines::default());
        mount.mount().await;
        let ignores = json!({"ignore_description": true});
        mount.astra.set_knobs(ignores).unwrap();
        mount.write("static-roles/app", role()).await.unwrap();
        let first = current(&mount).await;
        tokio::time::sleep(LISTED).await;
        mount.tick().await;
        assert_eq!(current(&mount).await, first);
        assert_eq!(mount.live(), [first]);
    });
}

/// Clients poll it: nothing but memory is asked.
#[test]
fn a_read_asks_neither_storage_nor_astra() {
    virtual_time::run(1, async {
        let mount = with_role().await;
        creds(&mount).await;
        let (storage, astra) = (mount.storage.operations(), mount.all_requests());
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_secs(600)).await;
            creds(&mount).await;
        }
        assert_eq!(mount.storage.operations(), storage);
        assert_eq!(mount.all_requests(), astra);
    });
}

/// A rotation that the end of the tick would break off is left to the next one, and is no failure.
#[test]
fn a_tick_begins_no_rotation_for_which_it_has_no_time() {
    virtual_time::run(1, async {
        let mount = AstraMount::in_virtual_time(Deadlines::default());
        mount.mount().await;
        const ROLES: usize = 9;
        for n in 0..ROLES {
            let path = format!("static-roles/app{n}");
            mount.write(&path, role()).await.unwrap();
        }
        mount.backend.engine.clock.advance(super::DAY);
        let slow = Fault::Latency {
            ms: 20_000,
            max_ms: None,
            at: LatencyPoint::Before,
        };
        mount.fault("POST", LIST, slow);
        let rotations = async || {
            let before = mount.requests("POST", LIST);
            mount.tick().await;
            mount.requests("POST", LIST) - before
        };
        // Four at once, twice, within 40 s of the tick's 55 s.
        assert_eq!(rotations().await, 8);
        for n in 0..ROLES {
            let shown = mount.read_data(&format!("static-roles/app{n}")).await;
            assert_eq!(shown["rotation_error"], json!(""), "{n}");
        }
        assert_eq!(rotations().await, 1);
    });
}

/// What another version may have left.
#[test]
fn a_deleted_role_that_names_no_token_goes() {
    virtual_time::run(1, async {
        let mut mount = with_role().await;
        let key = "v1/static-role/app";
        let mut entry = mount.storage.get(key).await.unwrap().unwrap();
        let mut stored: Value = serde_json::from_slice(&entry.value).unwrap();
        stored["current"] = Value::Null;
        entry.value = serde_json::to_vec(&stored).unwrap();
        mount.storage.put(entry).await.unwrap();
        mount.restart();
        mount.tick().await;
        assert!(!mount.storage.keys().contains(&key.to_owned()));
    });
}

/// An operator deleted the token in Astra: nothing is left to wait for.  Older versions did not note its
/// organization.
#[test]
fn a_role_whose_token_is_long_gone_from_astra_goes_at_once() {
    virtual_time::run(1, async {
        for org_is_noted in [true, false] {
            let mut mount = with_role().await;
            let key = "v1/static-role/app";
            if !org_is_noted {
                let mut entry = mount.storage.get(key).await.unwrap().unwrap();
                let mut stored: Value = serde_json::from_slice(&entry.value).unwrap();
                stored["current"]["org_id"] = json!("");
                entry.value = serde_json::to_vec(&stored).unwrap();
                mount.storage.put(entry).await.unwrap();
                mount.restart();
            }
            tokio::time::sleep(LISTED).await;
            mount.astra.revoke_token(&current(&mount).await).unwrap();
            assert_eq!(super::delete(&mount).await, Vec::<String>::new());
            assert!(!mount.storage.keys().contains(&key.to_owned()));
        }
    });
}
