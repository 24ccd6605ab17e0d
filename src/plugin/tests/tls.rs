//! Only the host gets in, and only to the host we go.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::SupportedProtocolVersion;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::version::TLS12;
use rustls::version::TLS13;
use tonic::Status;

use super::host::Host;
use super::host::dialer;
use super::host::host_identity;
use crate::plugin::certificate::Identity;
use crate::plugin::tls::Pinned;
use crate::plugin::tls::client_config;
use crate::proto::grpc::health::v1::HealthCheckRequest;
use crate::proto::grpc::health::v1::health_client::HealthClient;

async fn check(host: &Host, tls: ClientConfig) -> Result<i32, Status> {
    let mut client = HealthClient::new(dialer(&host.plugin_socket, Arc::new(tls)).channel());
    let answer = client
        .check(HealthCheckRequest {
            service: "plugin".to_owned(),
        })
        .await?;
    Ok(answer.into_inner().status)
}

fn config(
    host: &Host,
    identity: &Identity,
    version: &'static SupportedProtocolVersion,
) -> ClientConfig {
    let verifier: Arc<dyn ServerCertVerifier> = Arc::new(Pinned::new(&host.plugin_certificate));
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_auth_cert(vec![identity.certificate.clone()], identity.key())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

#[tokio::test]
async fn the_host_gets_in_with_either_version() {
    let host = Host::start().await;
    for version in [&TLS12, &TLS13] {
        assert_eq!(
            check(&host, config(&host, &host.identity, version))
                .await
                .unwrap(),
            1,
            "{version:?}"
        );
    }
}

#[tokio::test]
async fn other_peers_are_rejected() {
    let host = Host::start().await;
    for version in [&TLS12, &TLS13] {
        let stranger = config(&host, &host_identity(), version);
        check(&host, stranger)
            .await
            .expect_err("it has the same subject, but is not the host");

        let verifier: Arc<dyn ServerCertVerifier> = Arc::new(Pinned::new(&host.plugin_certificate));
        let mut anonymous =
            ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_protocol_versions(&[version])
                .unwrap()
                .dangerous()
                .with_custom_certificate_verifier(verifier)
                .with_no_client_auth();
        anonymous.alpn_protocols = vec![b"h2".to_vec()];
        check(&host, anonymous)
            .await
            .expect_err("it has no certificate");

        let mut silent = config(&host, &host.identity, version);
        silent.alpn_protocols = Vec::new();
        check(&host, silent)
            .await
            .expect_err("it does not offer HTTP/2");
    }
    assert_eq!(
        check(&host, config(&host, &host.identity, &TLS13))
            .await
            .unwrap(),
        1,
        "the host still does"
    );
}

#[tokio::test]
async fn a_host_that_is_another_is_not_dialled() {
    let mut host = Host::start().await;
    let mount = host.serve_mount("a", &host_identity());
    host.announce(mount.broker_id, &mount.proxy.socket).await;
    let error = host.setup(&mount).await.unwrap_err();
    assert!(error.contains("cannot be dialled back"), "{error}");
    let mount = host.mount("a").await;
    assert_eq!(mount.proxy.total(), 1, "the next set-up works");
}

#[tokio::test]
async fn the_host_does_not_talk_to_another_plugin() {
    let host = Host::start().await;
    let other = Identity::generate(time::OffsetDateTime::now_utc()).unwrap();
    let tls = client_config(&host.identity, &other.certificate).unwrap();
    check(&host, tls)
        .await
        .expect_err("the plugin shows another certificate");
}
