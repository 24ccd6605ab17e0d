use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CertifiedIssuer;
use rcgen::IsCa;
use rcgen::KeyPair;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::ORG;
use super::client;
use super::config;
use super::server::Server;
use super::server::json;
use super::soon;
use crate::astra::ClientConfig;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A server whose certificate is for `name` and valid until the year `until`.
async fn server(authority: &Authority, name: &str, until: i32) -> Server {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
    let certificate = params.signed_by(&key, authority).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let upgrade = move |stream| {
        let accept = acceptor.accept(stream);
        async { accept.await.ok() }
    };
    Server::accept(|_, _| json(200, &format!(r#"{{"id":"{ORG}"}}"#)), upgrade).await
}

async fn ask(server: &Server, trusted: &Authority) -> Result<String, crate::astra::Error> {
    let config = ClientConfig {
        ca_cert_pem: Some(trusted.pem()),
        ..config(&server.url.replace("http:", "https:"))
    };
    client(config).current_org(soon()).await
}

#[tokio::test]
async fn a_private_authority_is_trusted_when_it_is_configured() {
    let authority = authority();
    let server = server(&authority, "127.0.0.1", 4_000).await;
    assert_eq!(ask(&server, &authority).await.as_deref(), Ok(ORG));
}

#[tokio::test]
async fn a_certificate_that_does_not_fit_is_refused_before_anything_is_sent() {
    let authority = authority();
    for (name, until, trusted) in [
        ("other.example", 4_000, &authority),
        ("127.0.0.1", 2_000, &authority),
        ("127.0.0.1", 4_000, &self::authority()),
    ] {
        let server = server(&authority, name, until).await;
        let error = ask(&server, trusted).await.unwrap_err();
        assert_eq!(error.kind(), "unreachable", "{error}");
        assert!(error.to_string().contains("ca_cert"), "{error}");
        assert!(server.lines().is_empty());
    }
}

/// A server that answers any `ClientHello` by choosing TLS 1.1, and counts what it is sent after that.
fn stuck_at_tls_1_1(
    after: Arc<AtomicUsize>,
) -> impl Fn(TcpStream) -> Pin<Box<dyn Future<Output = Option<TcpStream>> + Send>> {
    move |mut stream| {
        let after = Arc::clone(&after);
        Box::pin(async move {
            let mut header = [0; 5];
            stream.read_exact(&mut header).await.ok()?;
            let mut hello = vec![0; usize::from(u16::from_be_bytes([header[3], header[4]]))];
            stream.read_exact(&mut hello).await.ok()?;
            // ServerHello: version 3.2, a random, no session, ECDHE-RSA-AES128-SHA, no compression.
            let mut message = vec![2, 0, 0, 38, 3, 2];
            message.extend([7; 32]);
            message.extend([0, 0xc0, 0x13, 0]);
            let mut record = vec![22, 3, 2, 0, u8::try_from(message.len()).unwrap()];
            record.extend(message);
            stream.write_all(&record).await.ok()?;
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
            // Nothing but an alert, which is 7 bytes long.
            assert_eq!(rest.first(), Some(&21), "{rest:?}");
            after.fetch_max(rest.len(), Ordering::SeqCst);
            None
        })
    }
}

#[tokio::test]
async fn older_versions_of_tls_are_refused_before_anything_is_sent() {
    let after = Arc::new(AtomicUsize::new(0));
    let server = Server::accept(|_, _| json(200, "{}"), stuck_at_tls_1_1(Arc::clone(&after))).await;
    let error = ask(&server, &authority()).await.unwrap_err();
    assert_eq!(error.kind(), "unreachable", "{error}");
    assert_eq!(after.load(Ordering::SeqCst), 7);
    assert!(server.lines().is_empty());
}

/// Under a paused clock, which runs on only when all tasks wait: so the limit for connecting, the shorter
/// of the two, is over first however busy the machine is.
#[tokio::test(start_paused = true)]
async fn what_does_not_speak_tls_is_not_reached() {
    let silent = |stream| async {
        std::future::pending::<()>().await;
        Some(stream)
    };
    let plain = |mut stream: TcpStream| async move {
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
        None::<TcpStream>
    };
    for server in [
        Server::accept(|_, _| json(200, "{}"), silent).await,
        Server::accept(|_, _| json(200, "{}"), plain).await,
    ] {
        let config = ClientConfig {
            ca_cert_pem: Some(authority().pem()),
            request_timeout: Duration::from_millis(400),
            ..config(&server.url.replace("http:", "https:"))
        };
        let error = client(config).current_org(soon()).await.unwrap_err();
        assert_eq!(error.kind(), "unreachable", "{error}");
    }
}
