//! How the process ends, and what it finishes first.

use std::time::Duration;

use tonic::Code;

use super::backend::reaches;
use super::host::Host;
use super::host::arguments;
use super::host::limits;
use super::host::named;
use crate::plugin::lifecycle::Lifecycle;
use crate::plugin::lifecycle::Limits;
use crate::plugin::lifecycle::ShutdownReason;
use crate::proto::pb;
use crate::proto::plugin::Empty;
use crate::proto::plugin::grpc_controller_client::GrpcControllerClient;
use crate::proto::plugin::grpc_stdio_client::GrpcStdioClient;

#[tokio::test]
async fn shutdown_is_answered_and_finishes_what_runs() {
    let mut host = Host::with(Limits {
        drain: Duration::from_secs(60),
        ..limits()
    })
    .await;
    let mount = host.mount("a").await;
    host.read("a", "get/x").await;
    let mut client = host.backend();
    let call = tokio::spawn(async move {
        client
            .handle_request(named(arguments("read", "wait", "null"), "a"))
            .await
    });
    reaches(&host.counters.started, 1).await;
    GrpcControllerClient::new(host.channel.clone())
        .shutdown(Empty {})
        .await
        .unwrap();
    // It is answered although the request has not ended, and would not for a minute.
    assert_eq!(*host.counters.finished.borrow(), 0);
    reaches(&host.counters.cleaned, 1).await;
    host.counters.gate.send_replace(true);
    assert!(
        call.await.unwrap().unwrap().into_inner().response.is_some(),
        "the request still got its answer"
    );
    let counters = std::sync::Arc::clone(&host.counters);
    let directory = host.plugin_socket.parent().unwrap().to_owned();
    assert_eq!(host.ended().await, ShutdownReason::Shutdown);
    assert_eq!(*counters.undone.borrow(), 0);
    assert!(!directory.exists());
    mount.proxy.has_open(0).await;
}

#[tokio::test]
async fn an_idle_plugin_ends_at_once_though_the_host_stays_connected() {
    let mut host = Host::with(Limits {
        drain: Duration::from_secs(60),
        ..limits()
    })
    .await;
    let mount = host.mount("a").await;
    host.read("a", "get/x").await;
    let stdio = GrpcStdioClient::new(host.channel.clone())
        .stream_stdio(())
        .await
        .unwrap();
    let channel = host.channel.clone();
    GrpcControllerClient::new(channel)
        .shutdown(Empty {})
        .await
        .unwrap();
    // It would wait a minute if any stream or connection kept it.
    assert_eq!(host.ended().await, ShutdownReason::Shutdown);
    mount.proxy.has_open(0).await;
    drop(stdio);
}

#[tokio::test]
async fn shutdown_undoes_what_the_host_no_longer_hears() {
    let mut host = Host::with(Limits {
        drain: Duration::from_secs(60),
        ..limits()
    })
    .await;
    let _mount = host.mount("a").await;
    let mut client = host.backend();
    let call = tokio::spawn(async move {
        client
            .handle_request(named(arguments("read", "wait", "null"), "a"))
            .await
    });
    reaches(&host.counters.started, 1).await;
    GrpcControllerClient::new(host.channel.clone())
        .shutdown(Empty {})
        .await
        .unwrap();
    call.abort();
    let _ = call.await;
    let counters = std::sync::Arc::clone(&host.counters);
    // The host closes its connection at once.
    host.channel = tonic::transport::Endpoint::from_static("http://localhost").connect_lazy();
    host.announcements = None;
    counters.gate.send_replace(true);
    assert_eq!(host.ended().await, ShutdownReason::Shutdown);
    assert_eq!(*counters.finished.borrow(), 1);
    assert_eq!(*counters.undone.borrow(), 1);
}

#[tokio::test]
async fn work_that_does_not_end_is_abandoned() {
    let mut host = Host::with(Limits {
        drain: Duration::from_millis(100),
        ..limits()
    })
    .await;
    let _mount = host.mount("a").await;
    let mut client = host.backend();
    let call = tokio::spawn(async move {
        client
            .handle_request(named(arguments("read", "wait", "null"), "a"))
            .await
    });
    reaches(&host.counters.started, 1).await;
    host.lifecycle.stop(ShutdownReason::Terminated);
    assert_eq!(host.ended().await, ShutdownReason::Terminated);
    call.abort();
}

#[tokio::test]
async fn a_host_that_falls_silent_is_gone() {
    let mut host = Host::start().await;
    host.announcements = None;
    assert_eq!(host.ended().await, ShutdownReason::HostSilent);
}

#[tokio::test]
async fn a_broker_stream_that_comes_back_is_enough() {
    let mut host = Host::with(Limits {
        broker: Duration::from_secs(2),
        ..limits()
    })
    .await;
    host.announcements = None;
    host.open_broker().await;
    host.mount("a").await;
    assert!(host.read("a", "echo").await.response.is_some());
    assert!(!host.plugin.is_finished());
    host.lifecycle.stop(ShutdownReason::Shutdown);
    assert_eq!(host.ended().await, ShutdownReason::Shutdown);
}

#[tokio::test]
async fn without_a_connection_the_process_ends() {
    let lifecycle = Lifecycle::new();
    let limits = Limits {
        connection: Duration::from_millis(10),
        ..limits()
    };
    let contact = tokio::sync::watch::Sender::default();
    lifecycle
        .clone()
        .watch_host(contact.subscribe(), limits)
        .await;
    assert_eq!(lifecycle.stopped().await, ShutdownReason::NoHost);
    lifecycle.stop(ShutdownReason::Shutdown);
    assert_eq!(
        lifecycle.stopped().await,
        ShutdownReason::NoHost,
        "the first reason counts"
    );
}

#[tokio::test]
async fn unknown_methods_are_unimplemented() {
    let host = Host::start().await;
    let mut storage = pb::storage_client::StorageClient::new(host.channel.clone());
    let status = storage
        .get(pb::StorageGetArgs::default())
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}
