//! TLS: lines 15 to 19.

use rustls::SignatureScheme;
use tonic::Code;
use tonic::Status;
use vault_plugin_secrets_astra::proto::grpc::health::v1::HealthCheckRequest;
use vault_plugin_secrets_astra::proto::grpc::health::v1::health_client::HealthClient;

use crate::host::Dial;
use crate::host::Host;
use crate::host::Identity;
use crate::host::LONG;
use crate::host::Services;
use crate::host::mount_config;
use crate::host::multiplex_id;

/// One RPC over a new connection.
async fn check(dial: Dial) -> Result<(), Status> {
    let channel = dial
        .channel()
        .await
        .map_err(|error| Status::unavailable(error.to_string()))?;
    let request = HealthCheckRequest {
        service: "plugin".to_owned(),
    };
    let checked = tokio::time::timeout(LONG, HealthClient::new(channel).check(request)).await;
    checked
        .unwrap_or_else(|_| panic!("neither served nor refused"))
        .map(drop)
}

#[tokio::test]
async fn c15_the_pinned_certificate_is_admitted_with_tls_13_and_12() {
    let host = Host::start().await;
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let dial = host.dial().version(version);
        check(dial.clone()).await.unwrap();
        // Go shows its P-521 certificate only if asked like this.
        let asked = dial.asked().expect("no certificate was asked for");
        assert_eq!(asked.hints, 0, "{:?}", version.version);
        let p521 = SignatureScheme::ECDSA_NISTP521_SHA512;
        assert!(asked.schemes.contains(&p521), "{:?}", asked.schemes);
    }
    host.finish().await;
}

#[tokio::test]
async fn c16_another_certificate_of_the_same_subject_is_refused() {
    let host = Host::start().await;
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        for identity in [Some(Identity::new()), None] {
            let dial = host.dial().version(version).identity(identity);
            check(dial).await.unwrap_err();
        }
    }
    check(host.dial()).await.unwrap();
    host.finish().await;
}

#[tokio::test]
async fn c17_without_alpn_nothing_is_served() {
    let host = Host::start().await;
    check(host.dial().without_alpn()).await.unwrap_err();
    check(host.dial()).await.unwrap();
    host.finish().await;
}

#[tokio::test]
async fn c18_a_brokered_server_with_another_certificate_is_refused() {
    let mut host = Host::start().await;
    let services = Services::default();
    let (id, brokered) = host.offer_as(&Identity::new(), services.clone());
    host.announce(id, &brokered).await;
    let client = host.client(&multiplex_id());
    let error = Host::setup(&client, id, mount_config()).await;
    assert!(!error.is_empty());
    assert_eq!(brokered.accepted(), 0);
    assert!(services.storage.calls().is_empty());
    // The id never came to life, and the process is none the worse.
    let status = client.backend_type().await.unwrap_err();
    assert_ne!(status.code(), Code::Unimplemented);
    host.mount().await.read("config").await.nothing();
    host.finish().await;
}

#[tokio::test]
async fn c19_dialling_back_shows_our_certificate() {
    let mut host = Host::start().await;
    let mount = host.mount().await;
    mount.read("config").await.nothing();
    assert_eq!(mount.brokered.shown(), Some(host.handshake.certificate()));
    assert!(mount.brokered.accepted() >= 1);
    assert_eq!(mount.brokered.refused(), 0);
    drop(mount);
    host.finish().await;
}
