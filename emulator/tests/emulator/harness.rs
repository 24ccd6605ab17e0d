//! An emulator with a client at hand.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use astra_emulator::Emulator;
use astra_emulator::FaultRule;
use astra_emulator::Options;
use reqwest::Method;
use reqwest::RequestBuilder;
use reqwest::Response;
use serde_json::Value;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// A limit for what always comes: only so that a test that fails ends.
pub(crate) const LONG: Duration = Duration::from_secs(300);
pub(crate) const API_RO_USER: &str = "5dc84d0d-4fdd-4ec2-a223-71341b6d7685";
pub(crate) const RW_USER: &str = "b73e44b2-b9e9-43b8-a7c1-c6a2fe2dab50";
pub(crate) const ORG_ADMIN: &str = "ad0566b5-2a67-49de-89e8-92258c2f2c98";
pub(crate) const UNKNOWN_ROLE: &str = "00000000-0000-4000-8000-000000000000";

pub(crate) struct Astra {
    pub(crate) emulator: Emulator,
    pub(crate) http: reqwest::Client,
}

pub(crate) fn client() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .http1_only()
        .user_agent("emulator-tests/1")
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(150))
}

/// Status and body.
pub(crate) type Got = (u16, String);

pub(crate) async fn got(response: Response) -> Got {
    (response.status().as_u16(), response.text().await.unwrap())
}

pub(crate) fn parsed(got: &Got) -> Value {
    serde_json::from_str(&got.1).unwrap()
}

impl Astra {
    pub(crate) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        Self {
            emulator: Emulator::start(options).await.unwrap(),
            http: client().build().unwrap(),
        }
    }

    /// A token of the seeds by name.
    pub(crate) fn seed(&self, name: &str) -> String {
        self.emulator.seeds().tokens[name].token.clone()
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.http
            .request(method, format!("{}{path}", self.emulator.url()))
            .header("accept", "application/json")
    }

    pub(crate) async fn call_as(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Got {
        let request = self.request(method, path).bearer_auth(token);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        got(request.send().await.unwrap()).await
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Got {
        self.call_as(&self.emulator.root_token(), method, path, body)
            .await
    }

    pub(crate) async fn get(&self, path: &str) -> Got {
        self.call("GET", path, None).await
    }

    /// POSTs a create and gives the raw outcome.
    pub(crate) async fn create(&self, body: Value) -> Got {
        self.call("POST", "/v2/clientIdSecrets", Some(body)).await
    }

    /// Mints a good token.
    pub(crate) async fn mint(&self) -> Value {
        let got = self.create(json!({"roles": [API_RO_USER]})).await;
        assert_eq!(got.0, 200, "{}", got.1);
        parsed(&got)
    }

    pub(crate) async fn delete(&self, client_id: &str) -> Got {
        self.call("DELETE", &format!("/v2/clientIdSecrets/{client_id}"), None)
            .await
    }

    /// Client ids in the token list.
    pub(crate) async fn listed(&self) -> Vec<String> {
        let list = parsed(&self.get("/v2/clientIdSecrets").await);
        list["clients"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["clientId"].as_str().unwrap().to_owned())
            .collect()
    }

    pub(crate) fn fault(&self, rule: Value) -> u64 {
        let rule: FaultRule = serde_json::from_value(rule).unwrap();
        self.emulator.add_fault(rule).unwrap()
    }

    pub(crate) fn knobs(&self, knobs: Value) {
        self.emulator.set_knobs(knobs).unwrap();
    }

    pub(crate) fn violations(&self) -> Vec<&'static str> {
        self.emulator
            .violations()
            .iter()
            .map(|violation| violation.rule)
            .collect()
    }

    /// Whether a token authenticates.
    pub(crate) async fn works(&self, token: &str) -> bool {
        let got = self.call_as(token, "GET", "/v2/currentOrg", None).await;
        assert!(matches!(got.0, 200 | 401), "{got:?}");
        got.0 == 200
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.emulator
            .url()
            .rsplit_once('/')
            .unwrap()
            .1
            .parse()
            .unwrap()
    }

    /// Sends bytes as they are and reads until the connection ends.
    pub(crate) async fn raw(&self, request: &str) -> (String, Option<ErrorKind>) {
        let mut tcp = TcpStream::connect(self.address()).await.unwrap();
        tcp.write_all(request.as_bytes()).await.unwrap();
        read_all(&mut tcp).await
    }

    /// A request for [`Self::raw`] with the root token.
    pub(crate) fn raw_request(&self, line: &str, headers: &str, body: &str) -> String {
        let token = self.emulator.root_token();
        format!(
            "{line} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n{headers}\r\n{body}"
        )
    }

    /// A well-formed create for [`Self::raw`].
    pub(crate) fn raw_create(&self) -> String {
        let body = json!({"roles": [API_RO_USER]}).to_string();
        let headers = format!(
            "accept: */*\r\nuser-agent: raw/1\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n",
            body.len()
        );
        self.raw_request("POST /v2/clientIdSecrets", &headers, &body)
    }
}

/// Sends a request, and closes its connection once `has_arrived`, before any answer.
pub(crate) async fn give_up(request: RequestBuilder, has_arrived: impl Fn() -> bool) {
    let mut sent = std::pin::pin!(request.send());
    while !has_arrived() {
        tokio::select! {
            answer = &mut sent => panic!("it was answered: {answer:?}"),
            () = tokio::time::sleep(Duration::from_millis(2)) => {}
        }
    }
}

/// Reads until the end, an error, or three seconds of silence (`WouldBlock`), in which a busy machine has run the
/// emulator.
pub(crate) async fn read_all(tcp: &mut TcpStream) -> (String, Option<ErrorKind>) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let silence = Duration::from_secs(3);
        match tokio::time::timeout(silence, tcp.read(&mut buffer)).await {
            Err(_) => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                return (text, Some(ErrorKind::WouldBlock));
            }
            Ok(Ok(0)) => return (String::from_utf8_lossy(&bytes).into_owned(), None),
            Ok(Ok(n)) => bytes.extend_from_slice(&buffer[..n]),
            Ok(Err(error)) => {
                return (
                    String::from_utf8_lossy(&bytes).into_owned(),
                    Some(error.kind()),
                );
            }
        }
    }
}
