//! Serving gRPC on a connection that leads to one database.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tonic::Status;
use tonic::body::Body;
use tonic::server::Grpc;
use tonic::server::UnaryService;
use tonic_prost::ProstCodec;

use crate::cql::RELEASE_VERSION;
use crate::endpoints;
use crate::grpc::messages::Query;
use crate::grpc::messages::Response;
use crate::reply::Reply;
use crate::request::Request;
use crate::service::Service;

/// Path of the only method.
const EXECUTE_QUERY: &str = "/stargate.Stargate/ExecuteQuery";

/// Serves gRPC for the database and region of `label`, `<database id>-<region>`.
pub(crate) async fn serve(
    stream: TlsStream<TcpStream>,
    label: String,
    peer: SocketAddr,
    service: Arc<Service>,
) {
    let answers = service_fn(|request: hyper::Request<Incoming>| {
        let (label, service) = (label.clone(), service.clone());
        async move { Ok::<_, Infallible>(answer(request, label, peer, service).await) }
    });
    let served = http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), answers)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a gRPC connection ended");
    }
}

async fn answer(
    request: hyper::Request<Incoming>,
    label: String,
    peer: SocketAddr,
    service: Arc<Service>,
) -> http::Response<Body> {
    if request.uri().path() != EXECUTE_QUERY {
        return Status::unimplemented(format!("the emulator has {EXECUTE_QUERY} only")).into_http();
    }
    // Only the head: the message is read by the codec.
    let head = Request {
        method: request.method().clone(),
        path: format!("/_data/{label}{EXECUTE_QUERY}"),
        query: None,
        version: request.version(),
        headers: request.headers().clone(),
        body: Bytes::new(),
        peer: peer.ip(),
    };
    let method = ExecuteQuery {
        head,
        label,
        service,
    };
    Grpc::new(ProstCodec::<Response, Query>::default())
        .unary(method, request)
        .await
}

/// One call.
struct ExecuteQuery {
    head: Request,
    label: String,
    service: Arc<Service>,
}

impl UnaryService<Query> for ExecuteQuery {
    type Response = Response;
    type Future = std::future::Ready<Result<tonic::Response<Response>, Status>>;

    fn call(&mut self, request: tonic::Request<Query>) -> Self::Future {
        let opened = self.service.decide(&self.head, |call| {
            endpoints::open_database(call, &self.label)
        });
        let answered = match opened {
            Ok(_) => query(&request.get_ref().cql),
            Err(refusal) => Err(status(&refusal)),
        };
        std::future::ready(answered.map(tonic::Response::new))
    }
}

/// The status of a refusal. That a token without rights on the database counts as unauthenticated is
/// an assumption, as for the other APIs.
fn status(refusal: &Reply) -> Status {
    let message = String::from_utf8_lossy(&refusal.body).trim().to_owned();
    match refusal.status {
        401 => Status::unauthenticated(message),
        404 => Status::not_found(message),
        _ => Status::unavailable(message),
    }
}

/// The answer to the only query that there is.
fn query(cql: &str) -> Result<Response, Status> {
    let words: Vec<String> = cql
        .trim_end_matches([';', ' '])
        .split_whitespace()
        .map(str::to_ascii_lowercase)
        .collect();
    if words.join(" ") == "select release_version from system.local" {
        return Ok(Response::text("release_version", RELEASE_VERSION));
    }
    Err(Status::invalid_argument(
        "the emulator answers SELECT release_version FROM system.local only",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_query_has_an_answer() {
        let asked = "SELECT release_version\n FROM system.local;";
        let expected = Response::text("release_version", RELEASE_VERSION);
        assert_eq!(query(asked).ok(), Some(expected));
        for other in ["", "SELECT 1", "SELECT release_version FROM system.peers"] {
            let code = query(other).map_err(|status| status.code());
            assert_eq!(code, Err(tonic::Code::InvalidArgument), "{other}");
        }
    }
}
