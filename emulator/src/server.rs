//! The API's listeners: accept, handshake, one hyper connection each.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::time::Duration;

use http_body_util::BodyExt;
use http_body_util::Limited;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::error::Error;
use crate::request::Request;
use crate::shared::Dropped;
use crate::shared::Shared;
use crate::wire::Conn;
use crate::wire::Transport;
use crate::wire::Wire;

/// Longest request body that is read.
const BODY_LIMIT: usize = 1 << 20;

/// A listening socket that can be taken away and put back at once, from any thread.
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    state: Mutex<DoorState>,
    /// Grows when every open connection is to be cut.
    pub(crate) cut: watch::Sender<u64>,
}

struct DoorState {
    listener: Option<TcpListener>,
    waker: Option<Waker>,
}

impl Door {
    pub(crate) fn open(address: SocketAddr) -> Result<Self, Error> {
        let listener = listen(address)?;
        let address = listener
            .local_addr()
            .map_err(|source| Error::Listen { address, source })?;
        Ok(Self {
            address,
            state: Mutex::new(DoorState {
                listener: Some(listener),
                waker: None,
            }),
            cut: watch::Sender::new(0),
        })
    }

    /// Stops listening and cuts what is connected, or listens again on the same port.
    pub(crate) fn set_open(&self, open: bool) -> Result<(), Error> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match (open, state.listener.is_some()) {
            (true, false) => state.listener = Some(listen(self.address)?),
            (false, true) => {
                state.listener = None;
                self.cut.send_modify(|generation| *generation += 1);
            }
            _ => {}
        }
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
        Ok(())
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<std::io::Result<(TcpStream, SocketAddr)>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.waker = Some(cx.waker().clone());
        match &state.listener {
            Some(listener) => listener.poll_accept(cx),
            None => Poll::Pending,
        }
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    if !address.ip().is_loopback() {
        return Err(Error::NotLoopback(address));
    }
    let bind = || {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    };
    bind().map_err(|source| Error::Listen { address, source })
}

/// Accepts until `stop` is true or its sender is gone.
pub(crate) async fn run(
    door: Arc<Door>,
    shared: Arc<Shared>,
    tls: Option<Arc<ServerConfig>>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = std::future::poll_fn(|cx| door.poll_accept(cx)) => accepted,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        match accepted {
            Ok((tcp, peer)) => {
                let mut stop = stop.clone();
                let mut cut = door.cut.subscribe();
                let (shared, tls) = (shared.clone(), tls.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        () = connection(tcp, peer, shared, tls) => {}
                        _ = cut.changed() => {}
                        _ = stop.wait_for(|stop| *stop) => {}
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                // Out of file descriptors, most likely: give others time to close some.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(
    tcp: TcpStream,
    peer: SocketAddr,
    shared: Arc<Shared>,
    tls: Option<Arc<ServerConfig>>,
) {
    if let Err(error) = tcp.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let conn = Arc::new(Conn::new(peer, tls.is_some()));
    let transport = match tls {
        None => Transport::Plain(tcp),
        Some(config) => match TlsAcceptor::from(config).accept(tcp).await {
            Ok(stream) => Transport::Tls(Box::new(stream)),
            Err(error) => {
                tracing::debug!(%error, "TLS handshake failed");
                return;
            }
        },
    };
    let io = TokioIo::new(Wire::new(transport, conn.clone()));
    let service = service_fn(|request| answer(shared.clone(), conn.clone(), request));
    let served = http1::Builder::new()
        .auto_date_header(false)
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .serve_connection(io, service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "connection ended");
        if error.is_parse() {
            // HTTP/2 with prior knowledge ends up here, too.
            shared
                .lock()
                .violate_protocol(&format!("not HTTP/1.1: {error}"));
        }
    }
}

async fn answer(
    shared: Arc<Shared>,
    conn: Arc<Conn>,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<crate::body::ReplyBody>, Dropped> {
    let inside = shared.gauge.enter();
    let (head, body) = request.into_parts();
    // A body beyond the limit or cut by the client leaves nothing to answer.
    let body = Limited::new(body, BODY_LIMIT)
        .collect()
        .await
        .map_err(|_| Dropped)?
        .to_bytes();
    let request = Request {
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(str::to_owned),
        method: head.method,
        version: head.version,
        headers: head.headers,
        body,
        peer: conn.peer.ip(),
    };
    shared.serve(request, conn, inside).await
}

/// Serves the control API on `door`.
pub(crate) async fn run_control<F, R>(door: Arc<Door>, mut stop: watch::Receiver<bool>, handler: F)
where
    F: Fn(hyper::Request<Incoming>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = hyper::Response<http_body_util::Full<bytes::Bytes>>> + Send + 'static,
{
    loop {
        let accepted = tokio::select! {
            accepted = std::future::poll_fn(|cx| door.poll_accept(cx)) => accepted,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let Ok((tcp, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let handler = handler.clone();
        let mut stop = stop.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let answer = handler(request);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            let serving = http1::Builder::new().serve_connection(TokioIo::new(tcp), service);
            tokio::select! {
                result = serving => {
                    if let Err(error) = result {
                        tracing::debug!(%error, "control connection ended");
                    }
                }
                _ = stop.wait_for(|stop| *stop) => {}
            }
        });
    }
}
