//! Secure connect bundles that work, the metadata service, and CQL with the ledger's credentials.

mod upstream;

use std::collections::BTreeMap;
use std::io::Cursor;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use astra_emulator::CqlCredential;
use astra_emulator::CqlOutcome;
use astra_emulator::Options;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::harness::*;

const STARTUP: u8 = 1;
const OPTIONS: u8 = 5;
const QUERY: u8 = 7;
const AUTH_RESPONSE: u8 = 15;
const BAD_CREDENTIALS: i32 = 0x0100;
const PROTOCOL: i32 = 0x000A;

async fn astra() -> Astra {
    Astra::with(Options {
        cql: true,
        ..Options::default()
    })
    .await
}

type Bundle = BTreeMap<String, Vec<u8>>;

/// The files of the bundle of a region of `vector_db`.
async fn bundle(astra: &Astra, region: usize) -> Bundle {
    let id = &astra.emulator.seeds().databases["vector_db"].id;
    let path = format!("/v2/databases/{id}/secureBundleURL?all=true");
    let links = parsed(&astra.call("POST", &path, None).await);
    let url = links[region]["downloadURL"].as_str().unwrap();
    let zip = astra.http.get(url).send().await.unwrap();
    let zip = zip.bytes().await.unwrap();
    let mut archive = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
    let mut files = Bundle::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).unwrap();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        files.insert(file.name().unwrap().into_owned(), content);
    }
    files
}

fn tls(bundle: &Bundle, identity: bool) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(&bundle["ca.crt"]).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = if identity {
        let certificate = CertificateDer::from_pem_slice(&bundle["cert"]).unwrap();
        let key = PrivateKeyDer::from_pem_slice(&bundle["key"]).unwrap();
        builder
            .with_client_auth_cert(vec![certificate], key)
            .unwrap()
    } else {
        builder.with_no_client_auth()
    };
    config.enable_sni = true;
    TlsConnector::from(Arc::new(config))
}

async fn metadata(astra: &Astra, bundle: &Bundle) -> (String, Value) {
    let address = astra.emulator.metadata_address().unwrap();
    let tcp = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut stream = tls(bundle, true).connect(name, tcp).await.unwrap();
    let request = b"GET /metadata?version=1 HTTP/1.0\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (
        head.to_ascii_lowercase(),
        serde_json::from_str(body).unwrap(),
    )
}

async fn host_id(astra: &Astra, bundle: &Bundle) -> String {
    let (_, found) = metadata(astra, bundle).await;
    found["contact_info"]["contact_points"][0]
        .as_str()
        .unwrap()
        .to_owned()
}

/// A connection with frames.
struct Cql(TlsStream<TcpStream>);

/// Kind and body of an answer.
type Answered = (u8, Vec<u8>);

impl Cql {
    async fn open(astra: &Astra, bundle: &Bundle) -> Self {
        let host_id = host_id(astra, bundle).await;
        Self::with_sni(astra, bundle, &host_id).await
    }

    /// Checks the server as drivers do: by its own name, whatever the SNI.
    async fn with_sni(astra: &Astra, bundle: &Bundle, sni: &str) -> Self {
        let tcp = TcpStream::connect(astra.emulator.cql_address().unwrap())
            .await
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(&bundle["ca.crt"]).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = rustls::client::WebPkiServerVerifier::builder_with_provider(
            Arc::new(roots),
            provider.clone(),
        )
        .build()
        .unwrap();
        let certificate = CertificateDer::from_pem_slice(&bundle["cert"]).unwrap();
        let key = PrivateKeyDer::from_pem_slice(&bundle["key"]).unwrap();
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(ByAddress(verifier)))
            .with_client_auth_cert(vec![certificate], key)
            .unwrap();
        let name = ServerName::try_from(sni.to_owned()).unwrap();
        let stream = TlsConnector::from(Arc::new(config))
            .connect(name, tcp)
            .await
            .unwrap();
        Self(stream)
    }

    async fn send(&mut self, version: u8, flags: u8, opcode: u8, body: &[u8]) {
        let mut frame = vec![version, flags, 0, 7, opcode];
        frame.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
        frame.extend(body);
        self.0.write_all(&frame).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// `None` at the end of the connection.
    async fn receive(&mut self) -> Option<Answered> {
        let mut header = [0; 9];
        self.0.read_exact(&mut header).await.ok()?;
        assert_eq!(header[..4], [0x84, 0, 0, 7]);
        let length = u32::from_be_bytes(header[5..9].try_into().unwrap());
        let mut body = vec![0; length as usize];
        self.0.read_exact(&mut body).await.unwrap();
        Some((header[4], body))
    }

    async fn call(&mut self, opcode: u8, body: &[u8]) -> Option<Answered> {
        self.send(4, 0, opcode, body).await;
        self.receive().await
    }

    /// STARTUP and the credential: the answer to the latter.
    async fn login(&mut self, user: &str, password: &str) -> Answered {
        let mut startup = vec![0, 2];
        for text in ["CQL_VERSION", "3.0.0", "DRIVER_NAME", "a test"] {
            startup.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
            startup.extend(text.as_bytes());
        }
        let (opcode, _) = self.call(STARTUP, &startup).await.unwrap();
        assert_eq!(opcode, 3, "AUTHENTICATE");
        let response = format!("\0{user}\0{password}");
        let body = long(response.as_bytes());
        self.call(AUTH_RESPONSE, &body).await.unwrap()
    }

    async fn query(&mut self, text: &str) -> Option<Answered> {
        let mut body = long(text.as_bytes());
        body.extend([0, 1, 0]);
        self.call(QUERY, &body).await
    }
}

fn long(bytes: &[u8]) -> Vec<u8> {
    let mut out = u32::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
    out.extend(bytes);
    out
}

fn error_code(answer: &Answered) -> i32 {
    assert_eq!(answer.0, 0, "not an ERROR");
    i32::from_be_bytes(answer.1[..4].try_into().unwrap())
}

fn has(answer: &Answered, text: &str) -> bool {
    answer
        .1
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

/// Compares the certificate with the address instead of the SNI.
#[derive(Debug)]
struct ByAddress(Arc<rustls::client::WebPkiServerVerifier>);

impl rustls::client::danger::ServerCertVerifier for ByAddress {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        let name = ServerName::try_from("127.0.0.1").unwrap();
        self.0
            .verify_server_cert(end_entity, intermediates, &name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        self.0
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        self.0
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Client id, secret and token of a new token with a role of the seeds.
async fn minted(astra: &Astra, role: &str) -> [String; 3] {
    let role = astra.emulator.seeds().roles[role].clone();
    let got = astra.create(json!({"roles": [role]})).await;
    assert_eq!(got.0, 200, "{}", got.1);
    let token = parsed(&got);
    ["clientId", "secret", "token"].map(|name| token[name].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_bundle_has_what_drivers_open() {
    let astra = astra().await;
    let files = bundle(&astra, 0).await;
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "ca.crt",
            "cert",
            "config.json",
            "cqlshrc",
            "identity.jks",
            "key",
            "trustStore.jks"
        ]
    );
    let config: Value = serde_json::from_slice(&files["config.json"]).unwrap();
    assert_eq!(config["host"], "127.0.0.1");
    assert_eq!(config["localDC"], "us-east1");
    assert_eq!(config["keyspace"], "default_keyspace");
    assert_eq!(
        config["port"],
        astra.emulator.metadata_address().unwrap().port()
    );
    assert_eq!(
        config["cql_port"],
        astra.emulator.cql_address().unwrap().port()
    );
    // Where there is a JDK, its own tool reads both key stores.
    for (store, password, entry) in [
        ("identity.jks", "keyStorePassword", "PrivateKeyEntry"),
        ("trustStore.jks", "trustStorePassword", "trustedCertEntry"),
    ] {
        let file = std::env::temp_dir().join(format!("{}-{store}", std::process::id()));
        std::fs::write(&file, &files[store]).unwrap();
        let listed = std::process::Command::new("keytool")
            .args(["-list", "-storetype", "JKS", "-storepass"])
            .arg(config[password].as_str().unwrap())
            .arg("-keystore")
            .arg(&file)
            .output();
        std::fs::remove_file(&file).unwrap();
        if let Ok(output) = listed {
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(text.contains(entry), "{store}: {text}");
        }
    }
    // The same certificate at each download, another for the other region.
    assert_eq!(bundle(&astra, 0).await["cert"], files["cert"]);
    assert_ne!(bundle(&astra, 1).await["cert"], files["cert"]);
}

#[tokio::test]
async fn the_metadata_service_knows_clients_by_their_certificate() {
    let astra = astra().await;
    let (first, second) = (bundle(&astra, 0).await, bundle(&astra, 1).await);
    let (head, found) = metadata(&astra, &first).await;
    assert!(head.starts_with("http/1.0 200"), "{head}");
    assert!(head.contains("content-type: application/json"), "{head}");
    let info = &found["contact_info"];
    assert_eq!(info["local_dc"], "us-east1");
    let address = format!("127.0.0.1:{}", astra.emulator.cql_address().unwrap().port());
    assert_eq!(info["sni_proxy_address"], address);
    let (_, other) = metadata(&astra, &second).await;
    assert_eq!(other["contact_info"]["local_dc"], "europe-west1");
    assert_ne!(
        other["contact_info"]["contact_points"],
        info["contact_points"]
    );

    astra.knobs(json!({"bundle_host": "localhost"}));
    let (_, named) = metadata(&astra, &first).await;
    let address = named["contact_info"]["sni_proxy_address"].as_str().unwrap();
    assert!(address.starts_with("localhost:"), "{address}");

    let id = astra.emulator.seeds().databases["vector_db"].id.clone();
    astra
        .emulator
        .set_database_status(&id, "HIBERNATED")
        .unwrap();
    assert!(metadata(&astra, &first).await.0.starts_with("http/1.0 503"));
}

/// What a client reads that has no certificate, or one of another CA.
async fn without_certificate(astra: &Astra, connector: TlsConnector) -> std::io::Result<usize> {
    let tcp = TcpStream::connect(astra.emulator.metadata_address().unwrap()).await?;
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut stream = connector.connect(name, tcp).await?;
    stream.write_all(b"GET /metadata HTTP/1.0\r\n\r\n").await?;
    stream.read(&mut [0; 64]).await
}

#[tokio::test]
async fn no_certificate_and_no_own_certificate_are_refused() {
    let astra = astra().await;
    let own = bundle(&astra, 0).await;
    let bare = without_certificate(&astra, tls(&own, false)).await;
    let alert = bare.unwrap_err().to_string();
    assert!(alert.contains("CertificateRequired"), "{alert}");

    let elsewhere = self::astra().await;
    let mut foreign = bundle(&elsewhere, 0).await;
    foreign.insert("ca.crt".into(), own["ca.crt"].clone());
    let refused = without_certificate(&astra, tls(&foreign, true)).await;
    refused.unwrap_err();
}

#[tokio::test]
async fn the_server_name_is_a_node_of_the_database() {
    let astra = astra().await;
    let (first, second) = (bundle(&astra, 0).await, bundle(&astra, 1).await);
    let other = host_id(&astra, &second).await;
    for sni in [other.as_str(), "localhost", "127.0.0.1"] {
        let mut cql = Cql::with_sni(&astra, &first, sni).await;
        let written = cql.0.write_all(&[4, 0, 0, 7, OPTIONS, 0, 0, 0, 0]).await;
        drop(written);
        assert!(cql.receive().await.is_none(), "{sni}");
    }
    assert_eq!(astra.violations(), ["cql_sni"; 3]);
    assert!(astra.emulator.cql_connections().is_empty());
}

#[tokio::test]
async fn both_forms_of_a_credential_work_until_it_is_revoked() {
    let astra = astra().await;
    let files = bundle(&astra, 0).await;
    let [id, secret, token] = minted(&astra, "R/W User").await;
    for (user, password, form) in [
        ("token", &token, CqlCredential::Token),
        (id.as_str(), &secret, CqlCredential::Secret),
    ] {
        let mut cql = Cql::open(&astra, &files).await;
        assert_eq!(cql.login(user, password).await.0, 0x10, "{user}");
        assert!(has(&cql.query("USE app").await.unwrap(), "app"));
        assert!(has(&cql.query("select * from t").await.unwrap(), "one"));
        let seen = astra.emulator.cql_connections();
        let seen = seen.last().unwrap();
        assert_eq!(seen.form, Some(form));
        assert_eq!(seen.client_id.as_deref(), Some(id.as_str()));
        assert_eq!(seen.driver.as_deref(), Some("a test"));
        assert_eq!(
            (seen.protocol, seen.statements, seen.outcome),
            (4, 2, CqlOutcome::Open)
        );
    }
    let mut open = Cql::open(&astra, &files).await;
    open.login("token", &token).await;
    assert_eq!(astra.delete(&id).await.0, 204);
    // An open connection is not asked again; a new one is.
    let local = "SELECT release_version FROM system.local WHERE key='local'";
    assert!(has(&open.query(local).await.unwrap(), "4.0.11"));
    for (user, password) in [("token", &token), (id.as_str(), &secret)] {
        let mut cql = Cql::open(&astra, &files).await;
        let refused = cql.login(user, password).await;
        assert_eq!(error_code(&refused), BAD_CREDENTIALS);
        let text = format!("Provided username {user} and/or password are incorrect");
        assert!(has(&refused, &text));
        assert!(cql.receive().await.is_none());
    }
    assert!(astra.emulator.cut_cql(None) >= 1);
    assert!(open.query(local).await.is_none());
    assert!(astra.violations().is_empty(), "{:?}", astra.violations());
    let shown = serde_json::to_string(&astra.emulator.cql_connections()).unwrap();
    assert!(
        !shown.contains(&secret) && !shown.contains(&token),
        "{shown}"
    );
}

#[tokio::test]
async fn credentials_that_do_not_work() {
    let astra = astra().await;
    let files = bundle(&astra, 0).await;
    let [id, secret, token] = minted(&astra, "R/W User").await;
    let nothing = minted(&astra, "Nothing").await;
    let writer = minted(&astra, "Token Writer").await;
    let expired = astra.seed("expired");
    let third = astra.seed("third_org_admin");
    let flipped: String = id
        .chars()
        .map(|letter| match letter.is_ascii_lowercase() {
            true => letter.to_ascii_uppercase(),
            false => letter.to_ascii_lowercase(),
        })
        .collect();
    let cases: [(&str, &str, &[&str]); 8] = [
        ("token", &token[..token.len() - 1], &[]),
        ("token", &nothing[2], &[]),
        ("token", &writer[2], &[]),
        ("token", &expired, &[]),
        ("token", &third, &[]),
        (&id, "wrong", &[]),
        (&flipped, &secret, &["cql_credentials"]),
        ("cassandra", "cassandra", &["cql_credentials"]),
    ];
    for (user, password, violations) in cases {
        astra.emulator.clear_violations();
        let mut cql = Cql::open(&astra, &files).await;
        let refused = cql.login(user, password).await;
        assert_eq!(error_code(&refused), BAD_CREDENTIALS, "{user}");
        assert_eq!(astra.violations(), violations, "{user}");
    }
}

#[tokio::test]
async fn delays_of_the_ledger_hold_for_cql() {
    let astra = astra().await;
    let files = bundle(&astra, 0).await;
    astra.knobs(json!({"create_visible_after_ms": 60_000, "create_visible_scope": "auth"}));
    let [_, _, token] = minted(&astra, "R/W User").await;
    let mut early = Cql::open(&astra, &files).await;
    assert_eq!(
        error_code(&early.login("token", &token).await),
        BAD_CREDENTIALS
    );
    astra.emulator.advance_clock(Duration::from_secs(61));
    let mut late = Cql::open(&astra, &files).await;
    assert_eq!(late.login("token", &token).await.0, 0x10);
}

#[tokio::test]
async fn a_role_opens_its_keyspaces_only() {
    let astra = astra().await;
    let files = bundle(&astra, 0).await;
    let [_, _, token] = minted(&astra, "App Reader").await;
    let mut cql = Cql::open(&astra, &files).await;
    assert_eq!(cql.login("token", &token).await.0, 0x10);
    for (text, code) in [
        ("USE default_keyspace", 0x2100),
        ("SELECT * FROM default_keyspace.t", 0x2100),
        ("USE nowhere", 0x2200),
        ("SELECT * FROM t", 0x2200),
        ("SELECT nonsense FROM app.t", 0x2200),
        ("SELECT * FROM app.other", 0x2200),
        ("SELECT * FROM system.peers_v2", 0x2200),
        ("DROP KEYSPACE app", 0x2000),
    ] {
        assert_eq!(error_code(&cql.query(text).await.unwrap()), code, "{text}");
    }
    let written = cql.query("INSERT INTO app.t(k, v) VALUES (1, 'x')").await;
    assert_eq!(written.unwrap(), (8, vec![0, 0, 0, 1]));
}

#[tokio::test]
async fn frames_that_are_refused() {
    let astra = astra().await;
    let files = bundle(&astra, 0).await;
    for (version, flags, opcode) in [
        (5, 0, OPTIONS),
        (66, 0, OPTIONS),
        (4, 0, QUERY),
        (4, 8, OPTIONS),
    ] {
        let mut cql = Cql::open(&astra, &files).await;
        cql.send(version, flags, opcode, &[]).await;
        let answer = cql.receive().await.unwrap();
        assert_eq!(error_code(&answer), PROTOCOL, "{version} {flags} {opcode}");
        assert!(cql.receive().await.is_none());
    }
    // Version 2 has a header of eight bytes.
    let mut cql = Cql::open(&astra, &files).await;
    cql.0
        .write_all(&[2, 0, 7, OPTIONS, 0, 0, 0, 0])
        .await
        .unwrap();
    let answer = cql.receive().await.unwrap();
    assert!(has(&answer, "supported versions are (3/v3, 4/v4)"));

    let mut cql = Cql::open(&astra, &files).await;
    cql.0
        .write_all(&[4, 0, 0, 7, QUERY, 0, 0x20, 0, 0])
        .await
        .unwrap();
    assert!(has(
        &cql.receive().await.unwrap(),
        "2097152 bytes is longer"
    ));
    assert!(astra.violations().is_empty());

    let mut cql = Cql::open(&astra, &files).await;
    cql.send(4, 1, OPTIONS, &[]).await;
    assert_eq!(error_code(&cql.receive().await.unwrap()), PROTOCOL);
    assert_eq!(astra.violations(), ["cql_compression"]);
}

#[tokio::test]
async fn a_custom_payload_and_the_older_authenticator_are_understood() {
    let astra = astra().await;
    let files = bundle(&astra, 0).await;
    let [_, _, token] = minted(&astra, "R/W User").await;
    let mut cql = Cql::open(&astra, &files).await;
    let startup = b"\0\x01\0\x0bCQL_VERSION\0\x053.0.0";
    cql.call(STARTUP, startup).await.unwrap();
    let challenge = cql.call(AUTH_RESPONSE, &long(b"PLAIN")).await.unwrap();
    assert_eq!(challenge, (0x0E, long(b"PLAIN-START")));
    let response = format!("\0token\0{token}");
    let success = cql.call(AUTH_RESPONSE, &long(response.as_bytes())).await;
    assert_eq!(success.unwrap().0, 0x10);
    let mut body = b"\0\x01\0\x01k\0\0\0\x01v".to_vec();
    body.extend(long(b"SELECT v FROM app.t"));
    body.extend([0, 1, 0]);
    cql.send(4, 4, QUERY, &body).await;
    assert!(has(&cql.receive().await.unwrap(), "one"));
}

#[tokio::test]
async fn a_reset_keeps_the_ports() {
    let astra = astra().await;
    let before = astra.emulator.cql_address();
    astra.emulator.reset(Some(9), None).unwrap();
    assert_eq!(astra.emulator.cql_address(), before);
    let files = bundle(&astra, 0).await;
    let [_, _, token] = minted(&astra, "R/W User").await;
    let mut cql = Cql::open(&astra, &files).await;
    assert_eq!(cql.login("token", &token).await.0, 0x10);
}

#[tokio::test]
async fn the_control_api_shows_and_cuts_connections() {
    let astra = astra().await;
    let files = bundle(&astra, 0).await;
    let [id, _, token] = minted(&astra, "R/W User").await;
    let mut cql = Cql::open(&astra, &files).await;
    cql.login("token", &token).await;
    let control = astra.emulator.control_url();
    let shown = astra.http.get(format!("{control}/control/cql")).send();
    let shown = parsed(&got(shown.await.unwrap()).await);
    assert_eq!(shown[0]["client_id"], id);
    assert_eq!(shown[0]["outcome"], "open");
    assert_eq!(shown[0]["form"], "token");
    let url = format!("{control}/control/cql/cut");
    let none = json!({"database": "00000000-0000-4000-8000-000000000000"});
    for (body, count) in [(none, 0), (json!({}), 1)] {
        let cut = astra.http.post(&url).json(&body).send().await.unwrap();
        assert_eq!(parsed(&got(cut).await), json!({"cut": count}));
    }
    assert!(cql.receive().await.is_none());
}
