//! The metadata service: which nodes a database has, and where to reach them.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use http::Response;
use http::StatusCode;
use http::header;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::cql::plane::Place;
use crate::cql::plane::Plane;
use crate::service::Service;

pub(super) async fn serve(
    stream: TlsStream<TcpStream>,
    place: Place,
    plane: Arc<Plane>,
    service: Arc<Service>,
) {
    let answers = service_fn(|request: hyper::Request<Incoming>| {
        let reply = answer(
            request.method(),
            request.uri().path(),
            &place,
            &plane,
            &service,
        );
        async move { Ok::<_, Infallible>(reply) }
    });
    let served = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), answers)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection to the metadata service ended");
    }
}

fn answer(
    method: &Method,
    path: &str,
    place: &Place,
    plane: &Plane,
    service: &Service,
) -> Response<Full<Bytes>> {
    let (status, body) = if method != Method::GET || path != "/metadata" {
        (StatusCode::NOT_FOUND, json!({"message": "not found"}))
    } else {
        let state = service.lock();
        match state.records.database(&place.database) {
            Some(database) if database.status == "ACTIVE" => {
                let knobs = state.knobs.of(Some(&database.org_id));
                let address = format!(
                    "{}:{}",
                    knobs.bundle_host.text(),
                    plane.cql_address().port()
                );
                (StatusCode::OK, found(place, plane, &address))
            }
            // What Astra answers for a hibernated database is unknown.
            _ => (
                StatusCode::SERVICE_UNAVAILABLE,
                json!({"message": "the database is not active"}),
            ),
        }
    };
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    response
}

fn found(place: &Place, plane: &Plane, address: &str) -> serde_json::Value {
    json!({
        "version": 1,
        "region": place.region,
        "contact_info": {
            "type": "sni_proxy",
            "local_dc": plane.datacenter(place),
            "contact_points": [plane.host_id(place).to_string()],
            "sni_proxy_address": address,
        },
    })
}
