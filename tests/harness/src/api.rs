//! Vault's HTTP API, as a client without a library would use it.

use std::time::Duration;

use reqwest::Client;
use reqwest::Method;
use serde_json::Value;
use serde_json::json;

/// A client of one Vault server with one token.
///
/// Paths are given without `/v1/`. A client belongs to the runtime in which it was made.
#[derive(Clone)]
pub struct Api {
    address: String,
    token: String,
    wrap_ttl: Option<String>,
    namespace: Option<String>,
    client: Client,
}

/// What Vault answered.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body; `null` when there was none, a string when it was not JSON.
    pub body: Value,
    request: String,
}

impl Api {
    /// A client of the server at `address`, such as `http://127.0.0.1:8200`.
    pub fn new(address: &str, token: &str) -> Self {
        let client = Client::builder()
            // Vault itself gives a request 90 seconds.
            .timeout(Duration::from_secs(150))
            // Vault closes a connection on which no request has come for ten seconds; on a busy machine some
            // pass between the decision for a connection and its use.
            .pool_idle_timeout(Duration::from_secs(1))
            .no_proxy()
            .build()
            .expect("an HTTP client");
        Self {
            address: address.to_owned(),
            token: token.to_owned(),
            wrap_ttl: None,
            namespace: None,
            client,
        }
    }

    /// The same client with another token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    /// The same client asking for wrapped responses.
    #[must_use]
    pub fn with_wrap_ttl(&self, ttl: &str) -> Self {
        Self {
            wrap_ttl: Some(ttl.to_owned()),
            ..self.clone()
        }
    }

    /// The same client in a namespace.
    #[must_use]
    pub fn in_namespace(&self, namespace: &str) -> Self {
        Self {
            namespace: Some(namespace.to_owned()),
            ..self.clone()
        }
    }

    /// The token it sends.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The server it talks to.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// GET.
    pub async fn read(&self, path: &str) -> Reply {
        self.request(Method::GET, path, None).await
    }

    /// LIST.
    pub async fn list(&self, path: &str) -> Reply {
        self.request(list_method(), path, None).await
    }

    /// PUT with a JSON body.
    pub async fn write(&self, path: &str, body: Value) -> Reply {
        self.request(Method::PUT, path, Some(body)).await
    }

    /// PATCH with a JSON merge patch.
    pub async fn patch(&self, path: &str, body: Value) -> Reply {
        self.request(Method::PATCH, path, Some(body)).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Reply {
        self.request(Method::DELETE, path, None).await
    }

    /// Any request; panics only when no HTTP answer came back.
    pub async fn request(&self, method: Method, path: &str, body: Option<Value>) -> Reply {
        let request = format!("{method} {path}");
        self.try_request(method, path, body)
            .await
            .unwrap_or_else(|error| {
                panic!("no answer to {request} from {}: {error:?}", self.address)
            })
    }

    /// Any request; an error when no HTTP answer came back, as from a server that was killed.
    pub async fn try_request(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Reply, reqwest::Error> {
        let request = format!("{method} {path}");
        let patch = method == Method::PATCH;
        let mut builder = self
            .client
            .request(method, format!("{}/v1/{path}", self.address))
            .header("x-vault-request", "true");
        if !self.token.is_empty() {
            builder = builder.header("x-vault-token", &self.token);
        }
        if let Some(ttl) = &self.wrap_ttl {
            builder = builder.header("x-vault-wrap-ttl", ttl);
        }
        if let Some(namespace) = &self.namespace {
            builder = builder.header("x-vault-namespace", namespace);
        }
        if let Some(body) = body {
            let kind = if patch {
                "application/merge-patch+json"
            } else {
                "application/json"
            };
            builder = builder.header("content-type", kind).body(body.to_string());
        }
        let response = builder.send().await?;
        let status = response.status().as_u16();
        let bytes = response.bytes().await?;
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()))
        };
        Ok(Reply {
            status,
            body,
            request,
        })
    }

    /// A token that has just `policies`, for use with [`Self::with_token`].
    pub async fn child_token(&self, policies: &[&str]) -> String {
        self.write(
            "auth/token/create",
            json!({ "policies": policies, "ttl": "1h" }),
        )
        .await
        .ok()["auth"]["client_token"]
            .as_str()
            .expect("a client token")
            .to_owned()
    }
}

impl Reply {
    /// Whether the status is 2xx.
    pub fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body of a success; panics with the whole answer otherwise.
    pub fn ok(self) -> Value {
        assert!(
            self.is_ok(),
            "{} gave {}: {}",
            self.request,
            self.status,
            self.body
        );
        self.body
    }

    /// The `data` object of a success.
    pub fn data(self) -> Value {
        self.ok()["data"].take()
    }

    /// The error texts of a failure with `status`, joined; panics on anything else.
    pub fn refused(self, status: u16) -> String {
        assert_eq!(self.status, status, "{} gave {}", self.request, self.body);
        texts(&self.body["errors"]).join("\n")
    }

    /// The warnings.
    pub fn warnings(&self) -> Vec<String> {
        texts(&self.body["warnings"])
    }

    /// Whether the server does not have what the path is for.
    pub fn is_unsupported(&self) -> bool {
        let refusals = ["unsupported path", "enterprise-only feature"];
        texts(&self.body["errors"])
            .iter()
            .any(|text| refusals.iter().any(|refusal| text.contains(refusal)))
    }

    /// The keys of a list; empty for the 404 of an empty list.
    pub fn keys(self) -> Vec<String> {
        if self.status == 404 && self.body["errors"].as_array().is_some_and(Vec::is_empty) {
            return Vec::new();
        }
        texts(&self.data()["keys"])
    }
}

/// Vault's own verb for listing.
fn list_method() -> Method {
    Method::from_bytes(b"LIST").expect("a method name")
}

fn texts(value: &Value) -> Vec<String> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}
