//! Dialling through the session: whose turn it is, and what happens when somebody leaves or lies.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_util::compat::FuturesAsyncReadCompatExt as _;
use tokio_util::compat::TokioAsyncReadCompatExt as _;
use yamux::Connection;
use yamux::Mode;

use super::host::host_identity;
use crate::plugin::certificate::Identity;
use crate::plugin::dial::Dialer;
use crate::plugin::knock::Knocks;
use crate::plugin::lifecycle::Lifecycle;
use crate::plugin::lifecycle::ShutdownReason;
use crate::plugin::session::Session;
use crate::plugin::session::SessionStream;
use crate::plugin::session::drive;
use crate::plugin::tls::client_config;
use crate::plugin::tls::server_config;
use crate::proto::plugin::ConnInfo;
use crate::proto::plugin::conn_info::Knock;

const ID: u32 = 7;

/// Both ends of a session.
struct Ends {
    dialer: Dialer,
    knocks: Knocks,
    lifecycle: Lifecycle,
    /// The plugin's half of the broker stream.
    sent: mpsc::UnboundedReceiver<ConnInfo>,
    /// The plugin's streams.
    streams: mpsc::UnboundedReceiver<SessionStream>,
    host: TlsAcceptor,
}

fn ends() -> Ends {
    let lifecycle = Lifecycle::new();
    let (identity, host) = (
        Identity::generate(OffsetDateTime::now_utc()).unwrap(),
        host_identity(),
    );
    let tls = Arc::new(client_config(&identity, &host.certificate).unwrap());
    let server = server_config(&host, &identity.certificate).unwrap();
    let (near, far) = UnixStream::pair().unwrap();
    let (session, commands) = Session::new();
    tokio::spawn(drive(near, commands, drop));
    let (arrived, streams) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut session = Connection::new(far.compat(), yamux::Config::default(), Mode::Client);
        while let Some(Ok(stream)) = poll_fn(|cx| session.poll_next_inbound(cx)).await {
            let _ = arrived.send(stream.compat());
        }
    });
    let knocks = Knocks::new(lifecycle.clone());
    Ends {
        dialer: Dialer::through(session, knocks.clone(), ID, tls),
        sent: knocks.outgoing(),
        knocks,
        lifecycle,
        streams,
        host: TlsAcceptor::from(Arc::new(server)),
    }
}

impl Ends {
    fn dial(&self) -> tokio::task::JoinHandle<std::io::Result<()>> {
        let dialer = self.dialer.clone();
        tokio::spawn(async move { dialer.probe().await })
    }

    /// The plugin's next knock.
    async fn knock(&mut self) {
        let message = within_reason(self.sent.recv()).await.unwrap();
        assert_eq!(message.service_id, ID);
        assert_eq!(
            message.knock,
            Some(Knock {
                knock: true,
                ..Knock::default()
            })
        );
    }

    fn answer(&self, error: &str) {
        let knock = Knock {
            knock: true,
            ack: true,
            error: error.to_owned(),
        };
        self.knocks.answered(ID, knock);
    }

    async fn out_of_step(&self) {
        let reason = within_reason(self.lifecycle.stopped()).await;
        assert_eq!(reason, ShutdownReason::OutOfStep);
    }
}

/// A test that waits for what never comes shall fail.  Where the clock is paused this is virtual time.
async fn within_reason<T>(what: impl Future<Output = T>) -> T {
    let timeout = Duration::from_secs(120);
    tokio::time::timeout(timeout, what).await.unwrap()
}

/// Lets everything that can run do so; the clock stands still meanwhile.
async fn run_ready_tasks() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_dial_is_a_knock_then_a_stream_then_tls() {
    let mut ends = ends();
    let dial = ends.dial();
    ends.knock().await;
    run_ready_tasks().await;
    assert!(
        ends.streams.try_recv().is_err(),
        "the host has not answered"
    );
    ends.answer("");
    let stream = ends.streams.recv().await.unwrap();
    ends.host.accept(stream).await.unwrap();
    dial.await.unwrap().unwrap();
    assert!(!ends.lifecycle.is_stopping());
}

#[tokio::test]
async fn the_next_knock_waits_for_the_end_of_the_handshake() {
    let mut ends = ends();
    let (first, second) = (ends.dial(), ends.dial());
    ends.knock().await;
    ends.answer("");
    let stream = ends.streams.recv().await.unwrap();
    run_ready_tasks().await;
    assert!(ends.sent.try_recv().is_err(), "two dials at once");
    ends.host.accept(stream).await.unwrap();
    ends.knock().await;
    ends.answer("");
    let stream = ends.streams.recv().await.unwrap();
    ends.host.accept(stream).await.unwrap();
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_caller_that_leaves_before_its_turn_costs_no_knock() {
    let mut ends = ends();
    let knocks = ends.knocks.clone();
    let turn = knocks.turn().await;
    let dial = ends.dial();
    run_ready_tasks().await;
    dial.abort();
    let _ = dial.await;
    drop(turn);
    run_ready_tasks().await;
    assert!(ends.sent.try_recv().is_err());
    assert!(!ends.lifecycle.is_stopping());
}

#[tokio::test]
async fn a_caller_that_leaves_after_the_knock_leaves_the_dial_to_its_end() {
    for after_the_answer in [false, true] {
        let mut ends = ends();
        let dial = ends.dial();
        ends.knock().await;
        let mut stream = None;
        if after_the_answer {
            ends.answer("");
            stream = ends.streams.recv().await;
        }
        dial.abort();
        let _ = dial.await;
        run_ready_tasks().await;
        if !after_the_answer {
            ends.answer("");
            stream = ends.streams.recv().await;
        }
        ends.host.accept(stream.unwrap()).await.unwrap();
        // The next dial finds everything in order.
        let dial = ends.dial();
        ends.knock().await;
        ends.answer("");
        let stream = ends.streams.recv().await.unwrap();
        ends.host.accept(stream).await.unwrap();
        dial.await.unwrap().unwrap();
        assert!(!ends.lifecycle.is_stopping());
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_tried_again_ten_times() {
    let mut ends = ends();
    let dial = ends.dial();
    for _ in 0..11 {
        ends.knock().await;
        ends.answer("no listener for id 7");
    }
    let error = dial.await.unwrap().unwrap_err().to_string();
    assert!(error.contains("no listener for id 7"), "{error}");
    assert!(ends.sent.try_recv().is_err());
    assert!(!ends.lifecycle.is_stopping());
}

#[tokio::test(start_paused = true)]
async fn silence_is_an_error_after_five_seconds_and_a_late_answer_the_end() {
    let mut ends = ends();
    let begun = tokio::time::Instant::now();
    let dial = ends.dial();
    ends.knock().await;
    let error = dial.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    assert_eq!(begun.elapsed().as_secs(), 5);
    // A late refusal opened nothing.
    ends.answer("no listener for id 7");
    assert!(!ends.lifecycle.is_stopping());
    ends.answer("");
    ends.out_of_step().await;
}

#[tokio::test]
async fn an_answer_for_another_listener_is_the_end() {
    let mut ends = ends();
    let _dial = ends.dial();
    ends.knock().await;
    let knock = Knock {
        knock: true,
        ack: true,
        error: String::new(),
    };
    ends.knocks.answered(ID + 1, knock);
    ends.out_of_step().await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_not_taken_is_the_end() {
    let mut ends = ends();
    let dial = ends.dial();
    ends.knock().await;
    ends.answer("");
    let _stream = ends.streams.recv().await.unwrap();
    dial.await.unwrap().unwrap_err();
    ends.out_of_step().await;
}

#[tokio::test]
async fn a_stream_that_is_closed_or_taken_by_a_stranger_is_the_end() {
    for stranger in [false, true] {
        let mut ends = ends();
        let dial = ends.dial();
        ends.knock().await;
        ends.answer("");
        let stream = ends.streams.recv().await.unwrap();
        match stranger {
            true => {
                let plugin = Identity::generate(OffsetDateTime::now_utc()).unwrap();
                let tls = server_config(&host_identity(), &plugin.certificate).unwrap();
                let _ = TlsAcceptor::from(Arc::new(tls)).accept(stream).await;
            }
            false => drop(stream),
        }
        dial.await.unwrap().unwrap_err();
        ends.out_of_step().await;
    }
}

#[tokio::test]
async fn without_a_broker_stream_a_dial_fails_at_once() {
    let mut ends = ends();
    ends.sent.close();
    let error = ends.dial().await.unwrap().unwrap_err().to_string();
    assert!(error.contains("broker stream"), "{error}");
    // The newest stream is the one that counts.
    let _old = std::mem::replace(&mut ends.sent, ends.knocks.outgoing());
    let dial = ends.dial();
    ends.knock().await;
    ends.answer("");
    let stream = ends.streams.recv().await.unwrap();
    ends.host.accept(stream).await.unwrap();
    dial.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_session_that_has_ended_opens_nothing() {
    let (session, commands) = Session::new();
    let (near, far) = UnixStream::pair().unwrap();
    drop(far);
    drive(near, commands, drop).await;
    assert!(session.open().await.is_err());
    within_reason(session.close()).await;
}
