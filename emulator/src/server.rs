//! The API: TLS handshake, then one hyper connection for each accepted one.

use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::BodyExt;
use http_body_util::Limited;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::connection::ConnectionState;
use crate::connection::FaultyStream;
use crate::connection::Transport;
use crate::host::Host;
use crate::listener::Listener;
use crate::request::Request;
use crate::service::Dropped;
use crate::service::Service;

/// Longest request body that is read.
const BODY_LIMIT: usize = 1 << 20;

/// Accepts until `stop` is true or its sender is gone.
pub(crate) async fn run(
    listener: Arc<Listener>,
    service: Arc<Service>,
    tls: Option<Arc<ServerConfig>>,
    stop: watch::Receiver<bool>,
) {
    let serve = |tcp, peer| {
        let mut cut = listener.cut.subscribe();
        let served = connection(tcp, peer, service.clone(), tls.clone());
        async move {
            tokio::select! {
                () = served => {}
                _ = cut.changed() => {}
            }
        }
    };
    listener.serve_each(stop, serve).await;
}

async fn connection(
    tcp: TcpStream,
    peer: SocketAddr,
    service: Arc<Service>,
    tls: Option<Arc<ServerConfig>>,
) {
    if let Err(error) = tcp.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    match tls {
        None => speak(Transport::Plain(tcp), peer, Host::Api, service).await,
        Some(config) => match TlsAcceptor::from(config).accept(tcp).await {
            Ok(stream) => secured(stream, peer, Host::Api, service).await,
            Err(error) => tracing::debug!(%error, "TLS handshake failed"),
        },
    }
}

/// Serves `host` on a TLS connection.
pub(crate) async fn secured(
    stream: TlsStream<TcpStream>,
    peer: SocketAddr,
    host: Host,
    service: Arc<Service>,
) {
    speak(Transport::Tls(Box::new(stream)), peer, host, service).await;
}

async fn speak(transport: Transport, peer: SocketAddr, host: Host, service: Arc<Service>) {
    let is_tls = matches!(transport, Transport::Tls(_));
    let connection = Arc::new(ConnectionState::new(peer, is_tls));
    let io = TokioIo::new(FaultyStream::new(transport, connection.clone()));
    let answers =
        service_fn(|request| answer(service.clone(), connection.clone(), host.clone(), request));
    let served = http1::Builder::new()
        .auto_date_header(false)
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .serve_connection(io, answers)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "connection ended");
        if error.is_parse() {
            // HTTP/2 with prior knowledge ends up here, too.
            service
                .lock()
                .record_protocol_violation(&format!("not HTTP/1.1: {error}"));
        }
    }
}

async fn answer(
    service: Arc<Service>,
    connection: Arc<ConnectionState>,
    host: Host,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<crate::reply_body::ReplyBody>, Dropped> {
    let guard = service.in_flight.enter();
    let (head, body) = request.into_parts();
    // A body beyond the limit or cut by the client cannot be answered.
    let body = Limited::new(body, BODY_LIMIT)
        .collect()
        .await
        .map_err(|_| Dropped)?
        .to_bytes();
    let request = Request {
        path: host.path(head.uri.path()),
        query: head.uri.query().map(str::to_owned),
        method: head.method,
        version: head.version,
        headers: head.headers,
        body,
        peer: connection.peer.ip(),
    };
    service.serve(request, connection, guard).await
}
