//! A server that records what it is asked and answers with scripted bytes.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the server does with a request it has read.
#[derive(Clone)]
pub(super) enum Act {
    /// Waits for the signal, then does the other.
    After(watch::Receiver<bool>, Box<Act>),
    /// Sends these bytes and keeps the connection.
    Answer(Vec<u8>),
    /// Sends these bytes, then closes the connection.
    Break(Vec<u8>),
    /// Sends these bytes, then nothing more until the client goes away.
    Hang(Vec<u8>),
}

/// An answer with a body of JSON.
pub(super) fn json(status: u16, body: &str) -> Act {
    answer(
        status,
        "content-type: application/json; charset=UTF-8\r\n",
        body,
    )
}

/// An answer with these header lines, each ended by CR LF.
pub(super) fn answer(status: u16, headers: &str, body: &str) -> Act {
    Act::Answer(bytes(status, headers, body))
}

pub(super) fn bytes(status: u16, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\n\r\n{body}").into_bytes()
}

/// The router's answer to an unknown path.
pub(super) fn router_404() -> Act {
    answer(
        404,
        "content-type: text/plain; charset=utf-8\r\n",
        "404 page not found\n",
    )
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) body: String,
    /// The header lines, lower-case names, sorted.
    pub(super) headers: Vec<String>,
    /// Method and target, for instance `GET /v2/currentOrg`.
    pub(super) line: String,
}

pub(super) struct Server {
    /// The most requests that were in flight at the same time.
    pub(super) peak: Arc<AtomicUsize>,
    pub(super) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Answers each request as `script` says, which is given the request and its number from 0.
    pub(super) async fn start<S>(script: S) -> Self
    where
        S: Fn(&Seen, usize) -> Act + Send + Sync + 'static,
    {
        Self::accept(script, |stream| async { Some(stream) }).await
    }

    /// The same behind `upgrade`, which may wrap or refuse a connection.
    pub(super) async fn accept<S, U, F, C>(script: S, upgrade: U) -> Self
    where
        S: Fn(&Seen, usize) -> Act + Send + Sync + 'static,
        U: Fn(tokio::net::TcpStream) -> F + Send + Sync + 'static,
        F: Future<Output = Option<C>> + Send + 'static,
        C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let peak: Arc<AtomicUsize> = Arc::default();
        let in_flight: Arc<AtomicUsize> = Arc::default();
        let script = Arc::new(script);
        let task = tokio::spawn({
            let (seen, peak) = (Arc::clone(&seen), Arc::clone(&peak));
            async move {
                // Dropped with this task, so that no connection outlives the test.
                let mut connections = tokio::task::JoinSet::new();
                while let Ok((stream, _)) = listener.accept().await {
                    let upgraded = upgrade(stream);
                    let (script, seen) = (Arc::clone(&script), Arc::clone(&seen));
                    let (peak, in_flight) = (Arc::clone(&peak), Arc::clone(&in_flight));
                    connections.spawn(async move {
                        let Some(mut stream) = upgraded.await else {
                            return;
                        };
                        while let Some(request) = read(&mut stream).await {
                            let now = in_flight.fetch_add(1, Ordering::SeqCst) + 1;
                            peak.fetch_max(now, Ordering::SeqCst);
                            let act = {
                                let mut seen = seen.lock();
                                seen.push(request.clone());
                                script(&request, seen.len() - 1)
                            };
                            let act = released(act).await;
                            in_flight.fetch_sub(1, Ordering::SeqCst);
                            if !perform(&mut stream, act).await {
                                return;
                            }
                        }
                    });
                }
            }
        });
        Self {
            peak,
            url,
            seen,
            task,
        }
    }

    /// What was asked so far.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().clone()
    }

    /// Method and target of what was asked so far.
    pub(super) fn lines(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.line).collect()
    }
}

async fn released(mut act: Act) -> Act {
    while let Act::After(mut signal, then) = act {
        signal.wait_for(|is_given| *is_given).await.unwrap();
        act = *then;
    }
    act
}

/// Whether the connection goes on.
async fn perform<C: AsyncRead + AsyncWrite + Unpin>(stream: &mut C, act: Act) -> bool {
    let (bytes, goes_on) = match &act {
        Act::After(..) => panic!("the signal was waited for"),
        Act::Answer(bytes) => (bytes, true),
        Act::Break(bytes) | Act::Hang(bytes) => (bytes, false),
    };
    if stream.write_all(bytes).await.is_err() || stream.flush().await.is_err() {
        return false;
    }
    if matches!(act, Act::Hang(_)) {
        let _ = stream.read(&mut [0; 64]).await;
    }
    goes_on
}

async fn read<C: AsyncRead + Unpin>(stream: &mut C) -> Option<Seen> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.trim_end().split("\r\n");
    let line = lines
        .next()
        .unwrap()
        .strip_suffix(" HTTP/1.1")
        .unwrap()
        .to_owned();
    let mut headers: Vec<String> = lines
        .map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            format!("{}: {value}", name.to_ascii_lowercase())
        })
        .collect();
    headers.sort();
    let length = headers
        .iter()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await.ok()?;
    Some(Seen {
        body: String::from_utf8(body).unwrap(),
        headers,
        line,
    })
}
