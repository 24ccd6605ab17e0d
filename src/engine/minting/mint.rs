//! Minting one token so that, whatever fails, none is left behind.

use std::sync::Arc;

use tokio::time::Instant;

use super::attempt::Attempt;
use super::attempt::Terms;
use super::error::LateEnd;
use super::error::MintingError;
use super::uncommitted::Minted;
use super::uncommitted::UncommittedToken;
use super::uncommitted::delete_by_tag;
use crate::astra;
use crate::astra::Deadline;
use crate::astra::MintError;
use crate::astra::MintedToken;
use crate::astra::NewToken;
use crate::engine::astra_error;
use crate::engine::clock::now_utc;
use crate::engine::connection::Connection;
use crate::engine::error::Error;
use crate::engine::failpoint;
use crate::engine::intent::ClearError;
use crate::engine::intent::Description;
use crate::engine::intent::DescriptionForm;
use crate::engine::intent::Owner;
use crate::engine::intent::Purpose;
use crate::engine::intent::RequestMark;
use crate::engine::intent::Tag;
use crate::engine::lifetime::AskedExpiry;
use crate::engine::lifetime::Lifetime;
use crate::engine::lifetime::SHORTEST;
use crate::engine::time_text::time_text;

/// How often a mint whose outcome stays unknown is tried again, time permitting.
const ATTEMPTS: usize = 3;

/// What to mint, and for whom.
pub(crate) struct Mint<'a> {
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

impl Mint<'_> {
    /// Deletes the token of the request's first try, if the host repeats it after a crash.
    pub(crate) async fn undo_first_try(&self, deadline: Deadline) -> Result<(), Error> {
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
    pub(crate) async fn run(&self, deadline: Deadline) -> Result<Minted, Error> {
        self.mint(deadline).await?.complete(deadline).await
    }

    /// Mints a token that is not to be handed out yet.  On an error no token is left, or an intent
    /// still stands for it.
    pub(crate) async fn mint(&self, deadline: Deadline) -> Result<UncommittedToken, Error> {
        let Connection { name, client, .. } = self.connection.as_ref();
        self.undo_first_try(deadline).await?;
        failpoint::hit("mint.first-try-undone");
        let org_id = self.organization(deadline).await?;
        let mut terms = Terms::new(self.expiry, self.connection.health.description_form());
        let mut unknown = 0;
        let mut waits = client.rate_limit_waits();
        loop {
            let attempt = self.begin(org_id, &terms).await?;
            let sent = Instant::now();
            match client.create_token(&attempt.wanted, deadline).await {
                Ok(token) if attempt.is_answered_by(&token) => {
                    let uncommitted = self.uncommitted(attempt, token, sent);
                    return self.accept(uncommitted, terms.refused, deadline).await;
                }
                // The answer is about a token of somebody else: nothing of it may be handed out or
                // deleted.
                Ok(_) => {
                    let _ = self.remove_by_tag(attempt, deadline).await;
                    let config = name.clone();
                    return Err(MintingError::OtherToken { config }.into());
                }
                Err(MintError::NotMinted(error)) => {
                    attempt.intent.cancel();
                    let relaxed = terms.relax(error, &attempt.wanted.description);
                    relaxed.map_err(|error| self.failed(&error))?;
                }
                // It may have been made all the same, so its intent stands and the next tick looks; what
                // follows has a tag of its own.
                Err(MintError::RateLimited { error, wait }) => {
                    attempt.intent.lose(None).await;
                    if !waits.wait(wait, deadline).await {
                        return Err(self.failed(&error));
                    }
                }
                // An answer that does not fit may name a token of somebody else: like an answer
                // that did not come, it is no reason to delete anything but what carries the tag.
                Err(MintError::Mismatch { error, .. } | MintError::Unknown(error)) => {
                    let found = self.remove_by_tag(attempt, deadline).await;
                    if let Err(cause) = found {
                        tracing::warn!(config = name, error = %cause, "a token may be left behind; \
                            the next tick looks for it");
                        return Err(self.failed(&error));
                    }
                    unknown += 1;
                    if unknown == ATTEMPTS || deadline.is_over() || error.is_refusal() {
                        return Err(self.failed(&error));
                    }
                    tracing::info!(config = name, error = %error, attempt = unknown, "the outcome \
                        of a mint is unknown; minting again");
                }
            }
        }
    }

    /// The organization that the token is minted in; `None` if neither the config nor Astra tells.
    ///
    /// A config that was written untried does not tell, and may be for another organization by the time
    /// that a token is looked for whose answer was lost: the list there must not count.
    async fn organization(&self, deadline: Deadline) -> Result<Option<&str>, Error> {
        let Connection { client, entry, .. } = self.connection.as_ref();
        if let Some(known) = &entry.org_id {
            return Ok(Some(known));
        }
        match client.own_org(deadline).await {
            Ok(own) => Ok(Some(own)),
            Err(error) if error.is_retryable() => Err(self.failed(&error)),
            // Whether the root token may mint, the mint itself tells.
            Err(_) => Ok(None),
        }
    }

    /// Takes an intent for one more attempt in the organization with id `org_id`, where that is known.
    async fn begin(&self, org_id: Option<&str>, terms: &Terms) -> Result<Attempt, Error> {
        let Connection { name, ledger, .. } = self.connection.as_ref();
        let intent = ledger.begin(org_id).await?;
        failpoint::hit("mint.intent-begun");
        if self.connection.is_ending() {
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
            request: RequestMark::of(self.request_id),
        };
        let description = Description::new(&tag, self.purpose(), terms.form);
        let wanted = NewToken {
            roles: self.role_ids.clone(),
            description: description.text.clone(),
            expiry: terms.expiry.map(|asked| asked.expiry),
        };
        Ok(Attempt {
            intent,
            tag,
            form: terms.form,
            description,
            wanted,
        })
    }

    fn failed(&self, error: &astra::Error) -> Error {
        astra_error::request_error("mint a token", self.connection, error)
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
    fn learn(&self, attempt: &Attempt, token: &MintedToken) -> Option<String> {
        let echoed = token.description.as_deref();
        let is_less = echoed.is_some_and(|echoed| echoed != attempt.description.text);
        if is_less || attempt.form == DescriptionForm::Plain {
            self.connection.health.set_plain_descriptions();
        }
        let reason = self.purpose().reason;
        (!reason.is_empty())
            .then(|| attempt.description.warning(reason, echoed))
            .flatten()
    }

    /// Notes what the answer to `attempt`, which was sent at `sent`, shows of the organization.
    fn uncommitted(&self, attempt: Attempt, token: MintedToken, sent: Instant) -> UncommittedToken {
        let echoed = token.description.as_deref();
        // Only the tag at its start is needed.
        let ignores_description = echoed != Some(&attempt.wanted.description)
            && echoed.and_then(Tag::parse) != Some(attempt.tag);
        let health = &self.connection.health;
        let ignores_expiry = match attempt.wanted.expiry {
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
            warning: self.learn(&attempt, &token),
            token,
            life,
            connection: Arc::clone(self.connection),
            intent: attempt.intent,
            tag: Box::new(attempt.tag),
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
            (None, _, Some(error)) => self.failed(&error),
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

    /// Deletes what Astra lists under the tag of `attempt`.  Its token counts as lost all the same: a
    /// create that is still on its way may take effect after this look.
    async fn remove_by_tag(
        &self,
        attempt: Attempt,
        deadline: Deadline,
    ) -> Result<(), astra::Error> {
        failpoint::hit("mint.outcome-unknown");
        let Attempt { intent, tag, .. } = attempt;
        intent.lose(None).await;
        delete_by_tag(self.connection, &tag, deadline)
            .await
            .map(drop)
    }
}
