//! Several mounts in one process.

use std::time::Duration;
use std::time::Instant;

use tokio_stream::StreamExt as _;
use tonic::Code;
use tonic::Request;

use super::backend::in_flight;
use super::backend::reaches;
use super::host::Host;
use super::host::arguments;
use super::host::named;
use super::storage::Mode;
use super::storage::Verb;
use crate::plugin::instance::MULTIPLEX_ID;
use crate::proto::grpc::health::v1::HealthCheckRequest;
use crate::proto::grpc::health::v1::health_client::HealthClient;
use crate::proto::logical;
use crate::proto::logical::plugin_version_client::PluginVersionClient;
use crate::proto::pb;
use crate::proto::plugin::grpc_stdio_client::GrpcStdioClient;
use crate::proto::pluginutil::multiplexing::MultiplexingSupportRequest;
use crate::proto::pluginutil::multiplexing::plugin_multiplexing_client::PluginMultiplexingClient;

#[tokio::test]
async fn the_small_services_answer_before_any_set_up() {
    let host = Host::start().await;
    let mut multiplexing = PluginMultiplexingClient::new(host.channel.clone());
    assert!(
        multiplexing
            .multiplexing_support(MultiplexingSupportRequest {})
            .await
            .unwrap()
            .into_inner()
            .supported
    );
    let mut version = PluginVersionClient::new(host.channel.clone());
    assert_eq!(
        version
            .version(logical::Empty {})
            .await
            .unwrap()
            .into_inner()
            .plugin_version,
        "v1.2.3"
    );

    let mut health = HealthClient::new(host.channel.clone());
    let ask = |service: &str| HealthCheckRequest {
        service: service.to_owned(),
    };
    assert_eq!(
        health
            .check(ask("plugin"))
            .await
            .unwrap()
            .into_inner()
            .status,
        1
    );
    assert_eq!(
        health.check(ask("other")).await.unwrap_err().code(),
        Code::NotFound
    );
    let mut known = health.watch(ask("plugin")).await.unwrap().into_inner();
    assert_eq!(known.next().await.unwrap().unwrap().status, 1);
    let mut unknown = health.watch(ask("other")).await.unwrap().into_inner();
    assert_eq!(unknown.next().await.unwrap().unwrap().status, 3);

    let mut stdio = GrpcStdioClient::new(host.channel.clone())
        .stream_stdio(())
        .await
        .unwrap()
        .into_inner();
    let silence = tokio::time::timeout(Duration::from_millis(50), stdio.next()).await;
    assert!(silence.is_err(), "the stream stays open and silent");
}

#[tokio::test]
async fn the_announcement_may_come_late_or_not_at_all() {
    let mut host = Host::start().await;
    let identity = std::sync::Arc::clone(&host.identity);
    let late = host.serve_mount("late", &identity);
    let announce = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        host.announce(late.broker_id, &late.proxy.socket).await;
    };
    let (set_up, ()) = tokio::join!(host.setup(&late), announce);
    set_up.unwrap();

    let never = host.serve_mount("never", &identity);
    let start = Instant::now();
    let error = host.setup(&never).await.unwrap_err();
    assert!(error.contains("did not announce"), "{error}");
    assert!(start.elapsed() >= Duration::from_secs(4));
    host.mount("next").await;
}

#[tokio::test]
async fn nothing_is_asked_of_the_host_at_registration() {
    let mut host = Host::start().await;
    let identity = std::sync::Arc::clone(&host.identity);
    let mount = host.serve_mount("a", &identity);
    mount.storage.set_mode(Mode::Missing);
    mount.system.change(|facts| facts.missing = true);
    host.announce(mount.broker_id, &mount.proxy.socket).await;
    host.setup(&mount).await.unwrap();
    let kind = host
        .backend()
        .r#type(named(pb::Empty {}, "a"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(kind.r#type, 1);
    for _ in 0..2 {
        let paths = host
            .backend()
            .special_paths(named(pb::Empty {}, "a"))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(paths.paths.unwrap().seal_wrap_storage, ["config"]);
    }
    let reply = host
        .backend()
        .initialize(named(pb::InitializeArgs {}, "a"))
        .await
        .unwrap()
        .into_inner();
    assert!(
        reply
            .err
            .unwrap()
            .err_msg
            .contains("missing storage implementation")
    );
}

#[tokio::test]
async fn registrations_leave_nothing_behind() {
    let mut host = Host::start().await;
    for round in 0..50 {
        let mount = host.mount(&format!("registration-{round}")).await;
        mount.proxy.has_open(0).await;
    }
}

#[tokio::test]
async fn mounts_do_not_see_each_other() {
    let mut host = Host::start().await;
    let (a, b) = (host.mount("a").await, host.mount("b").await);
    let reply = host
        .request("a", "update", "put/x", r#"{"value":"of a"}"#)
        .await
        .unwrap();
    assert_eq!((reply.response, reply.err), (None, None));
    assert_eq!(
        host.read("a", "get/x").await.response.unwrap().data,
        r#"{"value":"of a"}"#
    );
    assert_eq!(host.read("b", "get/x").await.response, None);
    assert_eq!(a.storage.keys(), ["x"]);
    assert!(b.storage.keys().is_empty());
    assert_eq!(a.storage.count(Verb::Get), 1);
    assert_eq!(b.storage.count(Verb::Get), 1);
}

#[tokio::test]
async fn names_are_checked() {
    let mut host = Host::start().await;
    assert_eq!(
        host.request("x", "read", "echo", "null")
            .await
            .unwrap_err()
            .code(),
        Code::Unknown
    );
    assert_eq!(
        host.request("", "read", "echo", "null")
            .await
            .unwrap_err()
            .code(),
        Code::Unknown
    );
    let mount = host.mount("").await;
    assert!(
        host.read("", "echo").await.response.is_some(),
        "no name is the name of the only instance"
    );
    assert!(
        host.read("x", "echo").await.response.is_some(),
        "and it stands in for unknown ones"
    );
    for values in [vec![""], vec!["a", "b"]] {
        let mut request = Request::new(arguments("read", "echo", "null"));
        for value in values {
            request
                .metadata_mut()
                .append(MULTIPLEX_ID, value.parse().unwrap());
        }
        let status = host.backend().handle_request(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
    }
    drop(mount);
}

#[tokio::test]
async fn cleaning_up_one_mount_leaves_the_others() {
    let mut host = Host::start().await;
    let (a, b) = (host.mount("a").await, host.mount("b").await);
    host.read("a", "get/x").await;
    host.read("b", "get/x").await;
    a.proxy.has_open(1).await;
    for _ in 0..2 {
        host.backend()
            .cleanup(named(pb::Empty {}, "a"))
            .await
            .unwrap();
    }
    a.proxy.has_open(0).await;
    assert_eq!(*host.counters.cleaned.borrow(), 1);
    assert_eq!(
        host.request("a", "read", "echo", "null")
            .await
            .unwrap_err()
            .code(),
        Code::Unknown
    );
    b.proxy.has_open(1).await;
    assert!(host.read("b", "echo").await.response.is_some());
}

#[tokio::test]
async fn setting_up_again_replaces() {
    let mut host = Host::start().await;
    let old = host.mount("a").await;
    host.read("a", "get/x").await;
    let new = host.mount("a").await;
    reaches(&host.counters.cleaned, 1).await;
    old.proxy.has_open(0).await;
    host.read("a", "get/x").await;
    assert_eq!(old.storage.count(Verb::Get), 1);
    assert_eq!(new.storage.count(Verb::Get), 1);
}

#[tokio::test]
async fn cleaning_up_ends_storage_calls_that_run() {
    let mut host = Host::start().await;
    let mount = host.mount("a").await;
    let _held = mount.storage.hold(Verb::Get);
    let mut client = host.backend();
    let reading = tokio::spawn(async move {
        client
            .handle_request(named(arguments("read", "get/x", "null"), "a"))
            .await
            .unwrap()
            .into_inner()
    });
    in_flight(&mount.storage, 1).await;
    // The storage call would hang for ever.
    host.backend()
        .cleanup(named(pb::Empty {}, "a"))
        .await
        .unwrap();
    in_flight(&mount.storage, 0).await;
    mount.proxy.has_open(0).await;
    let error = reading.await.unwrap().err.unwrap();
    assert!(error.err_msg.contains("going away"), "{}", error.err_msg);
}

#[tokio::test]
async fn a_panic_in_set_up_fails_the_set_up_alone() {
    let mut host = Host::start().await;
    let identity = std::sync::Arc::clone(&host.identity);
    let mount = host.serve_mount("a", &identity);
    host.announce(mount.broker_id, &mount.proxy.socket).await;
    let error = host
        .setup_with(&mount, &[("panic", "yes")])
        .await
        .unwrap_err();
    assert!(error.contains("unexpectedly"), "{error}");
    host.mount("a").await;
    let data = host.read("a", "options").await.response.unwrap().data;
    assert_eq!(data, r#"{"options":{},"uuid":"uuid-a"}"#);
}
