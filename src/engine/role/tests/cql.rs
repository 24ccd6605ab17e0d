//! A client of CQL's native protocol, version 4, that connects with a secure connect bundle: as much
//! as shows what a credential reaches.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::DigitallySignedStruct;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::danger::ServerCertVerified;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::UnixTime;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const ERROR: u8 = 0;
const STARTUP: u8 = 1;
const AUTHENTICATE: u8 = 3;
const QUERY: u8 = 7;
const AUTH_RESPONSE: u8 = 15;
const AUTH_SUCCESS: u8 = 16;

/// A connection whose credential was accepted.
pub struct Session(TlsStream<TcpStream>);

impl Session {
    /// Connects to `address` with the bundle at `link` and a client id and its secret.
    pub async fn open(link: &str, address: SocketAddr, login: &(String, String)) -> Self {
        let bundle = bundle(link).await;
        let settings: Value = serde_json::from_slice(&bundle["config.json"]).unwrap();
        let port = u16::try_from(settings["port"].as_u64().unwrap()).unwrap();
        let metadata = SocketAddr::new(address.ip(), port);
        let node = node(&bundle, metadata).await;
        let mut session = Self(connect(&bundle, &node, address).await);
        let startup = [&[0, 1][..], &short("CQL_VERSION"), &short("3.0.0")].concat();
        assert_eq!(session.call(STARTUP, &startup).await.0, AUTHENTICATE);
        let response = long(&format!("\0{}\0{}", login.0, login.1));
        let answer = session.call(AUTH_RESPONSE, &response).await;
        assert_eq!(answer.0, AUTH_SUCCESS, "{answer:?}");
        session
    }

    /// The error's text, if the server answers with one.
    pub async fn query(&mut self, text: &str) -> Result<(), String> {
        let body = [long(text), vec![0, 1, 0]].concat();
        match self.call(QUERY, &body).await {
            // Four bytes of the code, two of the text's length.
            (ERROR, body) => Err(String::from_utf8_lossy(&body[6..]).into_owned()),
            _ => Ok(()),
        }
    }

    async fn call(&mut self, opcode: u8, body: &[u8]) -> (u8, Vec<u8>) {
        let mut frame = vec![4, 0, 0, 1, opcode];
        frame.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
        frame.extend(body);
        self.0.write_all(&frame).await.unwrap();
        self.0.flush().await.unwrap();
        let mut header = [0; 9];
        self.0.read_exact(&mut header).await.unwrap();
        let length = u32::from_be_bytes(header[5..].try_into().unwrap());
        let mut body = vec![0; length as usize];
        self.0.read_exact(&mut body).await.unwrap();
        (header[4], body)
    }
}

fn short(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap().to_be_bytes();
    [&length, text.as_bytes()].concat()
}

fn long(text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap().to_be_bytes();
    [&length, text.as_bytes()].concat()
}

type Bundle = BTreeMap<String, Vec<u8>>;

async fn bundle(link: &str) -> Bundle {
    let request = reqwest::Client::new()
        .get(link)
        .header("User-Agent", "test");
    let zip = request.send().await.unwrap().bytes().await.unwrap();
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

/// The id of a node, by which the proxy before the nodes knows where a connection is to go.
async fn node(bundle: &Bundle, metadata: SocketAddr) -> String {
    let mut stream = connect(bundle, "127.0.0.1", metadata).await;
    let request = b"GET /metadata?version=1 HTTP/1.0\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let found: Value = serde_json::from_str(body).unwrap();
    let points = &found["contact_info"]["contact_points"];
    points[0].as_str().unwrap().to_owned()
}

async fn connect(bundle: &Bundle, name: &str, address: SocketAddr) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(&bundle["ca.crt"]).unwrap();
    roots.add(authority).unwrap();
    let provider = Arc::new(default_provider());
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
    let certificate = CertificateDer::from_pem_slice(&bundle["cert"]).unwrap();
    let key = PrivateKeyDer::from_pem_slice(&bundle["key"]).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(ByAddress(verifier.unwrap())))
        .with_client_auth_cert(vec![certificate], key)
        .unwrap();
    let tcp = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, tcp).await.unwrap()
}

/// Compares the certificate with the address, as drivers do: the name is a node's id.
#[derive(Debug)]
struct ByAddress(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for ByAddress {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let verifier = &self.0;
        verifier.verify_server_cert(certificate, intermediates, &name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let verifier = &self.0;
        verifier.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let verifier = &self.0;
        verifier.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
