//! A token that Astra made, until it is certain that it may be handed out.

use std::sync::Arc;

use super::propagation::PropagationBackoff;
use crate::astra;
use crate::astra::Deadline;
use crate::astra::Deletion;
use crate::astra::MintedToken;
use crate::astra::TokenEntry;
use crate::engine::connection::Connection;
use crate::engine::error::Error;
use crate::engine::failpoint;
use crate::engine::intent::Completed;
use crate::engine::intent::Intent;
use crate::engine::intent::Owner;
use crate::engine::intent::Tag;
use crate::engine::lifetime::Lifetime;

/// A token that no one holds yet: its intent still stands for it, so that a process which dies now
/// leaves it to be found and deleted.
pub(crate) struct UncommittedToken {
    /// The token.
    pub token: MintedToken,
    /// How long it lives; `None` where Astra confirmed no expiry.
    pub life: Option<Lifetime>,
    /// What the caller should know of what became of the reason.
    pub(super) warning: Option<String>,
    pub(super) connection: Arc<Connection>,
    pub(super) intent: Intent,
    pub(super) tag: Box<Tag>,
}

/// A token that is safe to hand out: its intent is done, durably.
pub(crate) struct Minted {
    /// The token.
    pub token: MintedToken,
    /// Its intent, `block.index`.
    pub intent: String,
    /// The intent, to take back when the answer cannot be delivered.
    pub completed: Completed,
    /// How long it lives; `None` where Astra confirmed no expiry.
    pub life: Option<Lifetime>,
    /// What the caller should know of what became of the reason.
    pub warning: Option<String>,
}

impl UncommittedToken {
    /// Makes the completion durable, so that the token may be handed out; a token whose completion is
    /// not is deleted.
    pub(crate) async fn complete(self, deadline: Deadline) -> Result<Minted, Error> {
        let Self {
            token,
            life,
            warning,
            connection,
            intent,
            tag: _,
        } = self;
        let name = format!("{}.{}", intent.block(), intent.index());
        match intent.complete().await {
            Ok(completed) => {
                failpoint::hit("mint.completed");
                Ok(Minted {
                    intent: name,
                    completed,
                    life,
                    token,
                    warning,
                })
            }
            Err((intent, error)) => {
                // On the heap, because it seldom runs.
                Box::pin(remove(&connection, intent, token.client_id, deadline)).await;
                Err(error.into())
            }
        }
    }

    /// For whom it was minted.
    pub(crate) fn owner(&self) -> Owner {
        self.tag.owner
    }

    /// The mount has stored the token for its own use, so nothing is left to clean up for it.  Should
    /// this not become durable, [tokens in use](crate::engine::in_use) stay all the same.
    pub(crate) async fn commit(self) {
        if let Err((intent, error)) = self.intent.complete().await {
            tracing::debug!(%error, "the intent of a stored token is not marked; it stays all the \
                same");
            intent.cancel();
        }
    }

    /// Deletes the token, which no one uses; if that fails the intent keeps standing for it.
    ///
    /// Where it turned out not to work, the answer may have named somebody else's token, so only
    /// what carries the tag is deleted, if tokens carry tags at all.
    pub(crate) async fn rollback(self, deadline: Deadline) {
        let Self {
            token,
            life: _,
            warning: _,
            connection,
            intent,
            tag,
        } = self;
        if token.description.as_deref().and_then(Tag::parse).as_ref() != Some(tag.as_ref()) {
            return Box::pin(remove(&connection, intent, token.client_id, deadline)).await;
        }
        match delete_by_tag(&connection, &tag, deadline).await {
            Ok(true) => {
                failpoint::hit("uncommitted.rolled-back");
                intent.cancel();
            }
            // Perhaps Astra does not know it yet.
            Ok(false) => intent.lose(None).await,
            Err(error) => {
                tracing::warn!(client_id = token.client_id, %error, "a token is left behind; the \
                    next tick deletes it");
                intent.lose(None).await;
            }
        }
    }
}

/// Deletes what Astra lists under `tag`, and tells whether it listed a token and deleted all that it
/// listed.  What one list shows and the next does not was made a moment ago, and may be shown again.
pub(super) async fn delete_by_tag(
    connection: &Connection,
    tag: &Tag,
    deadline: Deadline,
) -> Result<bool, astra::Error> {
    let client = &connection.client;
    let tag = *tag;
    let carries = move |token: &TokenEntry| {
        let found = Tag::parse(token.description.as_deref()?)?;
        (found == tag).then(|| token.client_id.clone())
    };
    let listed = client.shared_tokens(carries, deadline).await?;
    let mut all_deleted = !listed.is_empty();
    for client_id in listed {
        let deletion = client.delete_token(&client_id, deadline).await?;
        failpoint::hit("mint.found-deleted");
        all_deleted &= deletion == Deletion::Deleted;
    }
    Ok(all_deleted)
}

/// Deletes a token that must not be handed out; if that fails the intent keeps standing for it.
async fn remove(connection: &Connection, intent: Intent, client_id: String, deadline: Deadline) {
    // Nothing else may tell of it: a mark that could not be made durable may become so yet, and hide it from
    // the next process.  So one that Astra does not know yet is waited for.
    let mut backoff = PropagationBackoff::until(deadline);
    let deleted = loop {
        match connection.client.delete_token(&client_id, deadline).await {
            Ok(Deletion::AlreadyAbsent(_)) if backoff.wait().await => {}
            deleted => break deleted,
        }
    };
    match deleted {
        Ok(Deletion::Deleted) => {
            failpoint::hit("uncommitted.removed");
            intent.cancel();
        }
        // It was made a moment ago, so Astra does not know it yet.
        Ok(Deletion::AlreadyAbsent(_)) => intent.lose(Some(client_id)).await,
        Err(error) => {
            tracing::warn!(client_id, %error, "a token is left behind; the next tick deletes it");
            intent.lose(Some(client_id)).await;
        }
    }
}

/// Takes back a token whose answer could not be delivered.
pub(crate) async fn take_back(
    connection: Arc<Connection>,
    completed: Completed,
    client_id: String,
    deadline: Deadline,
) {
    tracing::info!(client_id, "the caller is gone; deleting its token");
    failpoint::hit("take-back.begun");
    // First the durable note, so that the token is found even if this process dies next; but a host
    // that is gone, storage and all, must not keep the token alive.
    let (intent, noted) = completed.reopen().await;
    failpoint::hit("take-back.reopened");
    if let Err(error) = noted {
        tracing::warn!(client_id, %error, "the intent of an undelivered token could not be noted");
    }
    // On the heap, because this future is made with each token and seldom runs.
    let deletion = Box::pin(connection.client.delete_token(&client_id, deadline));
    match deletion.await {
        Ok(Deletion::Deleted) => {
            failpoint::hit("take-back.token-deleted");
            intent.cancel();
        }
        Ok(Deletion::AlreadyAbsent(_)) => intent.lose(Some(client_id)).await,
        Err(error) => {
            tracing::warn!(client_id, %error, "an undelivered token is left behind; the next tick \
                deletes it");
            intent.lose(Some(client_id)).await;
        }
    }
}
