//! The TLS of Astra's host names.

use std::sync::Arc;

use rcgen::CertificateParams;
use rcgen::DistinguishedName;
use rcgen::DnType;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::KeyPair;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;

use crate::error::Error;
use crate::host::Host;
use crate::tls::Authority;

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Tls(error.to_string())
}

/// One certificate of the emulator's CA for all names. A client that offers HTTP/1.1 gets it; the
/// clients of gRPC offer HTTP/2 alone.
pub(super) fn server(authority: &Authority) -> Result<Arc<ServerConfig>, Error> {
    let key = KeyPair::generate().map_err(failed)?;
    let mut params = CertificateParams::new(Host::names()).map_err(failed)?;
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "astra-emulator");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = params.signed_by(&key, &authority.issuer).map_err(failed)?;
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(failed)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .map_err(failed)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec(), b"h2".to_vec()];
    Ok(Arc::new(config))
}
