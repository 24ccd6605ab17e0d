//! A token whose storing failed: whether the entry was written is not always known.
//!
//! Deleting the token could then delete the one that is in use, and not deleting it could leave one
//! that no one knows.  What is in storage decides, once it is certain
//! ([`find_confirmed`](crate::engine::registry::Registry::find_confirmed)).

use futures_util::future::join_all;
use parking_lot::Mutex;

use crate::astra::Deadline;
use crate::engine::error::Error;
use crate::engine::intent::InUseTokens;
use crate::engine::minting::UncommittedToken;

/// Tokens of which it is unknown whether they are stored, as storage cannot be read either.  Their
/// intents stay open: neither are they cleared while this process lives, nor forgotten if it dies.
#[derive(Default)]
pub(crate) struct UncertainWrites {
    tokens: Mutex<Vec<UncommittedToken>>,
}

impl UncertainWrites {
    fn add(&self, uncommitted: UncommittedToken) {
        self.lock().push(uncommitted);
    }

    /// Takes all of them, to be resolved or put back.
    pub(crate) fn take(&self) -> Vec<UncommittedToken> {
        std::mem::take(&mut *self.lock())
    }

    /// Commits or rolls back `tokens`, now that `in_use` could be read, which must have happened after
    /// they were taken.  Where the entry itself cannot be read they wait on.
    pub(crate) async fn resolve(
        &self,
        tokens: Vec<UncommittedToken>,
        in_use: &InUseTokens,
        deadline: Deadline,
    ) {
        let resolutions = tokens.into_iter().map(|uncommitted| async move {
            if in_use.contains(&uncommitted.token.client_id) {
                uncommitted.commit().await;
            } else if in_use.may_contain(uncommitted.owner()) {
                self.add(uncommitted);
            } else {
                uncommitted.rollback(deadline).await;
            }
        });
        join_all(resolutions).await;
    }

    /// Storage still cannot be read.
    pub(crate) fn put_back(&self, tokens: Vec<UncommittedToken>) {
        self.lock().extend(tokens);
    }

    fn lock(&self) -> parking_lot::MutexGuard<'_, Vec<UncommittedToken>> {
        self.tokens.lock()
    }
}

/// Decides what becomes of a token when storing it failed with `error`; `found` is the client id of
/// the token that storage holds in its place for certain.
///
/// # Errors
/// `error`, unless the token was stored after all.
pub(crate) async fn decide(
    uncertain_writes: &UncertainWrites,
    uncommitted: UncommittedToken,
    error: Error,
    found: Result<Option<String>, Error>,
    deadline: Deadline,
) -> Result<UncommittedToken, Error> {
    match found {
        Ok(Some(client_id)) if client_id == uncommitted.token.client_id => Ok(uncommitted),
        Ok(_) => {
            uncommitted.rollback(deadline).await;
            Err(error)
        }
        Err(_) => {
            tracing::warn!(
                client_id = uncommitted.token.client_id,
                "whether a new token was stored is unknown; a later tick finds out"
            );
            uncertain_writes.add(uncommitted);
            Err(error)
        }
    }
}
