//! Accepting mutual-TLS connections for the metadata service and for CQL.

use std::sync::Arc;

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
        let (plane, service, tls) = (plane.clone(), service.clone(), tls.clone());
        let stop = stop.clone();
        tokio::spawn(async move {
            let serve = |tcp, _| one(tcp, speaks, plane.clone(), service.clone(), tls.clone());
            listener.serve_each(stop, serve).await;
        });
    }
    Ok(())
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
