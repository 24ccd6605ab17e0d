//! Leases: lines 47 to 53.

use std::time::Duration;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use vault_plugin_secrets_astra::proto::pb;

use crate::host::Host;
use crate::host::LONG;
use crate::host::Lease;
use crate::host::NANOS;
use crate::host::eventually;
use crate::host::internal;
use crate::host::lease_request;
use crate::host::now;
use crate::host::request;
use crate::upstream::with_reader;

const PATH: &str = "creds/reader";
const HOUR: i64 = 3_600;
const MAX_TTL: i64 = 8 * HOUR;

#[tokio::test]
async fn c47_a_credential_carries_a_complete_lease() {
    let (upstream, host, mount) = with_reader().await;
    for reply in [mount.read(PATH).await, mount.write(PATH, json!({})).await] {
        let lease = reply.lease();
        assert_eq!(lease.options.ttl, HOUR * NANOS);
        assert_eq!(lease.options.max_ttl, MAX_TTL * NANOS);
        assert!(lease.options.renewable);
        assert_eq!(lease.internal_data["secret_type"], "astra_token");
        let data = reply.data();
        for key in [
            "token",
            "client_id",
            "client_secret",
            "org_id",
            "expires_at",
        ] {
            assert!(
                data[key].as_str().is_some_and(|text| !text.is_empty()),
                "{key}"
            );
        }
        let inside = Value::Object(lease.internal_data).to_string();
        for secret in ["token", "client_secret"] {
            assert!(
                !inside.contains(data[secret].as_str().unwrap()),
                "{secret} is in the internal data"
            );
        }
    }
    assert_eq!(upstream.live(), 2);

    // A ttl in the request only shortens.
    let short = mount.write(PATH, json!({"ttl": "10m"})).await.lease();
    assert_eq!(short.ttl(), 600);
    let long = mount.write(PATH, json!({"ttl": "200h"})).await;
    assert!(long.is_error() || long.lease().ttl() <= HOUR);
    upstream.check().await;
    host.finish().await;
}

#[tokio::test]
async fn c48_renewing_keeps_the_lease_and_stays_below_its_maximum() {
    let (upstream, host, mount) = with_reader().await;
    let lease = mount.read(PATH).await.lease();
    let mut unbounded = lease.clone();
    unbounded
        .internal_data
        .insert("expires_at".to_owned(), Value::Null);
    for age in [0, HOUR, MAX_TTL - 60] {
        // An organization that ignores expiries leaves the lease's own limit.
        for lease in [aged(&lease, age), unbounded.clone()] {
            let request = lease_request("renew", PATH, lease.returned(now() - age, 2 * HOUR));
            let renewed = mount.client().send(request).await.lease();
            assert_eq!(renewed.internal_data, lease.internal_data);
            assert!(renewed.options.renewable);
            let left = MAX_TTL - age;
            let ttl = renewed.ttl();
            assert!(
                ttl > 0 && ttl <= left,
                "{ttl} s at age {age}, {left} s are left"
            );
            assert!(renewed.max_ttl() <= MAX_TTL, "{}", renewed.max_ttl());
        }
    }
    // Nothing but the mint reached the organization.
    assert_eq!((upstream.minted(), upstream.live()), (1, 1));
    upstream.check().await;
    host.finish().await;
}

/// The lease as if it and its token had been issued `age` seconds earlier.
fn aged(lease: &Lease, age: i64) -> Lease {
    let expiry = lease.internal_data["expires_at"].as_str().unwrap();
    let expiry = OffsetDateTime::parse(expiry, &Rfc3339).unwrap();
    let earlier = (expiry - time::Duration::seconds(age))
        .format(&Rfc3339)
        .unwrap();
    let mut aged = lease.clone();
    aged.internal_data
        .insert("expires_at".to_owned(), earlier.into());
    aged
}

#[tokio::test]
async fn c49_revoking_twice_or_too_late_succeeds() {
    let (upstream, host, mount) = with_reader().await;

    let twice = mount.read(PATH).await.lease();
    assert_eq!(upstream.live(), 1);
    mount.revoke(PATH, &twice).await.nothing();
    assert_eq!(upstream.live(), 0);
    mount.revoke(PATH, &twice).await.nothing();

    let vanished = mount.read(PATH).await;
    upstream.delete_by_hand(vanished.data()["client_id"].as_str().unwrap());
    assert_eq!(upstream.live(), 0);
    // Of a token so young the host has to ask again, as Astra may show it late.
    let mut lease = vanished.lease();
    let minted_at = lease.internal_data["minted_at"].as_str().unwrap();
    let minted_at = OffsetDateTime::parse(minted_at, &Rfc3339).unwrap();
    let text = |time: OffsetDateTime| Value::from(time.format(&Rfc3339).unwrap());
    let mut set_minted = |at: OffsetDateTime| {
        for field in ["minted_at", "minted_by_astra"] {
            lease.internal_data.insert(field.to_owned(), text(at));
        }
        lease.clone()
    };
    let lease = set_minted(minted_at + time::Duration::hours(1));
    let (_, refused) = mount.revoke(PATH, &lease).await.failure();
    assert!(refused.contains("has to be tried again"), "{refused}");
    let lease = set_minted(minted_at - time::Duration::hours(1));
    mount.revoke(PATH, &lease).await.nothing();
    host.finish().await;
}

#[tokio::test]
async fn c50_a_lease_of_an_older_layout_is_revoked() {
    let (upstream, host, mount) = with_reader().await;
    let credential = mount.read(PATH).await;
    let mut old = Map::new();
    old.insert("secret_type".to_owned(), "astra_token".into());
    old.insert(
        "client_id".to_owned(),
        credential.data()["client_id"].clone(),
    );
    old.insert("of_another_time".to_owned(), json!({"nested": [1, 2]}));
    let secret = pb::Secret {
        internal_data: Value::Object(old).to_string(),
        ..credential.lease().returned(now() - HOUR, 0)
    };
    let request = lease_request("revoke", PATH, secret);
    assert_eq!(request.data, "null");
    mount.client().send(request).await.nothing();
    assert_eq!(upstream.live(), 0);
    upstream.check().await;
    host.finish().await;
}

#[tokio::test]
async fn c51_an_outage_makes_a_revocation_retryable() {
    let (upstream, host, mount) = with_reader().await;
    let lease = mount.read(PATH).await.lease();
    for fault in [
        json!({"kind": "status", "status": 503}),
        json!({"kind": "status", "status": 401}),
        json!({"kind": "reset_before_commit"}),
        json!({"kind": "no_listen"}),
    ] {
        let fault = upstream.always("*", fault);
        let (kind, text) = mount.revoke(PATH, &lease).await.failure();
        assert_eq!(kind, 0, "{text}");
        assert_ne!(text, "cannot write to readonly storage");
        assert_eq!(upstream.live(), 1);
        upstream.remove_fault(fault);
    }
    mount.revoke(PATH, &lease).await.nothing();
    assert_eq!(upstream.live(), 0);
    host.finish().await;
}

#[tokio::test]
async fn c52_a_crash_between_mint_and_answer_leaves_nothing_after_the_next_rollback() {
    let (upstream, mut host, mount) = with_reader().await;
    let kept = mount.read(PATH).await;

    let read = request("read", PATH, Value::Null);
    upstream.kill_in_a_mint(&mut host, &mount, read, 2).await;

    let services = mount.services.clone();
    drop(mount);
    let mut host = Host::start().await;
    let mount = host.mount_on(services).await;
    mount.rollback().await.nothing();
    assert_eq!(upstream.live(), 1);
    mount.rollback().await.nothing();
    assert_eq!(upstream.deleted(), 1);
    // What was handed out before the crash is still revoked as ever.
    mount.revoke(PATH, &kept.lease()).await.nothing();
    assert_eq!(upstream.live(), 0);
    upstream.check().await;
    host.finish().await;
}

#[tokio::test]
async fn c52_a_request_that_the_host_repeats_after_a_crash_mints_once() {
    let (upstream, mut host, mount) = with_reader().await;
    let read = request("read", PATH, Value::Null);
    let again = read.clone();
    upstream.kill_in_a_mint(&mut host, &mount, read, 1).await;

    let services = mount.services.clone();
    drop(mount);
    let mut host = Host::start().await;
    let mount = host.mount_on(services).await;
    let credential = mount.client().send(again).await;
    assert_eq!((upstream.minted(), upstream.live()), (2, 1));
    mount.rollback().await.nothing();
    assert_eq!(upstream.live(), 1);
    mount.revoke(PATH, &credential.lease()).await.nothing();
    assert_eq!((upstream.deleted(), upstream.live()), (2, 0));
    upstream.check().await;
    host.finish().await;
}

#[tokio::test]
async fn c53_a_rollback_leaves_a_mint_in_flight_alone() {
    let (upstream, host, mount) = with_reader().await;
    upstream.slow_answer_to_mint(Duration::from_secs(2));
    let read = mount.read(PATH);
    let tick = async {
        eventually("the token", LONG, || upstream.live() == 1).await;
        for data in [Value::Null, json!({"immediate": true})] {
            mount
                .client()
                .send(internal("rollback", "", data))
                .await
                .nothing();
            assert_eq!((upstream.live(), upstream.deleted()), (1, 0));
        }
    };
    let (credential, ()) = tokio::join!(read, tick);
    let lease = credential.lease();
    mount.rollback().await.nothing();
    assert_eq!((upstream.live(), upstream.deleted()), (1, 0));
    mount.revoke(PATH, &lease).await.nothing();
    assert_eq!(upstream.live(), 0);
    upstream.check().await;
    host.finish().await;
}
