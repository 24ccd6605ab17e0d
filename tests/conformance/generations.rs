//! The same life of a mount on every kind of host, those that no test here can run included.

use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use crate::host::COMMUNITY;
use crate::host::GENERATIONS;
use crate::host::Generation;
use crate::host::Host;
use crate::host::LONG;
use crate::host::Mode;
use crate::host::Mount;
use crate::host::PERFORMANCE_STANDBY;
use crate::host::Services;
use crate::host::eventually;
use crate::host::lease_request;
use crate::host::multiplex_id;
use crate::host::now;
use crate::host::request;
use crate::upstream::Upstream;

const PATH: &str = "creds/reader";

#[tokio::test]
async fn every_generation_of_hosts_leases_renews_revokes_and_reloads() {
    for generation in GENERATIONS {
        println!("{}", generation.name);
        let upstream = Upstream::start().await;
        let services = generation.services();
        let mut host = start(&generation).await;
        let mount = mounted(&mut host, &generation, services.clone()).await;
        upstream.configure(&mount).await;
        upstream.write_role(&mount, "reader").await;
        let lease = mount.read(PATH).await.lease();
        let renewal = lease.returned(now(), 0);
        let renewed = mount
            .client()
            .send(lease_request("renew", PATH, renewal))
            .await
            .lease();
        mount.rollback().await.nothing();
        host.finish().await;

        // Another process of the same mount knows all of it.
        let mut host = start(&generation).await;
        drop(mount);
        let mount = mounted(&mut host, &generation, services.clone()).await;
        assert_eq!(mount.list("roles/").await.data()["keys"], json!(["reader"]));
        mount.revoke(PATH, &renewed).await.nothing();
        mount.read(PATH).await.lease();
        mount.rollback().await.nothing();
        assert_eq!((upstream.minted(), upstream.live()), (2, 1));
        if generation.heard {
            eventually("events", LONG, || services.events.sent().len() >= 4).await;
        }
        upstream.check().await;
        host.finish().await;
        let sent = services.events.sent();
        assert!(generation.heard || sent.is_empty(), "{sent:?}");
    }
}

async fn start(generation: &Generation) -> Host {
    let process = generation.launch().spawn();
    match generation.multiplexing {
        true => Host::attach(process).await,
        false => Host::attach_unasked(process).await,
    }
}

async fn mounted(host: &mut Host, generation: &Generation, services: Services) -> Mount {
    let client = match generation.multiplexing {
        true => host.client(&multiplex_id()),
        false => host.anonymous(),
    };
    host.mount_as(client, services).await
}

/// A performance standby runs the plugin with storage that it may only read; when the leader dies it takes
/// over, and what the leader left half done is its business from then on.
#[tokio::test]
async fn a_standby_forwards_and_clears_up_once_it_leads() {
    let upstream = Upstream::start().await;
    let mut leader = Host::start().await;
    let mount = leader.mount().await;
    upstream.configure(&mount).await;
    upstream.write_role(&mount, "reader").await;
    let kept = mount.read(PATH).await;
    let read = request("read", PATH, Value::Null);
    upstream.kill_in_a_mint(&mut leader, &mount, read, 2).await;

    let services = mount.services.clone();
    drop(mount);
    services.storage.set_mode(Mode::ReadOnly);
    services
        .system
        .change(|facts| facts.replication = PERFORMANCE_STANDBY);
    let mut standby = Host::start().await;
    let mount = standby.mount_on(services.clone()).await;
    let forwarded = (0, "cannot write to readonly storage".to_owned());
    for _ in 0..3 {
        assert_eq!(mount.read(PATH).await.failure(), forwarded);
        assert_eq!(mount.write("tidy", json!({})).await.failure(), forwarded);
        mount.rollback().await.nothing();
        mount.read("roles/reader").await.data();
    }
    assert_eq!((upstream.minted(), upstream.live()), (2, 2));

    services.storage.set_mode(Mode::Normal);
    services
        .system
        .change(|facts| facts.replication = COMMUNITY);
    // The plugin asks for the node's part a few times a second at most.
    let end = Instant::now() + LONG;
    while upstream.live() != 1 {
        assert!(Instant::now() < end, "the token of the dead leader is left");
        mount.rollback().await.nothing();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    mount.read(PATH).await.lease();
    mount.revoke(PATH, &kept.lease()).await.nothing();
    assert_eq!(upstream.live(), 1);
    upstream.check().await;
    standby.finish().await;
}
