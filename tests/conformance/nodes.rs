//! Nodes: lines 54 to 56.

use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use crate::host::COMMUNITY;
use crate::host::DR_SECONDARY;
use crate::host::LONG;
use crate::host::Mode;
use crate::host::Mount;
use crate::host::PERFORMANCE_SECONDARY;
use crate::host::PERFORMANCE_STANDBY;
use crate::host::Reply;
use crate::upstream::Upstream;
use crate::upstream::with_reader;

/// The text by which a host knows that another node has to do it.
const READ_ONLY: &str = "cannot write to readonly storage";

#[track_caller]
fn assert_read_only(reply: &Reply) {
    assert_eq!(reply.failure(), (0, READ_ONLY.to_owned()));
}

#[tokio::test]
async fn c54_a_node_that_may_not_write_mints_nothing() {
    let (upstream, host, mount) = with_reader().await;
    let lease = mount.read("creds/reader").await.lease();
    mount
        .write("static-roles/kept", static_role(&upstream))
        .await;
    mount.read("static-creds/kept").await.data();
    let requests = upstream.requests();
    let writes = mount.services.storage.writes();
    for state in [
        PERFORMANCE_STANDBY,
        PERFORMANCE_STANDBY + 8_192,
        PERFORMANCE_SECONDARY,
        DR_SECONDARY,
    ] {
        become_node(&mount, COMMUNITY, true).await;
        become_node(&mount, state, false).await;
        assert_read_only(&mount.read("creds/reader").await);
        assert_read_only(&mount.write("creds/reader", json!({})).await);
        assert_read_only(&mount.revoke("creds/reader", &lease).await);
        assert_read_only(&mount.write("config", upstream.config()).await);
        assert_read_only(&mount.write("rotate-root", json!({})).await);
        assert_read_only(
            &mount
                .write("static-roles/kept", static_role(&upstream))
                .await,
        );
        assert_read_only(&mount.write("rotate-role/kept", json!({})).await);
        assert_read_only(&mount.delete("static-roles/kept").await);
        assert_read_only(&mount.write("tidy", json!({})).await);
        mount.rollback().await.nothing();
    }
    assert_eq!(upstream.requests(), requests);
    assert_eq!(mount.services.storage.writes(), writes);
    // What needs no write is served.
    mount.read("static-creds/kept").await.data();

    // A mount that is local to a secondary cluster is written there.
    mount.services.system.change(|facts| facts.local = true);
    become_node(&mount, PERFORMANCE_SECONDARY, true).await;
    mount.read("creds/reader").await.lease();
    upstream.check().await;
    host.finish().await;
}

/// The fields of a static role that is rotated every hour.
fn static_role(upstream: &Upstream) -> Value {
    json!({"astra_roles": upstream.role_name(), "rotation_period": "1h", "overlap": "1m"})
}

/// Changes the node's part in its cluster and waits until the engine knows, which takes a fraction of
/// a second: it does not ask the host for every request.
async fn become_node(mount: &Mount, state: i32, writes: bool) {
    mount
        .services
        .system
        .change(|facts| facts.replication = state);
    let end = Instant::now() + LONG;
    loop {
        // This changes nothing on any node.
        let reply = mount.write("roles/none", json!({"config": "none"})).await;
        if (reply.error().is_none()) == writes {
            return;
        }
        assert!(
            Instant::now() < end,
            "the engine does not ask for the replication state"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn c55_read_only_storage_is_answered_with_its_own_text() {
    let (upstream, host, mount) = with_reader().await;
    let before = mount.services.storage.snapshot();
    mount.services.storage.set_mode(Mode::ReadOnly);
    assert_read_only(&mount.write("config", upstream.config()).await);
    assert_read_only(&mount.write("config/new", upstream.another_config()).await);
    assert_read_only(&mount.patch("config", json!({"request_timeout": 20})).await);
    assert_read_only(&mount.write("roles/reader", upstream.role()).await);
    assert_read_only(&mount.write("roles/new", upstream.role()).await);
    assert_read_only(&mount.delete("roles/reader").await);
    assert_read_only(&mount.read("creds/reader").await);
    assert_read_only(&mount.write("creds/reader", json!({})).await);
    assert_read_only(
        &mount
            .write("static-roles/new", static_role(&upstream))
            .await,
    );
    assert_read_only(&mount.write("rotate-root", json!({})).await);
    assert_eq!(mount.services.storage.snapshot(), before);
    assert_eq!(upstream.live(), 0);
    // Reading goes on.
    mount.read("roles/reader").await.data();
    host.finish().await;
}

#[tokio::test]
async fn c56_an_invalidated_entry_is_read_again() {
    let (_upstream, host, mount) = with_reader().await;
    mount.read("config").await.data();
    mount.read("roles/reader").await.data();

    edit(&mount, "v1/config/default", "request_timeout", json!(17));
    mount
        .client()
        .invalidate("v1/config/default")
        .await
        .unwrap();
    assert_eq!(
        mount.read("config").await.data()["request_timeout"],
        json!(17)
    );

    edit(&mount, "v1/role/reader", "ttl", json!(1_234));
    mount.client().invalidate("v1/role/reader").await.unwrap();
    assert_eq!(mount.read("roles/reader").await.data()["ttl"], json!(1_234));
    assert_eq!(mount.read("creds/reader").await.lease().ttl(), 1_234);

    mount.client().invalidate("no/such/key").await.unwrap();
    mount.client().invalidate("").await.unwrap();
    host.finish().await;
}

/// Changes one field of a stored entry, as another node does.
fn edit(mount: &Mount, key: &str, field: &str, value: Value) {
    let storage = &mount.services.storage;
    let stored = storage
        .get(key)
        .unwrap_or_else(|| panic!("{key} is not stored: {:?}", storage.keys()));
    let mut entry: Value = serde_json::from_slice(&stored).unwrap();
    entry[field] = value;
    storage.put(key, entry.to_string());
}
