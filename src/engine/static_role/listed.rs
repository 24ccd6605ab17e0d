//! Whether Astra still has the tokens that storage says are current.
//!
//! After a restored snapshot, or a deletion by hand, readers would get a dead token until the next
//! rotation.  So a tick looks for each of them once after a start, and again every hour.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;

use tokio::time::Instant;

use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::astra_error;
use crate::engine::connection::Connection;
use crate::engine::error::Error;
use crate::engine::intent::Owner;
use crate::engine::role::StaticRoleEntry;
use crate::engine::tagged_token::MountTokenFilter;

/// The current tokens that are to be looked for, by client id, each with its static role's name.
pub(super) type Unseen = BTreeMap<String, String>;

/// The client id of the current token of `entry`, if no list has shown it for an hour, and it is old
/// enough to be listed.
pub(super) fn unseen(engine: &Engine, entry: &StaticRoleEntry) -> Option<String> {
    let current = entry.current.as_ref()?;
    let age = engine.clock.now() - current.rotated_at;
    let is_old = age >= engine.deadlines.late_create_window;
    let is_unseen = is_old
        && !engine
            .seen_tokens
            .contains(&current.client_id, Instant::now());
    is_unseen.then(|| current.client_id.clone())
}

/// Looks for them in the organization's list: the names of the static roles whose token is gone.
pub(super) async fn gone(
    engine: &Engine,
    connection: &Connection,
    unseen: &Unseen,
    deadline: Deadline,
) -> Result<BTreeSet<String>, Error> {
    let wanted: BTreeSet<String> = unseen.keys().cloned().collect();
    let mount = MountTokenFilter::of(connection);
    let owners: HashMap<Owner, String> = unseen
        .values()
        .map(|name| (owner(connection, name), name.clone()))
        .collect();
    let began = Instant::now();
    let look = move |token: &crate::astra::TokenEntry| {
        let name = mount
            .tag(token)
            .and_then(|tag| owners.get(&tag.owner).cloned());
        let is_wanted = wanted.contains(&token.client_id);
        (is_wanted || name.is_some()).then(|| (token.client_id.clone(), name))
    };
    let listed = connection.client.tokens(look, deadline).await;
    let listed =
        listed.map_err(|error| astra_error::request_error("list tokens", connection, &error))?;
    let ids: BTreeSet<&String> = listed.iter().map(|(client_id, _)| client_id).collect();
    let mut gone = BTreeSet::new();
    for (client_id, name) in unseen {
        if ids.contains(client_id) {
            engine.seen_tokens.record(client_id, began);
            continue;
        }
        let others: Vec<&str> = listed
            .iter()
            .filter(|(_, of)| of.as_ref() == Some(name))
            .map(|(client_id, _)| client_id.as_str())
            .collect();
        tracing::warn!(
            static_role = name,
            client_id,
            others = others.join(", "),
            "the current token of a static role is gone from Astra, so it is replaced; others that \
             were minted for the role stay until they are tidied or expire"
        );
        gone.insert(name.clone());
    }
    Ok(gone)
}

fn owner(connection: &Connection, name: &str) -> Owner {
    Owner::of(&connection.name, &format!("static-roles/{name}"))
}
