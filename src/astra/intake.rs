//! Taking in the body of a success.

use bytes::Bytes;
use reqwest::Response;
use zeroize::Zeroizing;

use super::body;
use super::error::Detail;

/// What becomes of the body of a success while it arrives.
///
/// Each attempt begins anew: what was taken in of a body that broke off counts for nothing.
pub(super) trait Intake: Sync {
    /// What a complete body comes to.
    type Taken: Send;

    /// Takes in one body, to its end.
    fn take(
        &self,
        body: &mut Incoming<'_>,
    ) -> impl Future<Output = Result<Self::Taken, Unread>> + Send;
}

/// A body that arrives.
pub(super) struct Incoming<'a> {
    response: &'a mut Response,
    /// How much of it may still come.
    room: usize,
}

/// Why a body was not taken in.
pub(super) enum Unread {
    /// The connection broke.
    Broken(reqwest::Error),
    /// It is not what it should be; the text repeats nothing of it.
    Malformed(String),
    /// It reports errors although its status is one of success.
    Reported(Detail),
    /// It is longer than is accepted.
    TooLarge,
}

impl<'a> Incoming<'a> {
    /// The body of `response`, of which no more than `limit` bytes are read.
    pub(super) fn new(response: &'a mut Response, limit: usize) -> Self {
        Self {
            response,
            room: limit,
        }
    }

    /// The next part; `None` at the end of the complete body.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, Unread> {
        let chunk = self.response.chunk().await.map_err(Unread::Broken)?;
        let length = chunk.as_ref().map_or(0, Bytes::len);
        self.room = self.room.checked_sub(length).ok_or(Unread::TooLarge)?;
        Ok(chunk)
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
pub(super) struct Whole;

impl Intake for Whole {
    type Taken = Zeroizing<Vec<u8>>;

    async fn take(&self, incoming: &mut Incoming<'_>) -> Result<Self::Taken, Unread> {
        // Grown only once where the length is known: a reallocation leaves a copy behind that nobody
        // clears.
        let mut taken = Zeroizing::new(Vec::with_capacity(incoming.announced()));
        while let Some(chunk) = incoming.chunk().await? {
            taken.extend_from_slice(&chunk);
        }
        match body::errors_despite_success(&taken) {
            Some(detail) => Err(Unread::Reported(detail)),
            None => Ok(taken),
        }
    }
}

/// What arrives of a body of which the beginning will do, up to `limit` bytes.
pub(super) async fn beginning(response: &mut Response, limit: usize) -> Vec<u8> {
    let mut taken = Vec::new();
    while taken.len() < limit
        && let Ok(Some(chunk)) = response.chunk().await
    {
        let room = limit - taken.len();
        taken.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
    }
    taken
}
