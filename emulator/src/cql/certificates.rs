//! Certificates of the CQL data plane: one for the servers, one for each database and region.

use std::sync::Arc;

use rcgen::CertificateParams;
use rcgen::DistinguishedName;
use rcgen::DnType;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::KeyPair;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;

use crate::error::Error;
use crate::tls::Authority;

/// What a driver shows: its certificate and key.
#[derive(Clone)]
pub(super) struct ClientCertificate {
    pub(super) pem: String,
    pub(super) der: Vec<u8>,
    pub(super) key_pem: String,
    /// PKCS #8.
    pub(super) key_der: Vec<u8>,
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Tls(error.to_string())
}

fn parameters(
    names: &[&str],
    common_name: &str,
    usage: ExtendedKeyUsagePurpose,
) -> Result<CertificateParams, Error> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).map_err(failed)?;
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.extended_key_usages = vec![usage];
    Ok(params)
}

/// The certificate of a database in a region, called `name`.
pub(super) fn client(authority: &Authority, name: &str) -> Result<ClientCertificate, Error> {
    let key = KeyPair::generate().map_err(failed)?;
    let usage = ExtendedKeyUsagePurpose::ClientAuth;
    let certificate = parameters(&[name], name, usage)?
        .signed_by(&key, &authority.issuer)
        .map_err(failed)?;
    Ok(ClientCertificate {
        pem: certificate.pem(),
        der: certificate.der().to_vec(),
        key_pem: key.serialize_pem(),
        key_der: key.serialize_der(),
    })
}

/// Mutual TLS: the server's certificate, and clients of the same CA only.
///
/// The common name is the address, because the Node.js driver compares it with that; the C++ driver
/// looks for the DNS name.
pub(super) fn server(authority: &Authority) -> Result<Arc<ServerConfig>, Error> {
    let key = KeyPair::generate().map_err(failed)?;
    let names = ["localhost", "127.0.0.1", "::1"];
    let usage = ExtendedKeyUsagePurpose::ServerAuth;
    let certificate = parameters(&names, "127.0.0.1", usage)?
        .signed_by(&key, &authority.issuer)
        .map_err(failed)?;
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(failed)?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(authority.der.clone()).map_err(failed)?;
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(failed)?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_client_cert_verifier(clients)
        .with_single_cert(vec![certificate.der().clone()], key)
        .map_err(failed)?;
    Ok(Arc::new(config))
}
