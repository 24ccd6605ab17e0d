//! What the operations take from a request, and how they answer.

use axum::extract::FromRequest;
use axum::extract::FromRequestParts;
use axum::extract::Query;
use axum::extract::Request;
use axum::response::IntoResponse;
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use http::header;
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::json;

use crate::emulator::Emulator;
use crate::emulator::WeakEmulator;
use crate::error::Error;

/// A failure as the control API answers it: `{"error": …}` with 400 or 404.
pub(super) struct Failure(Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = match self.0 {
            Error::Unknown { .. } => StatusCode::NOT_FOUND,
            _ => StatusCode::BAD_REQUEST,
        };
        (status, Answer(json!({"error": self.0.to_string()}))).into_response()
    }
}

/// JSON with a line end, which makes it readable in a terminal.
pub(super) struct Answer(pub(super) Value);

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let json = [(header::CONTENT_TYPE, "application/json")];
        (json, format!("{}\n", self.0)).into_response()
    }
}

/// The running emulator.
pub(super) struct Running(pub(super) Emulator);

impl FromRequestParts<WeakEmulator> for Running {
    type Rejection = Failure;

    async fn from_request_parts(
        _parts: &mut Parts,
        emulator: &WeakEmulator,
    ) -> Result<Self, Failure> {
        let ended = || Error::Invalid("the emulator is ending".into());
        Ok(Self(emulator.upgrade().ok_or_else(ended)?))
    }
}

/// A JSON body. Its `Content-Type` is not looked at, so that `curl -d` is enough.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<WeakEmulator> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, emulator: &WeakEmulator) -> Result<Self, Failure> {
        let body = read(request, emulator).await?;
        let bad = |error| Error::Invalid(format!("bad body: {error}"));
        Ok(Self(serde_json::from_slice(&body).map_err(bad)?))
    }
}

/// A JSON body that may be absent.
pub(super) struct OptionalBody<T>(pub(super) T);

impl<T: DeserializeOwned + Default> FromRequest<WeakEmulator> for OptionalBody<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, emulator: &WeakEmulator) -> Result<Self, Failure> {
        let body = read(request, emulator).await?;
        if body.is_empty() {
            return Ok(Self(T::default()));
        }
        let bad = |error| Error::Invalid(format!("bad body: {error}"));
        Ok(Self(serde_json::from_slice(&body).map_err(bad)?))
    }
}

async fn read(request: Request, emulator: &WeakEmulator) -> Result<Bytes, Error> {
    Bytes::from_request(request, emulator)
        .await
        .map_err(|error| Error::Invalid(format!("the body cannot be read: {error}")))
}

/// The parameters of the query.
pub(super) struct Parameters<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<WeakEmulator> for Parameters<T> {
    type Rejection = Failure;

    async fn from_request_parts(
        parts: &mut Parts,
        emulator: &WeakEmulator,
    ) -> Result<Self, Failure> {
        match Query::from_request_parts(parts, emulator).await {
            Ok(Query(parameters)) => Ok(Self(parameters)),
            Err(error) => Err(Error::Invalid(format!("bad query: {error}")).into()),
        }
    }
}
