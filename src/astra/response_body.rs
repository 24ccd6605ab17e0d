//! Taking in the body of a success.

use std::collections::VecDeque;

use bytes::Bytes;
use reqwest::Response;
use reqwest::header;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::error_body;
use super::error_detail::Detail;

/// What becomes of the body of a success while it arrives.
///
/// Each attempt starts over: what was taken in of a body that broke off counts for nothing.
pub(super) trait BodyReader: Sync {
    /// What a complete body becomes.
    type Output: Send;

    /// Takes in one body, to its end.
    fn read(
        &self,
        body: &mut LimitedBody<'_>,
    ) -> impl Future<Output = Result<Self::Output, BodyError>> + Send;
}

/// A body that arrives.
pub(super) struct LimitedBody<'a> {
    response: &'a mut Response,
    /// How much of it may still come.
    room: usize,
    /// Which body counts as short, in bytes.
    short: usize,
}

/// Which bodies are read where they arrive, with no thread of their own, in bytes.
const SHORT: usize = 64 << 10;

/// Why a body was not taken in.
pub(super) enum BodyError {
    /// The connection broke.
    Broken(reqwest::Error),
    /// It is not what it should be; the text repeats nothing of it.
    Malformed(String),
    /// It reports errors although its status is one of success.
    Reported(Detail),
    /// It is longer than is accepted.
    TooLarge,
}

impl<'a> LimitedBody<'a> {
    /// The body of `response`, of which no more than `limit` bytes are read.
    pub(super) fn new(response: &'a mut Response, limit: usize, may_use_threads: bool) -> Self {
        Self {
            response,
            room: limit,
            short: if may_use_threads { SHORT } else { usize::MAX },
        }
    }

    /// The next part; `None` at the end of the complete body.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        let chunk = self.response.chunk().await.map_err(BodyError::Broken)?;
        let length = chunk.as_ref().map_or(0, Bytes::len);
        self.room = self.room.checked_sub(length).ok_or(BodyError::TooLarge)?;
        Ok(chunk)
    }

    /// When it was answered, by the clock of the server.
    pub(super) fn date(&self) -> Option<OffsetDateTime> {
        let date = self.response.headers().get(header::DATE)?.to_str().ok()?;
        Some(httpdate::parse_http_date(date).ok()?.into())
    }

    /// The first parts of it, until the whole is read or it is no longer short; whether it is whole.
    pub(super) async fn short(&mut self) -> Result<(VecDeque<Bytes>, bool), BodyError> {
        let (mut parts, mut length) = (VecDeque::new(), 0);
        while length <= self.short {
            let Some(part) = self.chunk().await? else {
                return Ok((parts, true));
            };
            length += part.len();
            parts.push_back(part);
        }
        Ok((parts, false))
    }

    /// How long it says that it is, if that is no more than is accepted.
    fn announced(&self) -> usize {
        self.response
            .content_length()
            .and_then(|length| usize::try_from(length).ok())
            .filter(|length| *length <= self.room)
            .unwrap_or_default()
    }
}

/// Keeps the whole body.  It is zeroed on drop, as it may hold a credential.
pub(super) struct Buffered;

impl BodyReader for Buffered {
    type Output = Zeroizing<Vec<u8>>;

    async fn read(&self, body: &mut LimitedBody<'_>) -> Result<Self::Output, BodyError> {
        // Grown only once where the length is known: a reallocation leaves a copy behind that is never
        // cleared.
        let mut taken = Zeroizing::new(Vec::with_capacity(body.announced()));
        while let Some(chunk) = body.chunk().await? {
            taken.extend_from_slice(&chunk);
        }
        match error_body::errors_despite_success(&taken) {
            Some(detail) => Err(BodyError::Reported(detail)),
            None => Ok(taken),
        }
    }
}

/// The body of an answer that reports a failure, up to some limit.
pub(super) struct FailureBody {
    pub(super) bytes: Vec<u8>,
    /// Whether this is all of it, to its announced end.
    pub(super) is_complete: bool,
}

/// Reads up to `limit` bytes of the body of an answer that reports a failure.
pub(super) async fn beginning(response: &mut Response, limit: usize) -> FailureBody {
    let mut bytes = Vec::new();
    let is_complete = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = limit - bytes.len();
                bytes.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
                if chunk.len() > room {
                    break false;
                }
            }
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    FailureBody { bytes, is_complete }
}
