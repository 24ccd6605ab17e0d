//! Minting one token so that, whatever fails, none is left behind.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::error::LateEnd;
use super::error::MintingError;
use super::lifetime::AskedExpiry;
use super::lifetime::Lifetime;
use super::lifetime::SHORTEST;
use crate::astra;
use crate::astra::Deadline;
use crate::astra::Deletion;
use crate::astra::MintError;
use crate::astra::MintedToken;
use crate::astra::NewToken;
use crate::astra::TokenEntry;
use crate::engine::astra_error;
use crate::engine::clock::now_utc;
use crate::engine::connection::Connection;
use crate::engine::error::Error;
use crate::engine::failpoint;
use crate::engine::intent::ClearError;
use crate::engine::intent::Completed;
use crate::engine::intent::Description;
use crate::engine::intent::DescriptionForm;
use crate::engine::intent::Intent;
use crate::engine::intent::Owner;
use crate::engine::intent::Purpose;
use crate::engine::intent::RequestMark;
use crate::engine::intent::Tag;
use crate::engine::time_text::time_text;

/// How often a mint whose outcome stays unknown is tried again, time permitting.
const ATTEMPTS: usize = 3;

/// What to mint, and for whom.
pub struct Mint<'a> {
    /// Where.
    pub connection: &'a Arc<Connection>,
    /// The Vault role's name; for tokens that the mount itself uses, the path that they are for, which
    /// no role's name can be.
    pub role: &'a str,
    /// The ids of the Astra roles.
    pub role_ids: Vec<String>,
    /// When Astra is to end the token; without it, and where the organization refuses it as too
    /// late, the organization's maximum applies, if that is earlier.
    pub expiry: Option<AskedExpiry>,
    /// The host's request id; empty for tokens that the engine mints for itself.
    pub request_id: &'a str,
    /// The caller's display name.
    pub display_name: &'a str,
    /// Why the caller wants it.
    pub reason: Option<&'a str>,
    /// The role's own text.
    pub text: &'a str,
}

/// A token that no one holds yet: its intent still stands for it, so that a process which dies now
/// leaves it to be found and deleted.
pub struct UncommittedToken {
    /// The token.
    pub token: MintedToken,
    /// How long it lives; `None` where Astra confirmed no expiry.
    pub life: Option<Lifetime>,
    /// What the caller should know of what became of the reason.
    warning: Option<String>,
    connection: Arc<Connection>,
    intent: Intent,
    tag: Box<Tag>,
}

/// A token that is safe to hand out: its intent is done, durably.
pub struct Minted {
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

impl Mint<'_> {
    /// Deletes the token of the request's first try, if the host repeats it after a crash.
    pub async fn undo_first_try(&self, deadline: Deadline) -> Result<(), Error> {
        if self.request_id.is_empty() {
            return Ok(());
        }
        let Connection { client, ledger, .. } = self.connection.as_ref();
        let request = RequestMark::of(self.request_id);
        let undone = ledger.undo_first_try(client, &request, deadline).await;
        undone.map_err(|error| match error {
            ClearError::Store(error) => error.into(),
            ClearError::Astra(error) => astra_error::request_error(
                "look for the token of an interrupted request",
                self.connection,
                &error,
            ),
        })
    }

    /// Mints a token to hand out.  On an error no token is left, or an intent still stands for it.
    pub async fn run(&self, deadline: Deadline) -> Result<Minted, Error> {
        self.mint(deadline).await?.complete(deadline).await
    }

    /// Mints a token that is not to be handed out yet.  On an error no token is left, or an intent
    /// still stands for it.
    pub async fn mint(&self, deadline: Deadline) -> Result<UncommittedToken, Error> {
        let Connection {
            name,
            client,
            ledger,
            ..
        } = self.connection.as_ref();
        let request = RequestMark::of(self.request_id);
        self.undo_first_try(deadline).await?;
        failpoint::hit("mint.first-try-undone");
        let mut attempt = 1;
        let mut expiry = self.expiry;
        let mut refused = None;
        let mut form = self.connection.health.description_form();
        let mut waits = client.rate_limit_waits();
        loop {
            let intent = ledger.begin().await?;
            failpoint::hit("mint.intent-begun");
            // A deletion of the config says so before it counts intents, so one of the two sees the
            // other.
            if self.connection.is_ending.load(Ordering::SeqCst) {
                intent.cancel();
                let config = name.clone();
                return Err(MintingError::ConfigEnds { config }.into());
            }
            let tag = Tag {
                mount: ledger.mount(),
                owner: Owner::of(name, self.role),
                block: intent.block(),
                index: intent.index(),
                write: intent.write(),
                request,
            };
            let description = Description::new(&tag, self.purpose(), form);
            let wanted = NewToken {
                roles: self.role_ids.clone(),
                description: description.text.clone(),
                expiry: expiry.map(|asked| asked.expiry),
            };
            let sent = Instant::now();
            match client.create_token(&wanted, deadline).await {
                Ok(token) if is_echoed(&token, &tag, &wanted.description) => {
                    let mut uncommitted = self.uncommitted(intent, tag, token, &wanted, sent);
                    uncommitted.warning = self.learn(&description, form, &uncommitted.token);
                    return self.accept(uncommitted, refused, deadline).await;
                }
                // The answer is about a token of somebody else: nothing of it may be handed out or
                // deleted.
                Ok(_) => {
                    let _ = self.remove_by_tag(intent, &tag, deadline).await;
                    return Err(MintingError::OtherToken {
                        config: name.clone(),
                    }
                    .into());
                }
                // Perhaps the organization keeps less of a description; if not, the next refusal is for
                // another reason.
                Err(MintError::NotMinted(astra::Error::BadRequest { .. }))
                    if form.is_needed_for(&wanted.description) =>
                {
                    intent.cancel();
                    form = DescriptionForm::Plain;
                }
                Err(MintError::NotMinted(error @ astra::Error::BadRequest { .. }))
                    if expiry.is_some() =>
                {
                    intent.cancel();
                    expiry = None;
                    refused = Some(error);
                }
                // It may have been made all the same, so its intent stands and the next tick looks; what
                // follows has a tag of its own.
                Err(MintError::RateLimited { error, wait }) => {
                    intent.lose(None);
                    if !waits.wait(wait, deadline).await {
                        return Err(astra_error::request_error(
                            "mint a token",
                            self.connection,
                            &error,
                        ));
                    }
                }
                Err(MintError::NotMinted(error)) => {
                    intent.cancel();
                    return Err(astra_error::request_error(
                        "mint a token",
                        self.connection,
                        &error,
                    ));
                }
                // An answer that does not fit may name a token of somebody else: like an answer
                // that did not come, it is no reason to delete anything but what carries the tag.
                Err(MintError::Mismatch { error, .. } | MintError::Unknown(error)) => {
                    let found = self.remove_by_tag(intent, &tag, deadline).await;
                    if let Err(cause) = found {
                        tracing::warn!(config = name, error = %cause, "a token may be left behind; the next tick looks for it");
                        return Err(astra_error::request_error(
                            "mint a token",
                            self.connection,
                            &error,
                        ));
                    }
                    if attempt == ATTEMPTS || deadline.is_over() || error.is_refusal() {
                        return Err(astra_error::request_error(
                            "mint a token",
                            self.connection,
                            &error,
                        ));
                    }
                    tracing::info!(config = name, error = %error, attempt, "the outcome of a mint is unknown; minting again");
                    attempt += 1;
                }
            }
        }
    }

    fn purpose(&self) -> Purpose<'_> {
        Purpose {
            role: self.role,
            caller: self.display_name,
            reason: self.reason.unwrap_or_default().trim(),
            text: self.text,
        }
    }

    /// Notes what the organization kept of a description, and what the caller should know of that.
    fn learn(
        &self,
        description: &Description,
        form: DescriptionForm,
        token: &MintedToken,
    ) -> Option<String> {
        let echoed = token.description.as_deref();
        let is_less = echoed.is_some_and(|echoed| echoed != description.text);
        if is_less || form == DescriptionForm::Plain {
            self.connection.health.set_plain_descriptions();
        }
        let reason = self.purpose().reason;
        (!reason.is_empty())
            .then(|| description.warning(reason, echoed))
            .flatten()
    }

    /// Notes what the answer shows of the organization.
    fn uncommitted(
        &self,
        intent: Intent,
        tag: Tag,
        token: MintedToken,
        wanted: &NewToken,
        sent: Instant,
    ) -> UncommittedToken {
        // Only the tag at its start is needed.
        let echoed = token.description.as_deref().and_then(Tag::parse);
        let ignores_description = echoed != Tag::parse(&wanted.description);
        let health = &self.connection.health;
        let ignores_expiry = match wanted.expiry {
            Some(_) => token.expiry.is_none(),
            // Nothing was asked for, so nothing is learned.
            None => health.ignores_expiry(),
        };
        health.minted(ignores_description, ignores_expiry);
        failpoint::hit("mint.token-made");
        let now = self.expiry.map_or_else(now_utc, |asked| asked.now);
        let life = token
            .expiry
            .map(|expiry| Lifetime::new(expiry, token.generated_on, sent, now));
        UncommittedToken {
            token,
            life,
            warning: None,
            connection: Arc::clone(self.connection),
            intent,
            tag: Box::new(tag),
        }
    }

    /// Takes the token only if it ends when it may, and not at once; deletes it otherwise.  `refused` is
    /// the answer to the expiry that was asked for, if Astra refused it.
    async fn accept(
        &self,
        uncommitted: UncommittedToken,
        refused: Option<astra::Error>,
        deadline: Deadline,
    ) -> Result<UncommittedToken, Error> {
        let name = &self.connection.name;
        let error = match (uncommitted.life, self.expiry, refused) {
            // Refused with an expiry and granted without one, it would never end.
            (None, _, Some(error)) => {
                astra_error::request_error("mint a token", self.connection, &error)
            }
            (Some(life), Some(asked), refused) if !life.is_within(asked) => {
                MintingError::EndsLate {
                    config: name.clone(),
                    ends: time_text(Some(life.expiry)),
                    asked: time_text(Some(asked.expiry)),
                    cause: refused.map_or(LateEnd::Changed, LateEnd::Refused),
                }
                .into()
            }
            (Some(life), _, _) if life.left() < SHORTEST => MintingError::EndsAtOnce {
                config: name.clone(),
                ends: time_text(Some(life.expiry)),
            }
            .into(),
            _ => return Ok(uncommitted),
        };
        uncommitted.rollback(deadline).await;
        Err(error)
    }

    /// Deletes what Astra lists under `tag`.  The intent keeps standing: a create that is still on
    /// its way may take effect after this look.
    async fn remove_by_tag(
        &self,
        intent: Intent,
        tag: &Tag,
        deadline: Deadline,
    ) -> Result<(), astra::Error> {
        failpoint::hit("mint.outcome-unknown");
        // Dropped on every way out, an intent counts as lost.
        let _standing = intent;
        delete_by_tag(self.connection, tag, deadline)
            .await
            .map(drop)
    }
}

impl UncommittedToken {
    /// Makes the completion durable, so that the token may be handed out; a token whose completion is
    /// not is deleted.
    pub async fn complete(self, deadline: Deadline) -> Result<Minted, Error> {
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
                remove(&connection, intent, token.client_id, deadline).await;
                Err(error.into())
            }
        }
    }

    /// For whom it was minted.
    pub fn owner(&self) -> Owner {
        self.tag.owner
    }

    /// The mount has stored the token for its own use, so nothing is left to clean up for it.  Should
    /// this not become durable, [tokens in use](crate::engine::in_use) stay all the same.
    pub async fn commit(self) {
        if let Err((intent, error)) = self.intent.complete().await {
            tracing::debug!(%error, "the intent of a stored token is not marked; it stays all the same");
            intent.cancel();
        }
    }

    /// Deletes the token, which no one uses; if that fails the intent keeps standing for it.
    ///
    /// Where it turned out not to work, the answer may have named somebody else's token, so only
    /// what carries the tag is deleted, if tokens carry tags at all.
    pub async fn rollback(self, deadline: Deadline) {
        let Self {
            token,
            life: _,
            warning: _,
            connection,
            intent,
            tag,
        } = self;
        if token.description.as_deref().and_then(Tag::parse).as_ref() != Some(tag.as_ref()) {
            return remove(&connection, intent, token.client_id, deadline).await;
        }
        match delete_by_tag(&connection, &tag, deadline).await {
            Ok(1..) => {
                failpoint::hit("uncommitted.rolled-back");
                intent.cancel();
            }
            // Perhaps it is not listed yet.
            Ok(_) => intent.lose(None),
            Err(error) => {
                tracing::warn!(client_id = token.client_id, %error, "a token is left behind; the next tick deletes it");
                intent.lose(None);
            }
        }
    }
}

/// Deletes what Astra lists under `tag`, and tells how many tokens that were.
async fn delete_by_tag(
    connection: &Connection,
    tag: &Tag,
    deadline: Deadline,
) -> Result<usize, astra::Error> {
    let client = &connection.client;
    let mut deleted = 0;
    let tag = *tag;
    let carries = move |token: &TokenEntry| {
        let found = Tag::parse(token.description.as_deref()?)?;
        (found == tag).then(|| token.client_id.clone())
    };
    for client_id in client.shared_tokens(carries, deadline).await? {
        client.delete_token(&client_id, deadline).await?;
        failpoint::hit("mint.found-deleted");
        deleted += 1;
    }
    Ok(deleted)
}

/// Deletes a token that must not be handed out; if that fails the intent keeps standing for it.
async fn remove(connection: &Connection, intent: Intent, client_id: String, deadline: Deadline) {
    match connection.client.delete_token(&client_id, deadline).await {
        Ok(Deletion::Deleted) => {
            failpoint::hit("uncommitted.removed");
            intent.cancel();
        }
        // It was made a moment ago, so Astra does not know it yet.
        Ok(Deletion::AlreadyAbsent(_)) => intent.lose(Some(client_id)),
        Err(error) => {
            tracing::warn!(client_id, %error, "a token is left behind; the next tick deletes it");
            intent.lose(Some(client_id));
        }
    }
}

/// Whether the answer is about the token that was to carry `asked`, which begins with `tag`.
///
/// A description that did not come back at all says nothing against it, and neither does one that
/// was cut short: how long one may be is not documented (docs/internals/astra-api.md).
fn is_echoed(token: &MintedToken, tag: &Tag, asked: &str) -> bool {
    match token.description.as_deref() {
        None => true,
        Some(description) => {
            asked.starts_with(description) || Tag::parse(description).as_ref() == Some(tag)
        }
    }
}

/// Takes back a token whose answer could not be delivered.
pub async fn take_back(
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
    match connection.client.delete_token(&client_id, deadline).await {
        Ok(Deletion::Deleted) => {
            failpoint::hit("take-back.token-deleted");
            intent.cancel();
        }
        Ok(Deletion::AlreadyAbsent(_)) => intent.lose(Some(client_id)),
        Err(error) => {
            tracing::warn!(client_id, %error, "an undelivered token is left behind; the next tick deletes it");
            intent.lose(Some(client_id));
        }
    }
}
