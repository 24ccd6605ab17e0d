//! Services: lines 20 to 25.

use futures_util::FutureExt;
use http::uri::PathAndQuery;
use serde_json::json;
use tonic::Code;
use tonic::client::Grpc;
use vault_plugin_secrets_astra::proto::grpc::health::v1::HealthCheckRequest;
use vault_plugin_secrets_astra::proto::grpc::health::v1::health_check_response::ServingStatus;
use vault_plugin_secrets_astra::proto::grpc::health::v1::health_client::HealthClient;
use vault_plugin_secrets_astra::proto::pb;

use crate::host::Host;
use crate::upstream::Upstream;

#[tokio::test]
async fn c20_the_health_service_says_serving() {
    let host = Host::start().await;
    let mut health = HealthClient::new(host.channel());
    let request = |service: &str| HealthCheckRequest {
        service: service.to_owned(),
    };
    let reply = health.check(request("plugin")).await.unwrap().into_inner();
    assert_eq!(reply.status(), ServingStatus::Serving);
    let mut watched = health.watch(request("plugin")).await.unwrap().into_inner();
    let first = watched.message().await.unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::Serving);
    drop(watched);
    host.finish().await;
}

#[tokio::test]
async fn c21_multiplexing_is_supported() {
    let host = Host::start().await;
    assert!(host.multiplexing().await);
    host.finish().await;
}

#[tokio::test]
async fn c22_the_version_is_told_before_setup() {
    let host = Host::start().await;
    let expected = concat!("v", env!("CARGO_PKG_VERSION"));
    assert_eq!(host.version(&host.client("neverSetUp")).await, expected);
    assert_eq!(host.version(&host.anonymous()).await, expected);
    host.finish().await;
}

#[tokio::test]
async fn c23_the_stdio_stream_stays_open_and_idle() {
    let mut host = Host::start().await;
    let mount = host.mount().await;
    mount.read("config").await.nothing();
    mount.client().cleanup().await.unwrap();
    let next = host.stdio().message().now_or_never();
    assert!(next.is_none(), "{next:?}");
    host.finish().await;
}

#[tokio::test]
async fn c24_unknown_methods_are_unimplemented() {
    let host = Host::start().await;
    for path in [
        "/pb.Backend/NoSuch",
        "/pb.NoSuch/Call",
        "/plugin.GRPCBroker/Knock",
        "/no.such.Service/Call",
    ] {
        let mut client = Grpc::new(host.channel());
        client.ready().await.unwrap();
        let codec = tonic_prost::ProstCodec::<pb::Empty, pb::Empty>::default();
        let request = tonic::Request::new(pb::Empty {});
        let path = PathAndQuery::from_static(path);
        let status = client.unary(request, path, codec).await.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented, "{status:?}");
    }
    host.finish().await;
}

#[tokio::test]
async fn c25_twenty_mebibytes_pass_in_both_directions() {
    let upstream = Upstream::start().await;
    let mut host = Host::start().await;
    let mount = host.mount().await;
    upstream.configure(&mount).await;
    let huge = "x".repeat(20 << 20);
    let data = json!({"astra_roles": upstream.role_name(), "description": huge});
    assert!(!mount.write("roles/huge", data).await.is_error());
    let read = mount.read("roles/huge").await.data();
    assert!(
        read["description"] == huge,
        "the description came back changed"
    );
    host.finish().await;
}
