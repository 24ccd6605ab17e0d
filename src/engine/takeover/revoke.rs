//! Ending a lease of the archived engine.
//!
//! Its lease may name another organization than the token is in, because it kept one client for all
//! organizations.  So where there are several, the token is deleted where it is listed, and counts as gone
//! only once the organization that the lease names has been asked too.

use std::sync::Arc;

use futures_util::future::join_all;

use super::error::OldLeaseError;
use super::lease::OldLease;
use super::place::Place;
use super::place::Places;
use crate::astra;
use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::archived_engine::OldEntries;
use crate::engine::creds;
use crate::engine::creds::LeaseError;
use crate::engine::error::Error;
use crate::engine::error::HandlerResult;
use crate::engine::events::EngineEvent;
use crate::engine::events::Subject;
use crate::engine::failpoint;
use crate::framework::Call;

/// Ends a lease of either engine.
///
/// Not an async function: its future would hold the whole call for as long as it runs.
pub(super) fn revoke(engine: Arc<Engine>, call: Call) -> impl Future<Output = HandlerResult> {
    let lease = call.request.lease;
    async move {
        let lease = lease.ok_or(LeaseError::Missing)?;
        match OldLease::of(&lease)? {
            Some(old) => Box::pin(revoke_old(&engine, &old)).await,
            None => creds::revoke(&engine, &lease).await,
        }
    }
}

async fn revoke_old(engine: &Engine, old: &OldLease) -> HandlerResult {
    engine.host.recent_writer_limits().await?;
    // Without a client id there is no token: Astra refused to make it.
    if !old.client_id.is_empty() {
        let deadline = Deadline::after(engine.deadlines.operation);
        let places = Places::find(engine, &old.org_key).await?;
        let place = delete(&places, old, deadline).await?;
        let config = place.as_ref().map(Place::config).unwrap_or_default();
        let subject = Subject {
            path: "org/token",
            config,
            role: old.role.as_deref().unwrap_or_default(),
            client_id: &old.client_id,
        };
        engine.events.publish(EngineEvent::CredsRevoke, subject);
    }
    for id in &old.token_ids {
        if let Some(key) = OldEntries::token_key(id) {
            engine.archived.entries.delete(&key).await?;
            failpoint::hit("old-lease.entry-removed");
        }
    }
    Ok(None)
}

/// Deletes the token of `old`, and says where it was, if it was anywhere.
async fn delete(
    places: &Places,
    old: &OldLease,
    deadline: Deadline,
) -> Result<Option<Place>, Error> {
    let client_id = &old.client_id;
    let home = match &places.home {
        Some(Ok(home)) if places.others.is_empty() => return delete_at(home, old, deadline).await,
        Some(Ok(home)) => {
            // The others must have time left, should this one hang.
            let soon = deadline.at_most(deadline.remaining() / 2);
            if matches!(home.lists(client_id, soon).await, Ok(true)) {
                return delete_at(home, old, deadline).await;
            }
            Some(home)
        }
        Some(Err(_)) | None => None,
    };
    let search = search(&places.others, client_id, deadline).await;
    if let Some(place) = search.found {
        tracing::warn!(
            client_id,
            org_key = old.org_key,
            place = place.name(),
            "a token of the archived engine is in another organization than its lease says; it is \
             deleted there"
        );
        return delete_at(place, old, deadline).await;
    }
    match (search.outage, home, &places.home) {
        (Some((place, error)), ..) => Err(OldLeaseError::NotAsked {
            client_id: client_id.clone(),
            place: place.name(),
            source: error,
        }
        .into()),
        // Its answer decides.
        (None, Some(home), _) => delete_at(home, old, deadline).await,
        (None, None, Some(Err(error))) => Err(error.clone()),
        // The lease names no organization, and each that it can be has been asked.
        (None, None, _)
            if old.org_key.is_empty()
                && !places.others.is_empty()
                && search.refused + places.unusable == 0 =>
        {
            Ok(None)
        }
        (None, None, _) => Err(no_home(old).into()),
    }
}

fn no_home(old: &OldLease) -> OldLeaseError {
    let organization = match old.org_key.as_str() {
        "" => "its organization, which the lease does not name,".to_owned(),
        org_key => format!("organization {org_key}"),
    };
    let client_id = old.client_id.clone();
    OldLeaseError::NoHome {
        organization,
        client_id,
    }
}

async fn delete_at(
    place: &Place,
    old: &OldLease,
    deadline: Deadline,
) -> Result<Option<Place>, Error> {
    match place.client().delete_token(&old.client_id, deadline).await {
        Ok(_) => {
            failpoint::hit("old-lease.token-deleted");
            Ok(Some(place.clone()))
        }
        Err(error) => Err(place.deletion_error(&old.client_id, error)),
    }
}

/// What all other organizations answered.
struct Search<'a> {
    /// The one that lists the token.
    found: Option<&'a Place>,
    /// One that did not answer, or not for certain by itself.
    outage: Option<(&'a Place, astra::Error)>,
    /// How many cannot be asked with their root token, now or later.
    refused: usize,
}

async fn search<'a>(places: &'a [Place], client_id: &str, deadline: Deadline) -> Search<'a> {
    let asked = places
        .iter()
        .map(async |place| (place, place.lists(client_id, deadline).await));
    let mut search = Search {
        found: None,
        outage: None,
        refused: 0,
    };
    for (place, listed) in join_all(asked).await {
        match listed {
            Ok(true) => search.found = Some(place),
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
