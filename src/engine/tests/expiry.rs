//! How long a token lives is what Astra's answer shows, whatever the clocks say.

use std::time::Duration;

use astra_emulator::Fault;
use astra_emulator::fault::FaultBody;
use serde_json::json;
use time::OffsetDateTime;

use crate::engine::testing::AstraMount;
use crate::engine::testing::Credential;
use crate::vault::Error;
use crate::vault::FailureStatus;

const YEAR: u64 = 31_536_000;
const HOUR: i64 = 3_600;

/// A mount whose role `reader` may be leased for two hours, and an emulator whose clock is `ahead` of this
/// node's.
async fn mount(ahead: i64, knobs: serde_json::Value) -> AstraMount {
    let mut mount = AstraMount::mounted().await;
    let role = json!({"ttl": "1h", "max_ttl": "2h"});
    mount.write("roles/reader", role).await.unwrap();
    match u64::try_from(ahead) {
        Ok(ahead) => mount.astra.advance_clock(Duration::from_secs(ahead)),
        Err(_) => mount.restart_ahead(Duration::from_secs(ahead.unsigned_abs())),
    }
    mount.astra.set_knobs(knobs).unwrap();
    mount
}

fn refused_once() -> Fault {
    Fault::Status {
        status: 400,
        body: FaultBody::Errors,
        retry_after: None,
        committed: false,
    }
}

/// How long `credential`'s token has still to live, by Astra's clock.
fn left(mount: &AstraMount, credential: &Credential, ahead: i64) -> i64 {
    let token = mount.astra.token(&credential.client_id).unwrap();
    let format = &time::format_description::well_known::Rfc3339;
    let expiry = OffsetDateTime::parse(token.token_expiry.as_deref().unwrap(), format).unwrap();
    (expiry - OffsetDateTime::now_utc()).whole_seconds() - ahead.max(0)
}

async fn assert_refused(mount: &AstraMount, words: &str) {
    match mount.mint("reader").await {
        Err(Error::Status {
            status: FailureStatus::BAD_GATEWAY,
            message,
        }) => assert!(message.contains(words), "{message}"),
        other => panic!("{other:?}"),
    }
    // A clock that is behind asks for an expiry in the past.
    mount.astra.clear_violations();
    mount.assert_clean(&[], "nothing is left of what was refused");
}

#[tokio::test]
async fn a_refused_expiry_does_not_lead_to_a_longer_life() {
    let mount = mount(0, json!({"org_max_token_expiry_s": YEAR})).await;
    mount.fault_once("POST", "*", refused_once());
    assert_refused(&mount, "later than the").await;
    let credential = mount.mint("reader").await.unwrap();
    mount.assert_clean(&[&credential], "the next one is as asked");
}

#[tokio::test]
async fn a_node_that_is_behind_gets_no_token_for_a_year() {
    let mount = mount(3 * HOUR, json!({"org_max_token_expiry_s": YEAR})).await;
    assert_refused(&mount, "compare this node's clock with Astra's").await;
}

#[tokio::test]
async fn a_changed_expiry_is_not_taken_for_the_one_asked_for() {
    for rewritten in [json!({"shift_s": 3_600}), json!({"life_s": YEAR})] {
        let mount = mount(0, json!({"rewrite_expiry": rewritten})).await;
        assert_refused(&mount, "the organization changes expiries").await;
    }
    let past = json!({"rewrite_expiry": {"shift_s": -20_000}});
    assert_refused(&mount(0, past).await, "which is at once").await;
    // An earlier one only shortens the lease.
    let mount = mount(0, json!({"rewrite_expiry": {"shift_s": -3_600}})).await;
    let credential = mount.mint("reader").await.unwrap();
    mount.assert_clean(&[&credential], "a shorter life");
    assert!(credential.lease.max_ttl < Duration::from_secs(3_700));
}

#[tokio::test]
async fn a_lease_is_as_long_as_its_token_whatever_the_clocks_say() {
    for mode in ["clamp", "refuse"] {
        for ahead in [-3 * HOUR, 0, 3 * HOUR] {
            let maximum =
                json!({"org_max_token_expiry_s": 3_600, "org_max_token_expiry_mode": mode});
            let mount = mount(ahead, maximum).await;
            let credential = mount.mint("reader").await.unwrap();
            let life = left(&mount, &credential, ahead);
            let lease = credential.lease.max_ttl.as_secs();
            assert!(life <= 3_600 && lease > 2_900, "{mode} {ahead}: {life}");
            assert!(lease < 3_600, "{mode} {ahead}: {lease}");
            // Renewals end before the token, too.
            let renewed = mount.renew(&credential).await.unwrap().unwrap();
            let renewed = renewed.lease().unwrap();
            assert!(renewed.ttl <= Duration::from_secs(3_000), "{renewed:?}");
            mount.revoke(&credential).await.unwrap();
            mount.astra.clear_violations();
            mount.assert_clean(&[], "the revocation deletes it");
        }
    }
}

#[tokio::test]
async fn a_node_that_is_ahead_is_told_of_and_one_behind_shortens_the_lease() {
    let ahead = mount(-3 * HOUR, json!({})).await;
    let credential = ahead.mint("reader").await.unwrap();
    let [warning] = credential.warnings.as_slice() else {
        panic!("{:?}", credential.warnings);
    };
    assert!(warning.starts_with("this node's clock is ahead of Astra's"));
    assert_eq!(credential.lease.ttl, Duration::from_secs(3_600));
    ahead.revoke(&credential).await.unwrap();
    ahead.assert_clean(&[], "its revocation deletes it");

    let behind = mount(HOUR, json!({})).await;
    let credential = behind.mint("reader").await.unwrap();
    behind.assert_clean(&[&credential], "behind");
    let life = left(&behind, &credential, HOUR);
    let lease = i64::try_from(credential.lease.max_ttl.as_secs()).unwrap();
    assert!(lease <= life - 500, "{lease} of {life}");
    assert!(
        credential
            .warnings
            .iter()
            .any(|warning| warning.ends_with("as this node's clock is behind Astra's")),
        "{:?}",
        credential.warnings
    );
}
