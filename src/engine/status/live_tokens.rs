//! How many tokens of the mount live in the organization of a config.

use std::collections::HashSet;

use crate::astra;
use crate::astra::Deadline;
use crate::astra::TokenEntry;
use crate::engine::Engine;
use crate::engine::connection::Connection;
use crate::engine::connection::Seen;
use crate::engine::error::Error;
use crate::engine::intent::Owner;
use crate::engine::tagged_token::MountTokenFilter;

/// Which list shows the tokens of a config.
#[derive(Clone, Copy)]
pub(crate) enum Source {
    /// One that its own root token asks for, which tells how the config fares.
    OwnList,
    /// One for all configs of the organization.
    SharedList,
}

/// Counts the mount's live tokens of a config; `None` where Astra does not answer.  What is seen is
/// remembered for metrics.
pub(crate) async fn look(
    engine: &Engine,
    connection: &Connection,
    source: Source,
    deadline: Deadline,
) -> Result<Option<Seen>, Error> {
    let name = &connection.name;
    let static_roles = engine.static_roles.names().await?.into_iter();
    let static_roles: HashSet<Owner> = static_roles
        .map(|role| Owner::of(name, &format!("static-roles/{role}")))
        .collect();
    let roots = Owner::of(name, &format!("rotate-root/{name}"));
    match list_tokens(connection, source, static_roles, roots, deadline).await {
        Ok(seen) => {
            connection.health.saw(seen.clone());
            Ok(Some(seen))
        }
        Err(error) => {
            connection.health.failed(&error);
            Ok(None)
        }
    }
}

async fn list_tokens(
    connection: &Connection,
    source: Source,
    static_roles: HashSet<Owner>,
    roots: Owner,
    deadline: Deadline,
) -> Result<Seen, astra::Error> {
    enum Kind {
        Leased,
        StaticRole,
        Root,
        Other,
    }
    let own = MountTokenFilter::of(connection);
    let root = connection.entry.token_client_id().to_owned();
    let select = move |token: &TokenEntry| {
        let kind = match own.tag(token).map(|tag| tag.owner) {
            Some(owner) if owner == roots => Kind::Root,
            Some(owner) if static_roles.contains(&owner) => Kind::StaticRole,
            Some(_) => Kind::Leased,
            None => Kind::Other,
        };
        let present = (token.client_id == root).then_some(token.token_expiry);
        (present.is_some() || !matches!(kind, Kind::Other)).then_some((kind, present.flatten()))
    };
    let mut seen = Seen::new();
    let client = &connection.client;
    let listed = match source {
        Source::OwnList => client.tokens(select, deadline).await,
        Source::SharedList => {
            // What is not known to be one organization shares nothing.
            client.own_org(deadline).await?;
            client.shared_tokens(select, deadline).await
        }
    };
    for (kind, root_expiry) in listed? {
        match kind {
            Kind::Leased => seen.leased += 1,
            Kind::StaticRole => seen.of_static_roles += 1,
            Kind::Root => seen.roots += 1,
            Kind::Other => {}
        }
        seen.root_expiry = seen.root_expiry.or(root_expiry);
    }
    Ok(seen)
}
