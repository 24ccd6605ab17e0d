//! The client over a service in this process, under a paused clock: time is exact and costs nothing.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream;
use http_body_util::StreamBody;
use hyper::body::Frame;
use parking_lot::Mutex;
use reqwest::Body;
use tokio::time::Instant;

use super::ORG;
use super::config;
use super::mint::made;
use super::mint::new_token;
use super::outcome::outcome;
use crate::astra::Client;
use crate::astra::ClientConfig;
use crate::astra::Deadline;
use crate::astra::HttpService;
use crate::astra::SendError;

/// What the service does with each request.
#[derive(Clone)]
enum Act {
    /// Answers after this time.
    Answer(Duration, u16, String),
    /// Never answers.
    Hang,
    /// Answers with this beginning of a body, which never ends.
    HangAfter(String),
    /// Sends a body in parts, one at a time after this time each.
    Slow(Duration, Vec<String>),
    /// Is not there.
    Refuse,
}

#[derive(Default)]
struct Service {
    acts: Mutex<Vec<Act>>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl HttpService for Service {
    fn answer(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'static, Result<http::Response<Body>, SendError>> {
        assert_eq!(request.headers()["user-agent"], "test/1.2.3");
        let line = format!("{} {}", request.method(), request.uri().path());
        self.seen.lock().push(line);
        let mut acts = self.acts.lock();
        let act = match acts.len() {
            1 => acts[0].clone(),
            _ => acts.remove(0),
        };
        Box::pin(act.answer())
    }
}

impl Act {
    async fn answer(self) -> Result<http::Response<Body>, SendError> {
        let (status, body) = match self {
            Self::Answer(after, status, body) => {
                tokio::time::sleep(after).await;
                (status, body.into())
            }
            Self::Hang => std::future::pending().await,
            Self::HangAfter(body) => (200, streamed(vec![body], Duration::ZERO, true)),
            Self::Slow(each, parts) => (200, streamed(parts, each, false)),
            Self::Refuse => return Err(SendError::Unreachable("refused".to_owned())),
        };
        let answer = http::Response::builder().status(status).body(body);
        Ok(answer.unwrap())
    }
}

fn streamed(parts: Vec<String>, each: Duration, hangs: bool) -> Body {
    let parts = stream::iter(parts).then(move |part| async move {
        tokio::time::sleep(each).await;
        Ok::<_, std::io::Error>(Frame::data(Bytes::from(part)))
    });
    match hangs {
        true => Body::wrap(StreamBody::new(Box::pin(parts.chain(stream::pending())))),
        false => Body::wrap(StreamBody::new(Box::pin(parts))),
    }
}

fn client(acts: &[Act], timeout: Duration) -> (Client, Arc<Mutex<Vec<String>>>) {
    let service = Service {
        acts: Mutex::new(acts.to_vec()),
        seen: Arc::default(),
    };
    let seen = Arc::clone(&service.seen);
    let config = ClientConfig {
        request_timeout: timeout,
        ..config("http://127.0.0.1:1")
    };
    let client = Client::in_process(config, Arc::new(service));
    (client.unwrap_or_else(|error| panic!("{error}")), seen)
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_is_unknown_after_the_attempt_or_the_deadline() {
    for act in [Act::Hang, Act::HangAfter(r#"{"clientId":"#.to_owned())] {
        for (timeout, deadline, expected) in [(7, 50, 7), (30, 11, 11)] {
            let (client, seen) = client(std::slice::from_ref(&act), Duration::from_secs(timeout));
            let begun = Instant::now();
            let deadline = Deadline::after(Duration::from_secs(deadline));
            let result = client.create_token(&new_token(), deadline).await;
            assert_eq!(outcome(result), "unknown timed-out");
            let took = begun.elapsed();
            assert!(
                took >= Duration::from_secs(expected) && took < Duration::from_secs(expected + 1),
                "{took:?}"
            );
            assert_eq!(*seen.lock(), ["POST /v2/clientIdSecrets"]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_just_in_time_is_taken_however_slow() {
    let timeout = Duration::from_secs(30);
    let late = Duration::from_secs(29);
    let (client, _) = client(&[Act::Answer(late, 200, made(|_| {}))], timeout);
    let begun = Instant::now();
    let deadline = Deadline::after(Duration::from_secs(50));
    let minted = client.create_token(&new_token(), deadline).await;
    let minted = minted.unwrap_or_else(|error| panic!("{error}"));
    assert!(begun.elapsed() >= late);
    // The time that the answer took is counted as life that is over.
    assert!(minted.remaining().unwrap() <= minted.lifetime().unwrap() - late);
}

/// No thread reads it, which would keep the paused clock from running on.
#[tokio::test(start_paused = true)]
async fn a_long_list_that_arrives_slowly_needs_no_thread() {
    let entry = |number| format!(r#"{{"clientId":"T{number:06}","description":"d"}}"#);
    let mut parts = vec![r#"{"clients":["#.to_owned()];
    for part in 0..20 {
        let entries: Vec<String> = (part * 500..(part + 1) * 500).map(entry).collect();
        parts.push(entries.join(","));
        parts.push(if part == 19 {
            "]}".to_owned()
        } else {
            ",".to_owned()
        });
    }
    let (client, _) = client(
        &[Act::Slow(Duration::from_millis(500), parts)],
        Duration::from_secs(30),
    );
    let deadline = Deadline::after(Duration::from_secs(50));
    let tokens = client
        .tokens(|token| Some(token.client_id.clone()), deadline)
        .await;
    assert_eq!(tokens.map(|tokens| tokens.len()), Ok(10_000));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_asked_again_with_the_usual_waits() {
    let org = Act::Answer(Duration::ZERO, 200, format!(r#"{{"id":"{ORG}"}}"#));
    let acts = [Act::Refuse, Act::Refuse, Act::Refuse, org];
    let (client, seen) = client(&acts, Duration::from_secs(30));
    let begun = Instant::now();
    let deadline = Deadline::after(Duration::from_secs(50));
    assert_eq!(client.current_org(deadline).await.as_deref(), Ok(ORG));
    assert_eq!(seen.lock().len(), 4);
    assert!(begun.elapsed() >= Duration::from_millis(1_400));
}
