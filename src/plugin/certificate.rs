//! The certificates of both sides of one plugin process.

use rcgen::CertificateParams;
use rcgen::DistinguishedName;
use rcgen::DnType;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::KeyPair;
use rcgen::KeyUsagePurpose;
use rcgen::PKCS_ECDSA_P256_SHA256;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::ParsedCertificate;
use time::Duration;
use time::OffsetDateTime;

use super::StartError;

/// The only name in these certificates, and the server name on both connections.
pub(super) const SERVER_NAME: &str = "localhost";

/// Our certificate and key; new for each process, never on disk.
pub(super) struct Identity {
    /// The certificate, which the handshake line tells the host.
    pub certificate: CertificateDer<'static>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Makes a certificate that Go's TLS accepts on both connections: as a server's on the main one,
    /// as a client's on the way back.
    ///
    /// # Errors
    ///
    /// The cryptography library failed.
    pub(super) fn generate(now: OffsetDateTime) -> Result<Self, rcgen::Error> {
        let mut parameters = CertificateParams::new(vec![SERVER_NAME.to_owned()])?;
        parameters.distinguished_name = DistinguishedName::new();
        parameters
            .distinguished_name
            .push(DnType::CommonName, SERVER_NAME);
        // In the past, because the clock may be set back while the plugin runs; for decades, because
        // it may run for years.
        parameters.not_before = now - Duration::days(1);
        parameters.not_after = now + Duration::days(30 * 365);
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        // P-256 works with every build of Go, the FIPS ones included.
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = parameters.self_signed(&key)?;
        Ok(Self {
            certificate: certificate.into(),
            key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        })
    }

    /// The private key.
    pub(super) fn key(&self) -> PrivateKeyDer<'static> {
        self.key.clone_key()
    }
}

/// The host's certificate from its PEM text.
///
/// # Errors
///
/// The text does not hold exactly one certificate.
pub(super) fn parse_host_certificate(pem: &str) -> Result<CertificateDer<'static>, StartError> {
    let bad = |cause: &str| StartError::BadClientCertificate(cause.to_owned());
    let mut certificates = CertificateDer::pem_slice_iter(pem.as_bytes());
    let certificate = match (certificates.next(), certificates.next()) {
        (Some(Ok(certificate)), None) => certificate,
        (None, _) => return Err(bad("it has no certificate")),
        (Some(Err(_)), _) => return Err(bad("it is not PEM")),
        (Some(Ok(_)), Some(_)) => return Err(bad("it has more than one block")),
    };
    match ParsedCertificate::try_from(&certificate) {
        Ok(_) => Ok(certificate),
        Err(_) => Err(bad("it is not X.509")),
    }
}
