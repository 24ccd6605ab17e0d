//! Prints root certificates as PEM, for the image's `/etc/ssl/certs/ca-certificates.crt`.
//!
//! They are Mozilla's, from the package `webpki-root-certs` in the version that `Cargo.lock` pins.
//! The certificates of the machine that builds are never read: they may hold some of its owner's.

#![forbid(unsafe_code)]

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Bytes of base64 text on one line (RFC 7468).
const LINE: usize = 64;

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bundle().as_bytes())?;
    out.flush()
}

/// All certificates, one after the other, in an order that depends on nothing but them.
fn bundle() -> String {
    let mut certificates: Vec<String> = webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .map(|certificate| pem(certificate))
        .collect();
    certificates.sort();
    certificates.concat()
}

fn pem(certificate: &[u8]) -> String {
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = STANDARD.encode(certificate);
    while !rest.is_empty() {
        let next = rest.split_off(LINE.min(rest.len()));
        text.push_str(&rest);
        text.push('\n');
        rest = next;
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_certificate_of_the_package_is_there_once_and_whole() {
        let bundle = bundle();
        let mut decoded: Vec<Vec<u8>> = bundle
            .split("-----BEGIN CERTIFICATE-----\n")
            .skip(1)
            .map(|block| {
                let (text, end) = block.split_once("-----END CERTIFICATE-----\n").unwrap();
                assert_eq!(end, "");
                assert!(text.lines().all(|line| line.len() <= LINE));
                STANDARD.decode(text.replace('\n', "")).unwrap()
            })
            .collect();
        let mut wanted: Vec<Vec<u8>> = webpki_root_certs::TLS_SERVER_ROOT_CERTS
            .iter()
            .map(|certificate| certificate.to_vec())
            .collect();
        decoded.sort();
        wanted.sort();
        assert!(wanted.len() > 100, "{}", wanted.len());
        assert_eq!(decoded, wanted);
    }
}
