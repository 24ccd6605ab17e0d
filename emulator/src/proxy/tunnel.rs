//! CONNECT requests, and what speaks through them.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use http::Response;
use http::StatusCode;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::error::Error;
use crate::grpc;
use crate::host::Host;
use crate::listener::Listener;
use crate::proxy::certificate;
use crate::server;
use crate::service::Service;
use crate::tls::Certificates;

/// Serves the proxy until `stop` is true or its sender is gone.
pub(crate) fn run(
    listener: Arc<Listener>,
    certificates: &Certificates,
    service: Arc<Service>,
    stop: watch::Receiver<bool>,
) -> Result<(), Error> {
    let tls = certificate::server(&certificates.authority)?;
    tokio::spawn(async move {
        let serve = |tcp, peer| one(tcp, peer, tls.clone(), service.clone(), stop.clone());
        listener.serve_each(stop.clone(), serve).await;
    });
    Ok(())
}

/// Answers the CONNECT request of a connection.
async fn one(
    tcp: TcpStream,
    peer: SocketAddr,
    tls: Arc<ServerConfig>,
    service: Arc<Service>,
    stop: watch::Receiver<bool>,
) {
    let answers = service_fn(|mut request: hyper::Request<Incoming>| {
        let status = match host(&request, &service) {
            Ok(host) => {
                let upgrade = hyper::upgrade::on(&mut request);
                let (tls, service) = (tls.clone(), service.clone());
                let mut stop = stop.clone();
                tokio::spawn(async move {
                    tokio::select! {
                        () = inside(upgrade, host, peer, tls, service) => {}
                        _ = stop.wait_for(|stop| *stop) => {}
                    }
                });
                StatusCode::OK
            }
            Err(status) => status,
        };
        let mut response = Response::new(Full::new(Bytes::new()));
        *response.status_mut() = status;
        async move { Ok::<_, Infallible>(response) }
    });
    let served = http1::Builder::new()
        .serve_connection(TokioIo::new(tcp), answers)
        .with_upgrades();
    if let Err(error) = served.await {
        tracing::debug!(%error, "a connection to the proxy ended");
    }
}

/// The host to connect to, or the status of the refusal.
fn host(request: &hyper::Request<Incoming>, service: &Service) -> Result<Host, StatusCode> {
    if request.method() != Method::CONNECT {
        service.lock().record_connection_violation(
            "proxy",
            None,
            "a request to the proxy other than CONNECT",
        );
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    let authority = request
        .uri()
        .authority()
        .map(|authority| authority.as_str());
    let authority = authority.unwrap_or_default();
    Host::parse(authority).ok_or_else(|| {
        let detail = format!("{authority} is no host of Astra");
        service
            .lock()
            .record_connection_violation("proxy", None, &detail);
        StatusCode::FORBIDDEN
    })
}

async fn inside(
    upgrade: hyper::upgrade::OnUpgrade,
    host: Host,
    peer: SocketAddr,
    tls: Arc<ServerConfig>,
    service: Arc<Service>,
) {
    let upgraded = match upgrade.await {
        Ok(upgraded) => upgraded,
        Err(error) => {
            tracing::debug!(%error, "a connection to the proxy ended");
            return;
        }
    };
    // A client waits for the answer before it speaks TLS.
    let tcp = match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) if parts.read_buf.is_empty() => parts.io.into_inner(),
        _ => return,
    };
    let stream = match TlsAcceptor::from(tls).accept(tcp).await {
        Ok(stream) => stream,
        Err(error) => {
            tracing::debug!(%error, "TLS handshake failed");
            return;
        }
    };
    let is_grpc = stream.get_ref().1.alpn_protocol() == Some(b"h2".as_slice());
    match (is_grpc, host) {
        (true, Host::Data(label)) => grpc::serve(stream, label, peer, service).await,
        // It would have taken HTTP/1.1, but did not offer it.
        (true, Host::Api) => {
            let mut state = service.lock();
            state.record_protocol_violation("not HTTP/1.1: HTTP/2 for the DevOps API");
        }
        (false, host) => server::secured(stream, peer, host, service).await,
    }
}
