//! Setup and instances: lines 26 to 34.

use std::time::Duration;
use std::time::Instant;

use futures_util::future::join_all;
use serde_json::Value;
use tonic::Code;

use crate::host::Client;
use crate::host::Host;
use crate::host::LONG;
use crate::host::Mode;
use crate::host::Services;
use crate::host::Verb;
use crate::host::eventually;
use crate::host::mount_config;
use crate::host::multiplex_id;
use crate::host::request;
use crate::upstream::Upstream;

#[tokio::test]
async fn c26_the_announcement_may_come_a_second_before_or_after_setup() {
    let mut host = Host::start().await;
    let second = Duration::from_secs(1);

    let (early, brokered) = host.offer(Services::default());
    host.announce(early, &brokered).await;
    tokio::time::sleep(second).await;
    let client = host.client(&multiplex_id());
    assert_eq!(Host::setup(&client, early, mount_config()).await, "");

    // The plugin waits five seconds, and a busy machine may announce later than that.
    let client = loop {
        let (late, brokered) = host.offer(Services::default());
        let client = host.client(&multiplex_id());
        let begun = Instant::now();
        let announce = async {
            tokio::time::sleep(second).await;
            host.announce(late, &brokered).await;
            begun.elapsed()
        };
        let (error, announced) = tokio::join!(Host::setup(&client, late, mount_config()), announce);
        if announced < 4 * second {
            assert_eq!(error, "");
            break client;
        }
    };
    assert_eq!(client.backend_type().await.unwrap(), 1);
    host.finish().await;
}

#[tokio::test]
async fn c27_without_an_announcement_setup_fails_after_five_seconds() {
    let mut host = Host::start().await;
    let mut best = Duration::MAX;
    // On a busy machine the best of many counts.
    for _ in 0..20 {
        let client = host.client(&multiplex_id());
        let begun = Instant::now();
        let error = Host::setup(&client, 77, mount_config()).await;
        best = best.min(begun.elapsed());
        assert!(!error.is_empty());
        if best < Duration::from_secs(8) {
            break;
        }
    }
    assert!((4_500..8_000).contains(&best.as_millis()), "{best:?}");
    host.mount().await.read("config").await.nothing();
    host.finish().await;
}

#[tokio::test]
async fn c28_setup_type_and_version_do_without_storage_and_system_view() {
    let mut host = Host::start().await;
    let services = Services::default();
    services.storage.set_mode(Mode::Missing);
    services.system.change(|facts| facts.missing = true);
    let mount = host.set_up(services.clone()).await;
    assert_eq!(mount.client().backend_type().await.unwrap(), 1);
    assert!(host.version(mount.client()).await.starts_with('v'));
    mount.client().special_paths().await.unwrap();
    assert!(
        services.storage.calls().is_empty(),
        "{:?}",
        services.storage.calls()
    );
    host.finish().await;
}

#[tokio::test]
async fn c29_type_and_special_paths_are_constant() {
    let mut host = Host::start().await;
    let mount = host.set_up(Services::default()).await;
    assert_eq!(mount.client().backend_type().await.unwrap(), 1);
    let first = mount.client().special_paths().await.unwrap();
    assert_eq!(first, mount.client().special_paths().await.unwrap());
    assert_eq!(
        first.seal_wrap_storage.first().map(String::as_str),
        Some("v1/config/")
    );
    assert!(first.unauthenticated.is_empty());
    // OpenBao and the host's own client do not know these.
    assert!(first.binary.is_empty() && first.write_forwarded_storage.is_empty());
    drop(mount);
    host.finish().await;
}

#[tokio::test]
async fn c30_a_mount_never_touches_the_storage_of_another() {
    let upstream = Upstream::start().await;
    let mut host = Host::start().await;
    let a = host.mount().await;
    let b = host.mount().await;
    let before = b.services.storage.calls();
    upstream.configure(&a).await;
    upstream.write_role(&a, "reader").await;
    let credential = a.read("creds/reader").await;
    a.revoke("creds/reader", &credential.lease())
        .await
        .nothing();
    a.rollback().await.nothing();
    assert_eq!(b.services.storage.calls(), before);
    assert!(b.services.storage.snapshot().is_empty());
    b.read("config").await.nothing();
    b.read("roles/reader").await.nothing();
    host.finish().await;
}

#[tokio::test]
async fn c31_unknown_instances_get_an_error_status() {
    let mut host = Host::start().await;
    for client in [host.client("neverSetUp"), host.client(""), host.anonymous()] {
        for status in every_call(&client).await {
            assert_ne!(status, Some(Code::Ok));
            assert_ne!(status, Some(Code::Unimplemented));
        }
    }
    host.mount().await.read("config").await.nothing();
    host.finish().await;
}

/// Every RPC of the engine's service except `Setup`; `None` for one that succeeded.
async fn every_call(client: &Client) -> [Option<Code>; 6] {
    fn code<T>(result: Result<T, tonic::Status>) -> Option<Code> {
        Some(result.map_or_else(|status| status.code(), |_| Code::Ok))
    }
    [
        code(
            client
                .try_send(request("read", "config", Value::Null))
                .await,
        ),
        code(
            client
                .exists(request("update", "config", Value::Null))
                .await,
        ),
        code(client.special_paths().await),
        code(client.initialize().await),
        code(client.backend_type().await),
        code(client.invalidate("v1/config/default").await),
    ]
}

#[tokio::test]
async fn c32_cleanup_ends_one_instance_only() {
    let mut host = Host::start().await;
    let a = host.mount().await;
    let b = host.mount().await;
    a.read("config").await.nothing();
    b.read("config").await.nothing();
    a.client().cleanup().await.unwrap();
    eventually("the end of the channel", LONG, || a.brokered.open() == 0).await;
    assert_eq!(a.services.storage.in_flight(), 0);
    let calls = a.services.storage.calls();
    a.client()
        .try_send(request("read", "config", Value::Null))
        .await
        .unwrap_err();
    b.read("roles/other").await.nothing();
    b.rollback().await.nothing();
    assert_eq!(b.brokered.open(), 1);
    let again = a.client().cleanup().await;
    assert!(
        again
            .as_ref()
            .err()
            .is_none_or(|status| status.code() != Code::Internal),
        "{again:?}"
    );
    b.read("config").await.nothing();
    assert_eq!(a.services.storage.calls(), calls);
    assert_eq!(a.brokered.open(), 0);
    drop(b);
    host.finish().await;
}

#[tokio::test]
async fn c33_three_hundred_requests_run_at_once() {
    let mut host = Host::start().await;
    let mount = host.mount().await;
    let storage = mount.services.storage.clone();
    let held = storage.hold(Verb::List);
    let requests = join_all((0..300).map(|_| mount.list("roles/")));
    let release = async {
        eventually("300 requests in the handler", LONG, || {
            storage.in_flight() == 300
        })
        .await;
        drop(held);
    };
    let (replies, ()) = tokio::join!(requests, release);
    assert_eq!(replies.len(), 300);
    for reply in replies {
        assert!(!reply.is_error(), "{reply:?}");
    }
    host.finish().await;
}

#[tokio::test]
async fn c34_registering_fifty_times_leaves_nothing_behind() {
    let mut host = Host::start().await;
    register(&mut host).await;
    let (files, threads) = (host.process.open_files(), host.process.threads());
    for _ in 0..50 {
        register(&mut host).await;
    }
    eventually("the sockets to be closed", LONG, || {
        host.process.open_files() <= files + 1
    })
    .await;
    // Threads for what blocks end when they have been idle for a while.
    eventually("the threads to end", LONG, || {
        host.process.threads() <= threads + 1
    })
    .await;
    host.mount().await.read("config").await.nothing();
    host.finish().await;
}

/// What a host does in a running process when the same plugin is registered again: there is no
/// `Cleanup` at the end, the host just forgets its side.
async fn register(host: &mut Host) {
    assert!(host.multiplexing().await);
    let services = Services::default();
    services.storage.set_mode(Mode::Missing);
    services.system.change(|facts| facts.missing = true);
    let client = host.client(&multiplex_id());
    let (id, brokered) = host.offer(services);
    host.announce(id, &brokered).await;
    assert_eq!(Host::setup(&client, id, Default::default()).await, "");
    assert!(host.version(&client).await.starts_with('v'));
    brokered.close();
}
