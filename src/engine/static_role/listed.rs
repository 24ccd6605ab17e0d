//! Whether Astra still has the tokens that storage says are current.
//!
//! After a restored snapshot, or a deletion by hand, readers would get a dead token until the next
//! rotation.  So a tick looks for each of them once after a start, and again every hour, or when Astra
//! is about to end it: when that is by this node's clock storage says, but the clock may have been wrong.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant;

use crate::astra::Deadline;
use crate::astra::TokenEntry;
use crate::astra::is_same_organization;
use crate::engine::Engine;
use crate::engine::astra_error;
use crate::engine::connection::Connection;
use crate::engine::error::Error;
use crate::engine::intent::Owner;
use crate::engine::role::StaticRoleEntry;
use crate::engine::schedule::before_end;
use crate::engine::tagged_token::MountTokenFilter;

/// The current tokens that are to be looked for, by client id.
pub(super) type Unseen = BTreeMap<String, UnseenToken>;

/// A current token, as storage has it.
pub(super) struct UnseenToken {
    /// The static role's name.
    role: String,
    /// When it was made, by Astra's clock.
    minted_by_astra: Option<OffsetDateTime>,
    /// The organization that it is in; empty where that is not known.
    org_id: String,
}

/// A token that a list showed.
struct Listed {
    client_id: String,
    /// The static role that it was minted for.
    role: Option<String>,
    /// When it is to be replaced at the latest, by Astra's clock.
    replace_at: Option<OffsetDateTime>,
}

/// The current token of `entry`, which the static role called `name` has, if no list has shown it lately, and
/// it is old enough to be listed.
pub(super) fn unseen(
    engine: &Engine,
    name: &str,
    entry: &StaticRoleEntry,
) -> Option<(String, UnseenToken)> {
    let current = entry.current.as_ref()?;
    let age = engine.clock.now() - current.rotated_at;
    // Made in the future, it was made before the clock was set back.
    let is_old = age.unsigned_abs() >= engine.deadlines.late_create_window;
    let is_unseen = is_old
        && !engine
            .seen_tokens
            .contains(&current.client_id, Instant::now());
    is_unseen.then(|| {
        let token = UnseenToken {
            role: name.to_owned(),
            minted_by_astra: current.minted_by_astra,
            org_id: current.org_id.clone(),
        };
        (current.client_id.clone(), token)
    })
}

/// Looks for them in the organization's list: the static roles whose token is gone, or to be replaced before
/// Astra ends it, each with the client id of that token.
pub(super) async fn gone(
    engine: &Engine,
    connection: &Connection,
    unseen: &Unseen,
    deadline: Deadline,
) -> Result<BTreeMap<String, String>, Error> {
    let own = connection.client.own_org(deadline).await.map_err(|error| {
        astra_error::request_error("ask for the root token's organization", connection, &error)
    })?;
    // Where the config is for another organization by now, its list shows nothing of the token.
    let is_here =
        |token: &UnseenToken| token.org_id.is_empty() || is_same_organization(&token.org_id, own);
    let unseen: BTreeMap<&String, &UnseenToken> =
        unseen.iter().filter(|(_, token)| is_here(token)).collect();
    if unseen.is_empty() {
        return Ok(BTreeMap::new());
    }
    let wanted: BTreeMap<String, Option<OffsetDateTime>> = unseen
        .iter()
        .map(|(client_id, token)| ((*client_id).clone(), token.minted_by_astra))
        .collect();
    let mount = MountTokenFilter::of(connection);
    let owners: HashMap<Owner, String> = unseen
        .values()
        .map(|token| (owner(connection, &token.role), token.role.clone()))
        .collect();
    let began = Instant::now();
    let look = move |token: &TokenEntry| {
        let role = mount
            .tag(token)
            .and_then(|tag| owners.get(&tag.owner).cloned());
        let known = wanted.get(&token.client_id);
        (known.is_some() || role.is_some()).then(|| Listed {
            client_id: token.client_id.clone(),
            role,
            replace_at: replace_at(token, known.copied().flatten()),
        })
    };
    let listed = connection.client.tokens(look, deadline).await;
    let listed =
        listed.map_err(|error| astra_error::request_error("list tokens", connection, &error))?;
    let now = connection.client.astra_time();
    let mut gone = BTreeMap::new();
    for (client_id, UnseenToken { role: name, .. }) in &unseen {
        let Some(found) = listed.iter().find(|token| token.client_id == **client_id) else {
            warn_of(name, client_id, &listed);
            gone.insert(name.clone(), (*client_id).clone());
            continue;
        };
        let left = found.replace_at.zip(now).map(|(at, now)| at - now);
        match left.map(Duration::try_from) {
            Some(Err(_)) => {
                tracing::info!(
                    static_role = name,
                    client_id,
                    "Astra is about to end the current token of a static role, so it is replaced"
                );
                gone.insert(name.clone(), (*client_id).clone());
            }
            left => engine
                .seen_tokens
                .record(client_id, began, left.and_then(Result::ok)),
        }
    }
    Ok(gone)
}

/// When Astra's list says that `token`, which is known to be made at `made`, is to be replaced; `None` where
/// it does not end.  What lists say of its making is second: were it wrong, the token could be replaced at
/// each tick.
fn replace_at(token: &TokenEntry, made: Option<OffsetDateTime>) -> Option<OffsetDateTime> {
    let (made, end) = (made.or(token.generated_on)?, token.token_expiry?);
    Some(before_end(made, end, time::Duration::ZERO))
}

fn warn_of(name: &str, client_id: &str, listed: &[Listed]) {
    let others: Vec<&str> = listed
        .iter()
        .filter(|token| token.role.as_deref() == Some(name))
        .map(|token| token.client_id.as_str())
        .collect();
    tracing::warn!(
        static_role = name,
        client_id,
        others = others.join(", "),
        "the current token of a static role is gone from Astra, so it is replaced; others that were \
         minted for the role stay until they are tidied or expire"
    );
}

fn owner(connection: &Connection, name: &str) -> Owner {
    Owner::of(&connection.name, &format!("static-roles/{name}"))
}
