//! Start and handshake: lines 1 to 14.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use rustls::server::ParsedCertificate;
use tokio::net::UnixStream;
use uuid::Uuid;

use crate::host::Host;
use crate::host::LONG;
use crate::host::Launch;

#[tokio::test]
async fn c01_without_the_cookie_it_explains_itself_and_exits() {
    explains_itself(|| Launch::new().without("VAULT_BACKEND_PLUGIN")).await;
    explains_itself(|| Launch::new().with("VAULT_BACKEND_PLUGIN", "wrong")).await;
}

#[tokio::test]
async fn c02_with_the_database_cookie_only_it_exits() {
    let database = || {
        Launch::new()
            .without("VAULT_BACKEND_PLUGIN")
            .with(
                "VAULT_DATABASE_PLUGIN",
                "926a0820-aea2-be28-51d6-83cdf00e8edb",
            )
            .with("PLUGIN_PROTOCOL_VERSIONS", "5,6")
            .with("VAULT_PLUGIN_METADATA_MODE", "true")
    };
    explains_itself(database).await;
    // The second try of the same host comes without automatic mTLS.
    explains_itself(|| database().without("PLUGIN_CLIENT_CERT")).await;
}

/// The limit is one second; on a busy machine the best of many counts.
async fn explains_itself(launch: impl Fn() -> Launch) {
    let mut best = Duration::MAX;
    for _ in 0..100 {
        let begun = Instant::now();
        let mut process = launch().spawn();
        let status = process.exit(LONG).await;
        best = best.min(begun.elapsed());
        assert_eq!(status.code(), Some(1));
        let said = process.explanation().await;
        assert!(said.contains("plugin"), "{said}");
        if best < Duration::from_secs(1) {
            return;
        }
    }
    panic!("the exit took {best:?}");
}

#[tokio::test]
async fn c03_one_line_of_six_fields_appears() {
    let process = Launch::new().spawn();
    let handshake = process.handshake().await;
    let fields = &handshake.fields;
    assert_eq!(fields.len(), 6, "{fields:?}");
    assert_eq!(fields[..3], ["1", "5", "unix"]);
    assert_eq!(fields[4], "grpc");
    assert!(handshake.socket().is_absolute());
    assert_eq!(process.stdout.lines().len(), 1);
}

#[tokio::test]
async fn c04_the_socket_accepts_as_soon_as_the_line_is_there() {
    let process = Launch::new().spawn();
    let handshake = process.handshake().await;
    UnixStream::connect(handshake.socket()).await.unwrap();
}

#[tokio::test]
async fn c05_field_six_is_one_certificate_for_localhost_and_both_uses() {
    let process = Launch::new().spawn();
    let field = process.handshake().await.fields.remove(5);
    assert!(!field.contains('='), "padded");
    let der = CertificateDer::from(BASE64_STANDARD_NO_PAD.decode(&field).unwrap());
    let parsed = ParsedCertificate::try_from(&der).unwrap();
    let localhost = ServerName::try_from("localhost").unwrap();
    rustls::client::verify_server_name(&parsed, &localhost).unwrap();
    // The DER of the object identifiers 1.3.6.1.5.5.7.3.1 and .2.
    for (usage, last) in [("serverAuth", 1), ("clientAuth", 2)] {
        let oid = [0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, last];
        assert!(
            der.windows(oid.len()).any(|window| window == oid),
            "{usage} is missing"
        );
    }
}

#[tokio::test]
async fn c06_a_seventh_field_comes_where_the_host_asks_for_it_only() {
    for asked in ["1", "t", "T", "true", "TRUE", "True"] {
        let launch = Launch::container().with("PLUGIN_MULTIPLEX_GRPC", asked);
        let process = launch.spawn();
        let handshake = process.handshake().await;
        assert_eq!(handshake.fields[6..], ["true"], "{asked}");
        Host::attach(process).await.finish().await;
    }
    for not in ["", "0", "f", "F", "false", "FALSE", "False", "junk", "yes"] {
        let launch = Launch::container().with("PLUGIN_MULTIPLEX_GRPC", not);
        let process = launch.spawn();
        assert_eq!(process.handshake().await.fields.len(), 6, "{not}");
        let host = Host::attach(process).await;
        let warned = host.process.stderr.text().contains("PLUGIN_MULTIPLEX_GRPC");
        assert_eq!(warned, matches!(not, "junk" | "yes"), "{not}");
        host.finish().await;
    }
}

#[tokio::test]
async fn c07_to_old_protocols_it_says_why_and_serves_none() {
    for launch in [Launch::new, Launch::container] {
        for offered in ["3,4", "4,3"] {
            let mut process = launch()
                .with("PLUGIN_PROTOCOL_VERSIONS", offered)
                .with("VAULT_PLUGIN_METADATA_MODE", "true")
                .with("VAULT_PLUGIN_AUTOMTLS_ENABLED", "false")
                .without("PLUGIN_CLIENT_CERT")
                .spawn();
            let said = process.refusal().await;
            assert!(said.contains("protocol version 5 only"), "{said}");
            assert!(said.contains("look for the first error"), "{said}");
            assert_eq!(process.sockets(), Vec::<PathBuf>::new());
        }
    }
}

#[tokio::test]
async fn c08_unknown_versions_are_skipped() {
    for offered in ["4,5,junk", "junk,,5", "5,99"] {
        let process = Launch::new()
            .with("PLUGIN_PROTOCOL_VERSIONS", offered)
            .spawn();
        assert_eq!(process.handshake().await.fields[1], "5", "{offered}");
        Host::attach(process).await.finish().await;
    }
}

#[tokio::test]
async fn c09_without_a_client_certificate_it_refuses_to_serve() {
    for launch in [
        Launch::new().without("PLUGIN_CLIENT_CERT"),
        Launch::new().with("PLUGIN_CLIENT_CERT", ""),
    ] {
        let said = launch.spawn().refusal().await;
        assert!(said.contains("PLUGIN_CLIENT_CERT"), "{said}");
    }
}

#[tokio::test]
async fn c10_garbage_for_a_client_certificate_is_refused() {
    let broken = "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n";
    let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for garbage in [
        "junk",
        broken,
        no_certificate,
        "-----BEGIN CERTIFICATE-----",
    ] {
        let said = Launch::new()
            .with("PLUGIN_CLIENT_CERT", garbage)
            .spawn()
            .refusal()
            .await;
        assert!(said.contains("PLUGIN_CLIENT_CERT"), "{garbage:?}: {said}");
    }
}

#[tokio::test]
async fn c11_the_socket_lies_in_the_given_directory_with_the_given_group() {
    let own = nix::unistd::getegid();
    let root = nix::unistd::geteuid().is_root();
    // Only root can give a file to a group that it does not belong to.
    let group = if root { 12_345 } else { own.as_raw() };
    let name = nix::unistd::Group::from_gid(own).unwrap().unwrap().name;
    for (given, expected) in [(group.to_string(), group), (name, own.as_raw())] {
        let folder = tempfile::tempdir().unwrap();
        let process = Launch::new()
            .with("PLUGIN_UNIX_SOCKET_DIR", folder.path())
            .with("PLUGIN_UNIX_SOCKET_GROUP", &given)
            .spawn();
        let socket = process.handshake().await.socket();
        assert_eq!(socket.parent(), Some(folder.path()));
        let metadata = std::fs::metadata(&socket).unwrap();
        assert_eq!(metadata.gid(), expected, "group {given}");
        assert_eq!(metadata.permissions().mode() & 0o7777, 0o660);
        Host::attach(process).await.finish().await;
        assert!(!socket.exists());
    }
}

#[tokio::test]
async fn c12_a_too_long_temporary_directory_is_refused() {
    let launch = Launch::new();
    let long = launch.temporary().join("l".repeat(120));
    std::fs::create_dir(&long).unwrap();
    let mut process = launch.with("TMPDIR", &long).spawn();
    let said = process.refusal().await;
    assert!(
        said.contains("TMPDIR") || said.contains(long.to_str().unwrap()),
        "{said}"
    );
    assert_eq!(std::fs::read_dir(&long).unwrap().count(), 0);
    assert!(long.as_os_str().as_bytes().len() > 100);
}

#[tokio::test]
async fn c13_a_normal_exit_leaves_no_socket() {
    let mut host = Host::start().await;
    let socket = host.handshake.socket();
    assert!(socket.exists());
    host.shutdown().await;
    assert!(host.process.exit(LONG).await.success());
    assert!(!socket.exists());
    let left = std::fs::read_dir(host.process.temporary()).unwrap();
    assert_eq!(left.count(), 0, "the private directory is left");
}

#[tokio::test]
async fn c14_nothing_else_is_written_to_stdout() {
    let mut host = Host::start().await;
    let mount = host.mount().await;
    mount.read("config").await.nothing();
    let unknown = mount.read(&format!("unknown/{}", Uuid::new_v4())).await;
    assert!(unknown.is_error());
    mount.client().cleanup().await.unwrap();
    host.shutdown().await;
    assert!(host.process.exit(LONG).await.success());
    host.process.stdout.end().await;
    assert_eq!(host.process.stdout.lines().len(), 1);
}
