//! The proxy for Astra's own host names: the DevOps API, a database's APIs over HTTP, and gRPC.

use std::sync::Arc;

use astra_emulator::Options;
use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::Full;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::harness::*;

const UNAUTHENTICATED: &str = "16";
const INVALID_ARGUMENT: &str = "3";
const UNIMPLEMENTED: &str = "12";

async fn astra() -> Astra {
    Astra::with(Options {
        proxy: true,
        ..Options::default()
    })
    .await
}

/// A client that knows nothing but the proxy and the CA.
fn behind(astra: &Astra) -> reqwest::Client {
    let pem = astra.emulator.ca_pem().unwrap();
    let ca = reqwest::Certificate::from_pem(pem.as_bytes()).unwrap();
    let proxy = astra.emulator.proxy_url().unwrap();
    client()
        .tls_certs_only([ca])
        .proxy(reqwest::Proxy::https(proxy).unwrap())
        .build()
        .unwrap()
}

/// The name of the first region of `vector_db`.
fn data_host(astra: &Astra) -> String {
    let seed = &astra.emulator.seeds().databases["vector_db"];
    format!("{}-{}.apps.astra.datastax.com", seed.id, seed.region)
}

fn rules(astra: &Astra) -> Vec<&'static str> {
    let violations = astra.emulator.violations();
    violations.iter().map(|own| own.rule).collect()
}

#[tokio::test]
async fn astras_own_names_lead_to_the_emulator() {
    let astra = astra().await;
    let http = behind(&astra);
    let token = astra.emulator.root_token();
    for api in ["api.astra.datastax.com", "api.dev.cloud.datastax.com"] {
        let sent = http
            .get(format!("https://{api}/v2/currentOrg"))
            .header("accept", "application/json")
            .bearer_auth(&token)
            .send()
            .await
            .unwrap();
        assert_eq!(sent.status(), 200, "{api}");
    }
    let url = format!("https://{}/api/json/v1/app", data_host(&astra));
    let ask = async |token: &str| {
        let request = http.post(&url).header("accept", "application/json");
        let request = request.header("Token", token);
        let sent = request.json(&json!({"findCollections": {}})).send().await;
        got(sent.unwrap()).await
    };
    let found = ask(&token).await;
    assert_eq!(found.0, 200, "{}", found.1);
    assert_eq!(parsed(&found), json!({"status": {"collections": []}}));
    assert_eq!(ask(&astra.seed("deleted")).await.0, 401);
    assert_eq!(rules(&astra), Vec::<&str>::new());
}

#[tokio::test]
async fn other_hosts_are_refused_and_recorded() {
    let astra = astra().await;
    let http = behind(&astra);
    for url in [
        "https://example.com/",
        "https://api.astra.datastax.com:8443/v2/currentOrg",
    ] {
        assert!(http.get(url).send().await.is_err(), "{url}");
    }
    assert_eq!(rules(&astra), ["proxy", "proxy"]);
    let address = astra.emulator.proxy_url().unwrap();
    let sent = astra.http.get(address).send().await.unwrap();
    assert_eq!(sent.status(), 405);
    assert_eq!(rules(&astra), ["proxy", "proxy", "proxy"]);
}

/// A TLS connection to `host` through the proxy, which offers HTTP/2 only.
async fn tunnel(astra: &Astra, host: &str) -> TlsStream<TcpStream> {
    let address = astra.emulator.proxy_url().unwrap();
    let address = address.strip_prefix("http://").unwrap();
    let mut tcp = TcpStream::connect(address).await.unwrap();
    let request = format!("CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n");
    tcp.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tcp.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 200 "));
    let mut roots = RootCertStore::empty();
    let pem = astra.emulator.ca_pem().unwrap();
    let ca = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    roots.add(ca).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, tcp).await.unwrap()
}

/// The status of a call of gRPC, and its message, written and read by hand.
async fn grpc(astra: &Astra, method: &str, token: &str, cql: &str) -> (String, Vec<u8>) {
    let host = data_host(astra);
    let io = TokioIo::new(tunnel(astra, &host).await);
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
        .await
        .unwrap();
    tokio::spawn(connection);
    // Query: member 1 is the text.  In front of a message: not compressed, and its length.
    let length = u8::try_from(cql.len()).unwrap();
    let mut body = vec![0, 0, 0, 0, length + 2, 0x0a, length];
    body.extend(cql.as_bytes());
    let request = http::Request::post(format!("https://{host}{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("x-cassandra-token", token)
        .body(Full::new(Bytes::from(body)))
        .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let (head, body) = answer.into_parts();
    let body = body.collect().await.unwrap();
    let trailers = body.trailers().unwrap_or(&head.headers).clone();
    let status = trailers["grpc-status"].to_str().unwrap().to_owned();
    (status, body.to_bytes().to_vec())
}

#[tokio::test]
async fn grpc_answers_one_query_to_a_live_token() {
    const METHOD: &str = "/stargate.Stargate/ExecuteQuery";
    const CQL: &str = "SELECT release_version FROM system.local";
    let astra = astra().await;
    let token = astra.emulator.root_token();
    let (status, message) = grpc(&astra, METHOD, &token, CQL).await;
    assert_eq!(status, "0");
    // Response 1 { result set 1 { column 1 { type 1 { basic 1 = 13 }, name 2 }, row 2 { value 1 {
    // text 7 } } } }
    let mut expected = vec![
        0, 0, 0, 0, 37, 0x0a, 35, 0x0a, 21, 0x0a, 2, 0x08, 13, 0x12, 15,
    ];
    expected.extend(b"release_version");
    expected.extend([0x12, 10, 0x0a, 8, 0x3a, 6]);
    expected.extend(b"4.0.11");
    assert_eq!(message, expected);

    let dead = astra.seed("deleted");
    for (method, token, cql, expected) in [
        (METHOD, dead.as_str(), CQL, UNAUTHENTICATED),
        (METHOD, "nonsense", CQL, UNAUTHENTICATED),
        (METHOD, token.as_str(), "SELECT 1", INVALID_ARGUMENT),
        (
            "/stargate.Stargate/Other",
            token.as_str(),
            CQL,
            UNIMPLEMENTED,
        ),
    ] {
        let (status, message) = grpc(&astra, method, token, cql).await;
        assert_eq!(
            (status.as_str(), message.len()),
            (expected, 0),
            "{method} {cql}"
        );
    }
    // The token that is none.
    assert_eq!(rules(&astra), ["token_header"]);
}

#[tokio::test]
async fn the_devops_api_has_no_http_2() {
    let astra = astra().await;
    let mut stream = tunnel(&astra, "api.astra.datastax.com").await;
    let mut rest = Vec::new();
    // The connection ends, with or without TLS's own end.
    let _ended = stream.read_to_end(&mut rest).await;
    assert_eq!(rest, b"");
    assert_eq!(rules(&astra), ["http"]);
}
