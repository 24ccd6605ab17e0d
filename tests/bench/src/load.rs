//! A load generator that costs little: one kept connection per client, no retries, no parsing.

use std::cell::Cell;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::LocalSet;

/// One request, sent again and again.
#[derive(Debug, Clone)]
pub(crate) struct Shot {
    /// Such as `http://127.0.0.1:8200`.
    pub(crate) address: String,
    pub(crate) token: String,
    pub(crate) method: &'static str,
    /// With `/v1/`.
    pub(crate) path: String,
    pub(crate) body: Option<String>,
}

/// What a burst of requests took.
#[derive(Debug, Clone)]
pub(crate) struct Burst {
    pub(crate) count: usize,
    pub(crate) elapsed: Duration,
    /// Sorted.
    pub(crate) latencies: Vec<Duration>,
}

impl Burst {
    pub(crate) fn per_second(&self) -> f64 {
        self.count as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency that the share `part` of the requests did not exceed, in milliseconds.
    pub(crate) fn percentile_ms(&self, part: f64) -> f64 {
        let last = self.latencies.len() - 1;
        let index = (last as f64 * part).round() as usize;
        self.latencies[index].as_secs_f64() * 1e3
    }
}

/// Sends `count` requests over `clients` connections; panics on any answer but 200.
pub(crate) async fn burst(shot: &Shot, clients: usize, count: usize) -> Burst {
    let local = LocalSet::new();
    let latencies = Rc::new(RefCell::new(Vec::with_capacity(count)));
    let left = Rc::new(Cell::new(count));
    let elapsed = local
        .run_until(async {
            let mut senders = Vec::new();
            for _ in 0..clients {
                senders.push(connect(&shot.address).await);
            }
            let begin = Instant::now();
            let tasks: Vec<_> = senders
                .into_iter()
                .map(|sender| {
                    tokio::task::spawn_local(client(
                        shot.clone(),
                        sender,
                        Rc::clone(&left),
                        Rc::clone(&latencies),
                    ))
                })
                .collect();
            for task in tasks {
                task.await.expect("a client");
            }
            begin.elapsed()
        })
        .await;
    let mut latencies = latencies.take();
    latencies.sort_unstable();
    Burst {
        count,
        elapsed,
        latencies,
    }
}

async fn client(
    shot: Shot,
    mut sender: SendRequest<Full<Bytes>>,
    left: Rc<Cell<usize>>,
    latencies: Rc<RefCell<Vec<Duration>>>,
) {
    let body = Bytes::from(shot.body.clone().unwrap_or_default());
    while left.get() > 0 {
        left.set(left.get() - 1);
        let request = Request::builder()
            .method(shot.method)
            .uri(&shot.path)
            .header("host", "vault")
            .header("x-vault-token", &shot.token)
            .body(Full::new(body.clone()))
            .expect("a request");
        let begin = Instant::now();
        sender.ready().await.expect("a connection that Vault keeps");
        let answer = sender.send_request(request).await.expect("an answer");
        let status = answer.status();
        let bytes = answer
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        latencies.borrow_mut().push(begin.elapsed());
        assert_eq!(
            status,
            200,
            "{} {}: {}",
            shot.method,
            shot.path,
            String::from_utf8_lossy(&bytes)
        );
    }
}

/// One request to another server; gives the JSON of its answer.
pub(crate) async fn once(address: &str, method: &str, path: &str, body: &Value) -> Value {
    let local = LocalSet::new();
    let bytes = local
        .run_until(async {
            let mut sender = connect(address).await;
            let body = if body.is_null() {
                String::new()
            } else {
                body.to_string()
            };
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header("host", "emulator")
                .header("content-type", "application/json")
                .body(Full::new(Bytes::from(body)))
                .expect("a request");
            let answer = sender.send_request(request).await.expect("an answer");
            assert!(
                answer.status().is_success(),
                "{method} {path}: {}",
                answer.status()
            );
            answer
                .into_body()
                .collect()
                .await
                .expect("a body")
                .to_bytes()
        })
        .await;
    serde_json::from_slice(&bytes).unwrap_or(Value::Null)
}

/// Reads the answer to a `GET` with a bearer token and returns its length in bytes.
pub(crate) async fn drain(address: &str, path: &str, token: &str) -> usize {
    let local = LocalSet::new();
    let drained = local.run_until(async {
        let mut sender = connect(address).await;
        let request = Request::get(path)
            .header("host", "emulator")
            .header("user-agent", "bench")
            .header("accept", "application/json")
            .header("authorization", format!("Bearer {token}"))
            .body(Full::new(Bytes::new()))
            .expect("a request");
        let answer = sender.send_request(request).await.expect("an answer");
        assert_eq!(answer.status(), 200, "GET {path}");
        let (mut body, mut length) = (answer.into_body(), 0);
        while let Some(frame) = body.frame().await {
            let frame = frame.expect("a part of the body");
            length += frame.data_ref().map_or(0, Bytes::len);
        }
        length
    });
    drained.await
}

async fn connect(address: &str) -> SendRequest<Full<Bytes>> {
    let authority = address.trim_start_matches("http://");
    let stream = TcpStream::connect(authority)
        .await
        .expect("a server that listens");
    stream.set_nodelay(true).expect("a TCP option");
    let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
    tokio::task::spawn_local(async move {
        let _ = connection.await;
    });
    sender
}
