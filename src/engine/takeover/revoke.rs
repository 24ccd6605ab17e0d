//! Ending a lease of the archived engine.
//!
//! Its lease may name another organization than the token is in, because it kept one client for all
//! organizations.  So where there are several, the token is deleted where it is listed, and counts as gone
//! only once the organization that the lease names has been asked too, and no organization is left that cannot
//! be asked because it has no config, or one that cannot be used.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use time::OffsetDateTime;

use super::error::OldLeaseError;
use super::lease::OldLease;
use super::place::Place;
use super::place::Places;
use super::place::Unusable;
use crate::astra;
use crate::astra::Deadline;
use crate::astra::Deletion;
use crate::engine::Engine;
use crate::engine::archived_engine::OldEntries;
use crate::engine::archived_engine::OldToken;
use crate::engine::creds;
use crate::engine::creds::LeaseError;
use crate::engine::error::Error;
use crate::engine::error::HandlerResult;
use crate::engine::events::EngineEvent;
use crate::engine::events::Subject;
use crate::engine::failpoint;
use crate::engine::token_age::TokenAge;
use crate::framework::Call;

/// Ends a lease of either engine.
///
/// Not an async function: its future would hold the whole call for as long as it runs.
pub(super) fn revoke(engine: Arc<Engine>, call: Call) -> impl Future<Output = HandlerResult> {
    let lease = call.request.lease;
    async move {
        let lease = lease.ok_or(LeaseError::Missing)?;
        match OldLease::of(&lease)? {
            Some(old) => Box::pin(revoke_old(&engine, &old, lease.issue_time)).await,
            None => creds::revoke(&engine, &lease).await,
        }
    }
}

async fn revoke_old(
    engine: &Engine,
    old: &OldLease,
    issued: Option<OffsetDateTime>,
) -> HandlerResult {
    engine.host.recent_writer_limits().await?;
    // Without a client id there is no token: Astra refused to make it.
    if !old.client_id.is_empty() {
        let revocation = Revocation::begin(engine, old, issued).await?;
        let places = Places::find(engine, &revocation.org_key).await?;
        let place = revocation.run(&places).await?;
        let config = place.as_ref().map(Place::config).unwrap_or_default();
        let subject = Subject {
            path: "org/token",
            config,
            role: old.role.as_deref().unwrap_or_default(),
            client_id: &old.client_id,
        };
        engine.events.publish(EngineEvent::CredsRevoke, subject);
    }
    remove_stored(engine, old).await?;
    Ok(None)
}

/// A lease with a token that is to be ended.
struct Revocation<'a> {
    engine: &'a Engine,
    old: &'a OldLease,
    /// The key of the organization that the lease names, or the stored token in its place; may be empty.
    org_key: String,
    age: TokenAge,
    deadline: Deadline,
}

impl<'a> Revocation<'a> {
    /// The revocation of a lease.  When it was `issued` hosts tell at renewals, and seldom here; the stored
    /// token tells when it was minted by Astra's clock.
    async fn begin(
        engine: &'a Engine,
        old: &'a OldLease,
        issued: Option<OffsetDateTime>,
    ) -> Result<Self, Error> {
        let deadline = Deadline::after(engine.deadlines.operation);
        let stored = stored_token(engine, old).await?;
        let generated_on = stored.as_ref().and_then(OldToken::generated_on);
        let window = engine.deadlines.visible_after();
        let org_key = match stored {
            Some(stored) if old.org_key.is_empty() => stored.org_id,
            _ => old.org_key.clone(),
        };
        Ok(Self {
            engine,
            old,
            org_key,
            age: TokenAge::now(&engine.clock, window, issued.or(generated_on), generated_on),
            deadline,
        })
    }

    /// Deletes the token, and says where it was, if it was anywhere.
    async fn run(&self, places: &Places) -> Result<Option<Place>, Error> {
        let client_id = &self.old.client_id;
        let home = match &places.home {
            Some(Ok(home)) if places.others.is_empty() => {
                return self.delete_at_home(home, places).await;
            }
            Some(Ok(home)) => {
                if matches!(self.lists(home).await, Ok(true)) {
                    self.delete_at(home).await?;
                    return Ok(Some(home.clone()));
                }
                Some(home)
            }
            Some(Err(_)) | None => None,
        };
        let search = search(&places.others, client_id, self.deadline).await;
        if let Some(place) = search.found {
            tracing::warn!(
                client_id,
                org_key = self.org_key,
                place = place.name(),
                "a token of the archived engine is in another organization than its lease says; it \
                 is deleted there"
            );
            self.delete_at(place).await?;
            return Ok(Some(place.clone()));
        }
        match (search.outage, home, &places.home) {
            (Some((place, error)), ..) => Err(self.not_asked(place.name(), error)),
            // Its answer decides.
            (None, Some(home), _) => self.delete_at_home(home, places).await,
            (None, None, Some(Err(error))) => Err(error.clone()),
            (None, None, _) if self.org_key.is_empty() => {
                self.check_gone(places, search.refused)?;
                Ok(None)
            }
            (None, None, _) => Err(self.no_home(format!("organization {}", self.org_key))),
        }
    }

    /// Whether a token is gone that no one lists and whose organization nothing names: each that it can be
    /// has been asked, but for those that have `refused`.
    fn check_gone(&self, places: &Places, refused: usize) -> Result<(), Error> {
        if self.was_deleted() {
            return Ok(());
        }
        if places.others.is_empty() || refused + places.unusable.len() > 0 {
            let organization = "its organization, which the lease does not name,";
            return Err(self.no_home(organization.to_owned()));
        }
        self.check_nowhere_else(places)?;
        for place in &places.others {
            self.check_visible(place)?;
        }
        Ok(())
    }

    /// Deletes the token in the organization that the lease names, where no other lists it.  That it is not
    /// there says nothing while it may be where no one could look.
    async fn delete_at_home(&self, home: &Place, places: &Places) -> Result<Option<Place>, Error> {
        // The host repeats a revocation whose answer it did not get.
        let unasked = match self.was_deleted() {
            true => None,
            false => self.check_nowhere_else(places).err(),
        };
        let Some(unasked) = unasked else {
            self.delete_at(home).await?;
            return Ok(Some(home.clone()));
        };
        // Astra may answer the deletion of a token of another organization with a success.
        if let Ok(false) = self.lists(home).await {
            self.check_visible(home)?;
            return Err(unasked);
        }
        match self.delete_at(home).await? {
            Deletion::Deleted => Ok(Some(home.clone())),
            Deletion::AlreadyAbsent(_) => Err(unasked),
        }
    }

    /// Whether `place`, which may hang, lists the token; the rest must have time left then.
    async fn lists(&self, place: &Place) -> Result<bool, astra::Error> {
        let soon = self.deadline.at_most(self.deadline.remaining() / 2);
        place.lists(&self.old.client_id, soon).await
    }

    /// Refuses that a token is gone because no one lists it, where not all organizations that may have it
    /// could be asked.
    fn check_nowhere_else(&self, places: &Places) -> Result<(), Error> {
        if let Some(Unusable { name, error }) = places.unusable.first() {
            return Err(self.not_asked(name.clone(), error.clone()));
        }
        if let Some(error) = &places.unread_record {
            let (client_id, source) = (self.old.client_id.clone(), error.clone());
            return Err(OldLeaseError::RecordUnread { client_id, source }.into());
        }
        match places.without_config.first() {
            Some(org_key) => Err(self.no_home(format!("organization {org_key}, where it may be,"))),
            None => Ok(()),
        }
    }

    async fn delete_at(&self, place: &Place) -> Result<Deletion, Error> {
        let client_id = &self.old.client_id;
        let deleted = place.client().delete_token(client_id, self.deadline).await;
        let deletion = deleted.map_err(|error| place.deletion_error(client_id, error))?;
        failpoint::hit("old-lease.token-deleted");
        match deletion {
            Deletion::Deleted => self.engine.recent_deletions.record(client_id),
            Deletion::AlreadyAbsent(_) => self.check_visible(place)?,
        }
        Ok(deletion)
    }

    /// Refuses the absence of a token that `place` may not show yet: it proves nothing.
    fn check_visible(&self, place: &Place) -> Result<(), Error> {
        if self.was_deleted() || !self.age.is_young(place.client()) {
            return Ok(());
        }
        Err(OldLeaseError::PerhapsNotVisible {
            place: place.name(),
            client_id: self.old.client_id.clone(),
        }
        .into())
    }

    /// Whether this process deleted the token a short time ago.
    fn was_deleted(&self) -> bool {
        self.engine.recent_deletions.contains(&self.old.client_id)
    }

    fn not_asked(
        &self,
        place: String,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        OldLeaseError::NotAsked {
            client_id: self.old.client_id.clone(),
            place,
            source: source.into(),
        }
        .into()
    }

    fn no_home(&self, organization: String) -> Error {
        OldLeaseError::NoHome {
            organization,
            client_id: self.old.client_id.clone(),
        }
        .into()
    }
}

/// The token as the archived engine stored it, while that can be read.
async fn stored_token(engine: &Engine, old: &OldLease) -> Result<Option<OldToken>, Error> {
    for id in &old.token_ids {
        if let Some(Ok(token)) = engine.archived.entries.token(id).await?
            // A later mint under the same logical name takes its place.
            && token.client_id == old.client_id
        {
            return Ok(Some(token));
        }
    }
    Ok(None)
}

/// Removes what the archived engine stored of the lease's token.  A later token under the same logical name,
/// which has taken its place, lives under a lease of its own.
async fn remove_stored(engine: &Engine, old: &OldLease) -> Result<(), Error> {
    let entries = &engine.archived.entries;
    for id in &old.token_ids {
        let (Some(key), Some(stored)) = (OldEntries::token_key(id), entries.token(id).await?)
        else {
            continue;
        };
        let is_of_another =
            |token: OldToken| !token.client_id.is_empty() && token.client_id != old.client_id;
        if !stored.is_ok_and(is_of_another) {
            entries.delete(&key).await?;
            failpoint::hit("old-lease.entry-removed");
        }
    }
    Ok(())
}

/// What the other organizations answered, up to the first that lists the token.
struct Search<'a> {
    /// The one that lists the token.
    found: Option<&'a Place>,
    /// One that did not answer, or not for certain by itself.
    outage: Option<(&'a Place, astra::Error)>,
    /// How many cannot be asked with their root token, now or later.
    refused: usize,
}

async fn search<'a>(places: &'a [Place], client_id: &str, deadline: Deadline) -> Search<'a> {
    let mut asked: FuturesUnordered<_> = places
        .iter()
        .map(async |place| (place, place.lists(client_id, deadline).await))
        .collect();
    let mut search = Search {
        found: None,
        outage: None,
        refused: 0,
    };
    while let Some((place, listed)) = asked.next().await {
        match listed {
            Ok(true) => {
                search.found = Some(place);
                // Those that hang must leave time for the deletion.
                break;
            }
            Ok(false) => {}
            // A root token that is dead must not keep leases alive for ever.
            Err(error) if is_final(&error) => {
                search.refused += 1;
                tracing::warn!(client_id, place = place.name(), %error, "an organization cannot be \
                    asked for a token");
            }
            Err(error) => search.outage = Some((place, error)),
        }
    }
    search
}

/// Whether the organization will answer so until an operator changes something.  Any other refusal may be
/// of something in front of Astra, which says nothing of the token: these tokens have no expiry.
fn is_final(error: &astra::Error) -> bool {
    error.is_dead_token() || matches!(error, astra::Error::WrongOrganization { .. })
}
