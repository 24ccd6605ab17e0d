//! Deleting a config, unless something needs it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::archived_command;
use super::error::ConfigError;
use super::name::name_of;
use super::pending_deletion;
use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::connection::Connection;
use crate::engine::error::Error;
use crate::engine::error::HandlerResult;
use crate::engine::events::EngineEvent;
use crate::engine::events::Subject;
use crate::engine::failpoint;
use crate::engine::failures::Failures;
use crate::engine::in_use;
use crate::engine::registry::Corrupt;
use crate::engine::registry::Loaded;
use crate::engine::store::Key;
use crate::engine::tagged_token::live;
use crate::framework::Call;
use crate::vault::Response;

pub(super) async fn delete(engine: Arc<Engine>, call: Call) -> HandlerResult {
    engine.host.require_writer().await?;
    let name = name_of(&call);
    // Not declared with the path, as the archived engine's parameters have messages of their own.
    call.refuse_unknown_parameters()?;
    // The wait for another request counts too.
    let deadline = Deadline::after(engine.deadlines.operation);
    let _changing = engine.configs.lock(&name).await;
    let force = call.fields.bool("force").unwrap_or_default();
    let loaded = engine.configs.load(&name).await?;
    let org_id = match &loaded {
        Loaded::Valid(connection) => connection.entry.org_id.as_deref(),
        Loaded::Corrupt(_) | Loaded::Missing => None,
    };
    archived_command::check_organization(&engine, &call, org_id).await?;
    let connection = match loaded {
        Loaded::Valid(connection) => connection,
        Loaded::Missing => return Ok(None),
        Loaded::Corrupt(Corrupt { error, .. }) if !force => {
            return Err(ConfigError::UsersUnknown(error).into());
        }
        Loaded::Corrupt(Corrupt { error, .. }) => {
            engine.configs.delete(&name).await?;
            failpoint::hit("config.unusable-removed");
            tracing::info!(config = name, %error, "unusable config deleted");
            return Ok(None);
        }
    };
    // From here on no mint begins, so what is in flight now is all there is.
    let ending = Ending::begin(&connection);
    let users = users(&engine, &connection, deadline).await?;
    if let (Some(Users { words, remedy }), false) = (&users, force) {
        let (users, remedy) = (words.clone(), remedy.clone());
        return Err(ConfigError::InUse {
            name,
            users,
            remedy,
        }
        .into());
    }
    failpoint::hit("config.unused");
    let client_id = connection.entry.token_client_id();
    let _deleting = engine.pending_deletions.lock(client_id).await;
    pending_deletion::record(&engine, &connection.entry).await?;
    engine.configs.delete(&name).await?;
    failpoint::hit("config.removed");
    ending.keep();
    tracing::info!(config = name, force, "config deleted");
    let subject = Subject {
        path: &format!("config/{name}"),
        config: &name,
        ..Subject::default()
    };
    engine.events.publish(EngineEvent::ConfigDelete, subject);
    let forgotten = forget(&engine, &connection, deadline).await;
    let mut warnings: Vec<String> = forgotten.into_iter().collect();
    warnings.extend(users.map(|Users { words: users, .. }| {
        format!("config \"{name}\" was deleted although it was in use: {users}. Its tokens can no longer be revoked; each ends at its own expiry")
    }));
    Ok(Response::to_write(warnings))
}

/// A deletion of a config that has not happened yet; dropped, the config is in use again.
struct Ending<'a> {
    connection: &'a Connection,
    has_happened: bool,
}

impl<'a> Ending<'a> {
    fn begin(connection: &'a Connection) -> Self {
        connection.is_ending.store(true, Ordering::SeqCst);
        Self {
            connection,
            has_happened: false,
        }
    }

    /// The config is deleted, so requests that still have it mint nothing.
    fn keep(mut self) {
        self.has_happened = true;
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let is_ending = self.has_happened;
        self.connection.is_ending.store(is_ending, Ordering::SeqCst);
    }
}

/// The config of `connection` was deleted: deletes the root tokens that no one else has, those that
/// rotation minted, and says what is not deleted yet.
async fn forget(engine: &Engine, connection: &Connection, deadline: Deadline) -> Option<String> {
    Failures::clear(&engine.store, &Key::root_rotation(&connection.name)).await;
    pending_deletion::run(engine, &connection.name, &connection.entry, deadline).await
}

/// What needs a config.
struct Users {
    /// In words.
    words: String,
    /// What to do about them, as the beginning of a sentence.
    remedy: String,
}

/// What needs the config; `None` when nothing does.
async fn users(
    engine: &Engine,
    connection: &Connection,
    deadline: Deadline,
) -> Result<Option<Users>, Error> {
    let mut users = Vec::new();
    let mut remedies = Vec::new();
    let roles = engine.roles.of_config(&connection.name).await?;
    if !roles.is_empty() {
        users.push(format!("roles {}", roles.join(", ")));
        remedies.push("delete those roles");
    }
    let static_roles = engine.static_roles.of_config(&connection.name).await?;
    if !static_roles.is_empty() {
        users.push(format!("static roles {}", static_roles.join(", ")));
        remedies.push("delete those static roles");
    }
    let stored = engine.archived.tokens_of(&connection.name).await?;
    if stored > 0 {
        users.push(format!("stored tokens of the archived engine ({stored})"));
        remedies.push("revoke the leases of the archived engine");
    }
    // Root tokens are deleted with the config, and static roles are named already.
    let mut own = in_use::tokens(engine).await?;
    for client_id in &connection.entry.pending_delete {
        own.insert(client_id);
    }
    let in_flight = connection.ledger.open();
    if in_flight > 0 {
        users.push(format!("mints in flight ({in_flight})"));
        remedies.push("wait until those mints have ended");
    }
    let lost = connection.ledger.pending().await?;
    if lost > 0 {
        users.push(format!("mints whose outcome is not known yet ({lost})"));
        remedies.push("wait for the host's ticks");
    }
    match live(connection, deadline).await {
        Ok(tokens) => {
            // A description can be copied; an intent has one token.
            let intents: BTreeSet<_> = tokens
                .iter()
                .filter(|token| !own.contains(&token.token.client_id))
                .filter_map(|token| token.tag())
                .map(|tag| (tag.block, tag.index))
                .collect();
            if !intents.is_empty() {
                users.push(format!("live tokens ({})", intents.len()));
                remedies.push("revoke those leases");
            }
            if connection.ignores_description() {
                users.push(
                    "an unknown number of live tokens (the organization does not keep descriptions)"
                        .to_owned(),
                );
                remedies.push("revoke the leases that there are");
            }
        }
        Err(error) => {
            users.push(format!("an unknown number of live tokens ({error})"));
            remedies.push("wait until Astra answers");
        }
    }
    let remedy = remedies.join(" and ");
    let remedy = match remedy.split_at_checked(1) {
        Some((first, rest)) => first.to_ascii_uppercase() + rest,
        None => remedy,
    };
    Ok((!users.is_empty()).then(|| Users {
        words: users.join(" and "),
        remedy,
    }))
}
