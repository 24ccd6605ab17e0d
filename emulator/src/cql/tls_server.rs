//! Accepting mutual-TLS connections for the metadata service and for CQL.

use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::cql::connection;
use crate::cql::metadata;
use crate::cql::plane::Place;
use crate::cql::plane::Plane;
use crate::error::Error;
use crate::listener::Listener;
use crate::service::Service;

/// What a port speaks.
#[derive(Clone, Copy)]
enum Speaks {
    Metadata,
    Cql,
}

/// Serves both ports until `stop` is true or its sender is gone.
pub(crate) fn run(
    plane: &Arc<Plane>,
    service: &Arc<Service>,
    stop: &watch::Receiver<bool>,
) -> Result<(), Error> {
    let tls = plane.tls()?;
    for (listener, speaks) in [
        (plane.metadata.clone(), Speaks::Metadata),
        (plane.cql.clone(), Speaks::Cql),
    ] {
        tokio::spawn(accept(
            listener,
            speaks,
            plane.clone(),
            service.clone(),
            tls.clone(),
            stop.clone(),
        ));
    }
    Ok(())
}

async fn accept(
    listener: Arc<Listener>,
    speaks: Speaks,
    plane: Arc<Plane>,
    service: Arc<Service>,
    tls: Arc<ServerConfig>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        match accepted {
            Ok((tcp, _)) => {
                let mut stop = stop.clone();
                let served = one(tcp, speaks, plane.clone(), service.clone(), tls.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        () = served => {}
                        _ = stop.wait_for(|stop| *stop) => {}
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                // Most likely out of file descriptors: wait for others to be closed.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn one(
    tcp: TcpStream,
    speaks: Speaks,
    plane: Arc<Plane>,
    service: Arc<Service>,
    tls: Arc<ServerConfig>,
) {
    if let Err(error) = tcp.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let stream = match TlsAcceptor::from(tls).accept(tcp).await {
        Ok(stream) => stream,
        Err(error) => {
            tracing::debug!(%error, "TLS handshake failed");
            return;
        }
    };
    let Some(place) = place(&plane, &stream) else {
        // Of this CA, but not of this emulator's bundles.
        return;
    };
    match speaks {
        Speaks::Metadata => metadata::serve(stream, place, plane, service).await,
        Speaks::Cql => connection::serve(stream, place, plane, service).await,
    }
}

fn place(plane: &Plane, stream: &TlsStream<TcpStream>) -> Option<Place> {
    let (_, session) = stream.get_ref();
    plane.place(session.peer_certificates()?.first()?)
}
