//! From the environment to the handshake line.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;

use super::host::host_identity;
use crate::plugin::Environment;
use crate::plugin::StartError;
use crate::plugin::certificate::Identity;
use crate::plugin::certificate::parse_host_certificate;
use crate::plugin::environment::COOKIE;
use crate::plugin::environment::OneSocket;
use crate::plugin::handshake;

fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment::new(variables.iter().copied())
}

fn pem(der: &CertificateDer<'_>) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

#[test]
fn only_the_right_cookie_counts() {
    assert!(environment(&[COOKIE]).has_cookie());
    assert!(!environment(&[]).has_cookie());
    assert!(!environment(&[(COOKIE.0, "x")]).has_cookie());
    assert!(!environment(&[("VAULT_DATABASE_PLUGIN", COOKIE.1)]).has_cookie());
}

#[test]
fn openbao_spellings_come_first() {
    let both = environment(&[("VAULT_VERSION", "1"), ("BAO_VERSION", "2")]);
    assert_eq!(both.sdk("VERSION").as_deref(), Some("2"));
    let empty = environment(&[("VAULT_VERSION", "1"), ("BAO_VERSION", "")]);
    assert_eq!(
        empty.sdk("VERSION").as_deref(),
        Some(""),
        "set and empty is set"
    );
    assert_eq!(
        environment(&[("VAULT_VERSION", "1")])
            .sdk("VERSION")
            .as_deref(),
        Some("1")
    );
    assert_eq!(environment(&[]).sdk("VERSION"), None);
}

#[test]
fn version_five_is_found_among_others() {
    for offered in ["5", "4,5,junk", " 5 ,6", "5,5"] {
        assert!(
            handshake::negotiate(&environment(&[("PLUGIN_PROTOCOL_VERSIONS", offered)])).is_ok(),
            "{offered}"
        );
    }
    assert!(handshake::negotiate(&environment(&[])).is_ok());
    for offered in ["3,4", "4,3", "", "junk", "55"] {
        let error = handshake::negotiate(&environment(&[("PLUGIN_PROTOCOL_VERSIONS", offered)]))
            .unwrap_err();
        assert!(
            matches!(error, StartError::Versions { .. }),
            "{offered}: {error}"
        );
        assert!(error.to_string().contains("version 5 only"), "{error}");
    }
}

#[test]
fn one_socket_is_read_as_go_reads_a_boolean() {
    let asked = |text: &str| environment(&[("PLUGIN_MULTIPLEX_GRPC", text)]).one_socket();
    for yes in ["1", "t", "T", "true", "TRUE", "True"] {
        assert_eq!(asked(yes), OneSocket::Yes, "{yes}");
    }
    for no in ["", "0", "f", "false", "tRUE", "yes", " true"] {
        assert_eq!(asked(no), OneSocket::No, "{no}");
    }
    assert_eq!(environment(&[]).one_socket(), OneSocket::No);
}

#[test]
fn the_line_has_six_fields_and_a_seventh_for_one_socket() {
    let identity = Identity::generate(OffsetDateTime::now_utc()).unwrap();
    let line =
        |one_socket| handshake::line(Path::new("/tmp/x/s"), &identity.certificate, one_socket);
    let six = line(OneSocket::No);
    let fields: Vec<_> = six.split('|').collect();
    assert_eq!(fields[..5], ["1", "5", "unix", "/tmp/x/s", "grpc"]);
    assert_eq!(fields.len(), 6);
    assert_eq!(
        STANDARD_NO_PAD.decode(fields[5]).unwrap(),
        identity.certificate.as_ref()
    );
    assert!(!six.contains(['=', '\n']));
    assert_eq!(line(OneSocket::Yes), format!("{six}|true"));
}

#[test]
fn a_refusal_is_one_line_that_no_host_takes_for_a_handshake() {
    let error = StartError::Tls("a|b\nc\r\nd".to_owned());
    assert_eq!(handshake::refusal(&error), "TLS cannot be set up: a/b c  d");
}

#[test]
fn our_certificate_is_for_both_directions() {
    let identity = Identity::generate(OffsetDateTime::now_utc()).unwrap();
    let contains = |needle: &[u8]| {
        identity
            .certificate
            .windows(needle.len())
            .any(|window| window == needle)
    };
    // The object identifiers 1.3.6.1.5.5.7.3.1 and 1.3.6.1.5.5.7.3.2: server and client authentication.
    assert!(contains(&[0x2b, 6, 1, 5, 5, 7, 3, 1]));
    assert!(contains(&[0x2b, 6, 1, 5, 5, 7, 3, 2]));
    // The alternative name: context tag 2, a DNS name.
    assert!(contains(b"\x82\x09localhost"));
    let other = Identity::generate(OffsetDateTime::now_utc()).unwrap();
    assert_ne!(identity.certificate, other.certificate);
}

#[test]
fn the_hosts_certificate_is_parsed_or_refused_with_its_variable() {
    let certificate = host_identity().certificate;
    let pem = pem(&certificate);
    assert_eq!(parse_host_certificate(&pem).unwrap(), certificate);
    assert_eq!(
        parse_host_certificate(&format!("\n{pem}\n")).unwrap(),
        certificate
    );
    let bad = [
        "garbage",
        &pem.repeat(2),
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n",
    ];
    for text in bad {
        let error = parse_host_certificate(text).unwrap_err();
        assert!(error.to_string().contains("PLUGIN_CLIENT_CERT"), "{error}");
    }
    let unset = environment(&[("PLUGIN_CLIENT_CERT", "")]);
    assert_eq!(unset.client_certificate(), None);
}
