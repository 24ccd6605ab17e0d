//! An organization whose answers tell another time at which a token was made than the time of the answer, or
//! none: how young a token is and how long it lives must not depend on it.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::engine::Deadlines;
use crate::engine::testing::AstraMount;
use crate::engine::testing::Credential;
use crate::engine::testing::READER;
use crate::engine::testing::on_lease;
use crate::engine::testing::virtual_time;
use crate::engine::testing::warnings;
use crate::vault::Operation;

const CREATE: &str = "/v2/clientIdSecrets";
const HOUR: u64 = 3_600;
const YEAR: i64 = 365 * 86_400;

/// What answers tell: a year, an hour or 40 seconds away, none, and the right time.
fn echoes() -> Vec<Value> {
    let shifts = [-YEAR, -3_600, -40, -3, 40, 3_600, YEAR];
    let shifted = shifts.map(|seconds| json!({"shift_s": seconds}));
    let others = [json!("absent"), json!("stored")];
    shifted.into_iter().chain(others).collect()
}

/// A mount whose role `reader` may be leased for two hours.
async fn mount(knobs: Value) -> AstraMount {
    let mount = AstraMount::in_virtual_time(Deadlines::default());
    mount.mount().await;
    let role = json!({"ttl": "1h", "max_ttl": "2h"});
    mount.write("roles/reader", role).await.unwrap();
    mount.astra.set_knobs(knobs).unwrap();
    mount
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// What an hour at most looks like: no longer than the token, and not much shorter.
fn is_about_an_hour(credential: &Credential) -> bool {
    let longest = credential.lease.max_ttl.as_secs();
    (HOUR - 700..=HOUR).contains(&longest)
}

#[test]
fn the_absence_of_a_token_that_was_just_made_is_not_believed() {
    for echo in echoes() {
        for ahead in [0, 40] {
            virtual_time::run(1, async {
                let mut mount = mount(json!({
                    "generated_on_echo": echo,
                    "create_visible_after_ms": 20_000,
                    "create_visible_scope": "all",
                }))
                .await;
                let credential = mount.mint("reader").await.unwrap();
                if ahead > 0 {
                    mount.restart_ahead(Duration::from_secs(ahead));
                }
                pass(10).await;
                let error = mount.revoke(&credential).await.err().unwrap();
                assert!(error.to_string().contains("tried again"), "{echo}: {error}");
                assert!(mount.is_live(&credential.client_id), "{echo}");
                pass(21).await;
                mount.revoke(&credential).await.unwrap();
                mount.assert_clean(&[], &echo.to_string());
            });
        }
    }
}

/// Somebody deleted the token; also where nothing else would ever end its lease.
#[test]
fn the_revocation_of_a_token_that_is_gone_ends() {
    for echo in echoes() {
        for (ignores_expiry, restarts) in [(false, false), (false, true), (true, false)] {
            virtual_time::run(1, async {
                let mut mount = mount(json!({
                    "generated_on_echo": echo, "ignore_expiry": ignores_expiry,
                }))
                .await;
                let credential = mount.mint("reader").await.unwrap();
                mount.astra.revoke_token(&credential.client_id).unwrap();
                if restarts {
                    mount.restart();
                }
                pass(31).await;
                let revoked = mount.revoke(&credential).await;
                assert!(revoked.is_ok(), "{echo}: {:?}", revoked.err());
            });
        }
    }
}

/// The lease does not outlast its token, wherever this node's clock is.
#[test]
fn a_lease_lasts_as_long_as_its_token() {
    for echo in echoes() {
        for ahead in [0, 3 * HOUR] {
            virtual_time::run(1, async {
                let mut mount = mount(json!({
                    "generated_on_echo": echo,
                    "org_max_token_expiry_s": HOUR,
                    "org_max_token_expiry_mode": "clamp",
                }))
                .await;
                mount.restart_ahead(Duration::from_secs(ahead));
                let credential = mount.mint("reader").await.unwrap();
                let lease = &credential.lease;
                assert!(is_about_an_hour(&credential), "{echo}, {ahead}: {lease:?}");
                mount.assert_clean(&[&credential], &echo.to_string());
            });
        }
    }
}

/// Two times that are rewritten alike look like a clock that is ahead.
#[test]
fn a_longer_life_is_not_taken_where_both_times_are_rewritten() {
    for shift in [3_600, YEAR] {
        virtual_time::run(1, async {
            let mount = mount(json!({
                "generated_on_echo": {"shift_s": shift}, "rewrite_expiry": {"shift_s": shift},
            }))
            .await;
            let error = mount.mint("reader").await.unwrap_err().to_string();
            assert!(
                error.contains("the organization changes expiries"),
                "{error}"
            );
            mount.assert_clean(&[], "nothing is left of it");
        });
    }
}

#[test]
fn a_static_roles_token_that_was_just_made_is_not_given_up() {
    for echo in echoes() {
        for is_gone in [false, true] {
            virtual_time::run(1, async {
                let mount = mount(json!({
                    "generated_on_echo": echo,
                    "create_visible_after_ms": 20_000,
                    "create_visible_scope": "delete",
                }))
                .await;
                let role = json!({"astra_roles": READER, "rotation_period": "24h"});
                mount.write("static-roles/app", role).await.unwrap();
                if is_gone {
                    let creds = mount.read_data("static-creds/app").await;
                    let client_id = creds["client_id"].as_str().unwrap();
                    mount.astra.revoke_token(client_id).unwrap();
                    pass(31).await;
                } else {
                    let unlisted = json!({"create_visible_after_ms": 0, "list_stale_ms": 20_000});
                    mount.astra.set_knobs(unlisted).unwrap();
                }
                let deleted = mount.delete("static-roles/app", json!({})).await;
                let texts = warnings(deleted.unwrap());
                match texts.as_slice() {
                    [] => assert!(is_gone, "{echo}"),
                    [text] => {
                        assert!(
                            !is_gone && text.contains("it may still appear"),
                            "{echo}: {text}"
                        );
                    }
                    texts => panic!("{echo}: {texts:?}"),
                }
                pass(20).await;
                mount.tick().await;
                assert!(mount.live().is_empty(), "{echo}");
            });
        }
    }
}

/// A tick that takes an old token for one which Astra is about to end replaces it, and so does the next.
#[test]
fn a_static_role_is_rotated_once_in_the_life_of_its_token() {
    for echo in echoes() {
        virtual_time::run(1, async {
            let mount = mount(json!({
                "generated_on_echo": echo,
                "org_max_token_expiry_s": HOUR,
                "org_max_token_expiry_mode": "clamp",
            }))
            .await;
            let role = json!({"astra_roles": READER, "rotation_period": "24h"});
            mount.write("static-roles/app", role).await.unwrap();
            for minutes in 1..=60 {
                pass(60).await;
                mount.tick().await;
                let creds = mount.read_data("static-creds/app").await;
                let client_id = creds["client_id"].as_str().unwrap();
                assert!(mount.is_live(client_id), "{echo}: after {minutes} minutes");
            }
            assert_eq!(mount.requests("POST", CREATE), 2, "{echo}");
        });
    }
}

/// A lease tells a time that Astra's clock has not reached, as where something in front of Astra answered with
/// a wrong `Date` at the mint.
#[test]
fn a_stored_time_that_is_far_away_keeps_no_token_young() {
    for (away, is_told) in [(HOUR, true), (YEAR.unsigned_abs(), true), (0, false)] {
        virtual_time::run(1, async {
            let mount = mount(json!({"ignore_expiry": true})).await;
            let mut credential = mount.mint("reader").await.unwrap();
            let data = &mut credential.lease.internal_data;
            let minted = data["minted_at"].as_str().unwrap();
            let minted = OffsetDateTime::parse(minted, &Rfc3339).unwrap();
            if is_told {
                let told = (minted + Duration::from_secs(away))
                    .format(&Rfc3339)
                    .unwrap();
                data.insert("minted_by_astra".to_owned(), told.into());
            }
            mount.astra.revoke_token(&credential.client_id).unwrap();
            let young = mount.handle(on_lease(Operation::Revoke, &credential)).await;
            assert!(young.is_err(), "{away}");
            pass(31).await;
            mount.revoke(&credential).await.unwrap();
        });
    }
}
