//! TLS as a host does it: every certificate is pinned, both ends show one.

use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rustls::ClientConfig;
use rustls::DigitallySignedStruct;
use rustls::DistinguishedName;
use rustls::ServerConfig;
use rustls::SignatureScheme;
use rustls::SupportedProtocolVersion;
use rustls::client::ResolvesClientCert;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::danger::ServerCertVerified;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs;
use rustls::crypto::verify_tls12_signature;
use rustls::crypto::verify_tls13_signature;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::UnixTime;
use rustls::server::danger::ClientCertVerified;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;
use tokio::net::UnixStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::Channel;
use tonic::transport::Endpoint;

use super::Identity;
use super::session::Session;
use super::session::Wire;

/// How to connect to a plugin's socket; by default as a host does.
#[derive(Clone)]
pub(crate) struct Dial {
    place: Place,
    plugin: CertificateDer<'static>,
    identity: Option<Identity>,
    version: &'static SupportedProtocolVersion,
    alpn: bool,
    asked: Arc<Mutex<Option<Asked>>>,
}

#[derive(Clone)]
enum Place {
    Socket(PathBuf),
    Session(Session),
}

/// What the plugin's `CertificateRequest` said.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub hints: usize,
    pub schemes: Vec<SignatureScheme>,
}

impl Dial {
    pub(crate) fn new(socket: &Path, plugin: CertificateDer<'static>, identity: Identity) -> Self {
        Self::to(Place::Socket(socket.to_owned()), plugin, identity)
    }

    /// Dials through a session.
    pub(crate) fn through(
        session: Session,
        plugin: CertificateDer<'static>,
        identity: Identity,
    ) -> Self {
        Self::to(Place::Session(session), plugin, identity)
    }

    fn to(place: Place, plugin: CertificateDer<'static>, identity: Identity) -> Self {
        Self {
            place,
            plugin,
            identity: Some(identity),
            version: &rustls::version::TLS13,
            alpn: true,
            asked: Arc::default(),
        }
    }

    pub(crate) fn version(mut self, version: &'static SupportedProtocolVersion) -> Self {
        self.version = version;
        self
    }

    pub(crate) fn identity(mut self, identity: Option<Identity>) -> Self {
        self.identity = identity;
        self
    }

    pub(crate) fn without_alpn(mut self) -> Self {
        self.alpn = false;
        self
    }

    /// What the plugin asked of the client's certificate in the latest handshake.
    pub(crate) fn asked(&self) -> Option<Asked> {
        self.asked.lock().clone()
    }

    /// A TLS connection.  With TLS 1.3 the plugin's refusal shows at the first read only.
    pub(crate) async fn stream(&self) -> io::Result<TlsStream<Wire>> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[self.version])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Pinned(self.plugin.clone())));
        let mut config = match &self.identity {
            Some(identity) => builder.with_client_cert_resolver(Arc::new(Presented {
                key: certified(identity),
                asked: self.asked.clone(),
            })),
            None => builder.with_no_client_auth(),
        };
        if self.alpn {
            config.alpn_protocols = vec![b"h2".to_vec()];
        }
        let stream: Wire = match &self.place {
            Place::Socket(socket) => Box::new(UnixStream::connect(socket).await?),
            Place::Session(session) => session.open().await?,
        };
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await?;
        let chosen = stream.get_ref().1.alpn_protocol();
        assert_eq!(chosen, self.alpn.then_some(&b"h2"[..]), "ALPN");
        Ok(stream)
    }

    /// A gRPC channel that reconnects, as grpc-go's does.
    pub(crate) async fn channel(&self) -> Result<Channel, tonic::transport::Error> {
        let dial = self.clone();
        let connector = tower::service_fn(move |_| {
            let dial = dial.clone();
            async move { dial.stream().await.map(TokioIo::new) }
        });
        Endpoint::from_static("http://localhost")
            .connect_with_connector(connector)
            .await
    }
}

/// The host's end of a brokered connection: it admits `client` only.
pub(super) fn acceptor(identity: &Identity, client: CertificateDer<'static>) -> TlsAcceptor {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .unwrap()
        .with_client_cert_verifier(Arc::new(Pinned(client)))
        .with_single_cert(vec![identity.certificate()], identity.key())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn certified(identity: &Identity) -> Arc<CertifiedKey> {
    let key = aws_lc_rs::sign::any_ecdsa_type(&identity.key()).unwrap();
    Arc::new(CertifiedKey::new(vec![identity.certificate()], key))
}

/// Shows the client certificate only where Go would: no hints, or hints that name its issuer, and a
/// signature scheme that its key can do.
#[derive(Debug)]
struct Presented {
    key: Arc<CertifiedKey>,
    asked: Arc<Mutex<Option<Asked>>>,
}

impl ResolvesClientCert for Presented {
    fn resolve(&self, hints: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        *self.asked.lock() = Some(Asked {
            hints: hints.len(),
            schemes: schemes.to_vec(),
        });
        let usable = schemes.contains(&SignatureScheme::ECDSA_NISTP521_SHA512);
        (hints.is_empty() && usable).then(|| self.key.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Accepts exactly one certificate, whichever end shows it.
#[derive(Debug)]
struct Pinned(CertificateDer<'static>);

impl Pinned {
    fn check(&self, shown: &CertificateDer<'_>) -> Result<(), rustls::Error> {
        if *shown == self.0 {
            return Ok(());
        }
        Err(rustls::Error::General(
            "not the pinned certificate".to_owned(),
        ))
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.check(shown).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = provider().signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = provider().signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

impl ClientCertVerifier for Pinned {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.check(shown).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        ServerCertVerifier::verify_tls12_signature(self, message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        ServerCertVerifier::verify_tls13_signature(self, message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ServerCertVerifier::supported_verify_schemes(self)
    }
}
