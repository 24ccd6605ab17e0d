//! Certificates: a generated CA, a good certificate and three bad ones.

use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering;

use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::DnType;
use rcgen::IsCa;
use rcgen::Issuer;
use rcgen::KeyPair;
use rcgen::KeyUsagePurpose;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::ClientHello;
use rustls::server::ResolvesServerCert;
use rustls::sign::CertifiedKey;
use serde::Deserialize;
use serde::Serialize;

use crate::error::Error;

/// Which certificate a TLS client meets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Certificate {
    /// For 127.0.0.1, ::1 and localhost, of the generated CA.
    #[default]
    #[serde(alias = "tls")]
    Good = 0,
    /// For another host.
    #[serde(alias = "tls_wrong_host")]
    WrongHost = 1,
    /// No longer valid.
    #[serde(alias = "tls_expired")]
    Expired = 2,
    /// Of another CA.
    #[serde(alias = "tls_unknown_ca")]
    UnknownCa = 3,
}

/// All certificates of one emulator.
pub(crate) struct Certificates {
    /// The CA to trust.
    pub(crate) ca_pem: String,
    /// The CA, to sign more.
    pub(crate) authority: Authority,
    keys: [Arc<CertifiedKey>; 4],
}

/// A certificate authority.
pub(crate) struct Authority {
    pub(crate) issuer: Issuer<'static, KeyPair>,
    pub(crate) der: CertificateDer<'static>,
}

impl Certificates {
    pub(crate) fn generate() -> Result<Self, Error> {
        let ca = authority("astra-emulator CA")?;
        let other = authority("some other CA")?;
        let own = &["127.0.0.1", "::1", "localhost"];
        Ok(Self {
            keys: [
                leaf(&ca.1.issuer, own, false)?,
                leaf(&ca.1.issuer, &["astra.example.com"], false)?,
                leaf(&ca.1.issuer, own, true)?,
                leaf(&other.1.issuer, own, false)?,
            ],
            ca_pem: ca.0,
            authority: ca.1,
        })
    }

    /// A server configuration whose certificate can be changed through `choice`.
    pub(crate) fn config(
        self: &Arc<Self>,
        choice: Arc<AtomicU8>,
    ) -> Result<Arc<ServerConfig>, Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::Tls(error.to_string()))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Resolver {
                certificates: self.clone(),
                choice,
            }));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // A resumed session would not see a changed certificate.
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Arc::new(config))
    }
}

struct Resolver {
    certificates: Arc<Certificates>,
    choice: Arc<AtomicU8>,
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Resolver")
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.certificates
            .keys
            .get(usize::from(self.choice.load(Ordering::SeqCst)))
            .cloned()
    }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Tls(error.to_string())
}

fn authority(name: &str) -> Result<(String, Authority), Error> {
    let key = KeyPair::generate().map_err(failed)?;
    let mut params = CertificateParams::new(Vec::new()).map_err(failed)?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key).map_err(failed)?;
    let authority = Authority {
        der: certificate.der().clone(),
        issuer: Issuer::new(params, key),
    };
    Ok((certificate.pem(), authority))
}

fn leaf(
    issuer: &Issuer<'static, KeyPair>,
    names: &[&str],
    expired: bool,
) -> Result<Arc<CertifiedKey>, Error> {
    let key = KeyPair::generate().map_err(failed)?;
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).map_err(failed)?;
    params
        .distinguished_name
        .push(DnType::CommonName, "astra-emulator");
    if expired {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    }
    let certificate = params.signed_by(&key, issuer).map_err(failed)?;
    let der = PrivateKeyDer::try_from(key.serialize_der()).map_err(failed)?;
    let signing = aws_lc_rs::sign::any_supported_type(&der).map_err(failed)?;
    Ok(Arc::new(CertifiedKey::new(
        vec![certificate.der().clone()],
        signing,
    )))
}
