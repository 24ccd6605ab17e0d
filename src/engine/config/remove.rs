//! Deleting a config, unless something needs it.

use std::sync::Arc;

use super::archived_command;
use super::error::ConfigError;
use super::name::name_of;
use super::pending_deletion;
use super::users::Users;
use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::connection::Configs;
use crate::engine::connection::Connection;
use crate::engine::error::Error;
use crate::engine::error::HandlerResult;
use crate::engine::events::EngineEvent;
use crate::engine::events::Subject;
use crate::engine::failpoint;
use crate::engine::failures::Failures;
use crate::engine::registry::Loaded;
use crate::engine::store::Key;
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
        Loaded::Corrupt(corrupt) => {
            let forced = corrupt.check_forced(force);
            let error = forced.map_err(ConfigError::UsersUnknown)?;
            engine.configs.delete(&name).await?;
            failpoint::hit("config.unusable-removed");
            Failures::clear(&engine.store, &Key::root_rotation(&name)).await;
            tracing::info!(config = name, %error, "unusable config deleted");
            return Ok(Response::to_write(vec![left_unread(&name, &error)]));
        }
    };
    // From here on no mint and no change of a custom role begins, so what is noted now is all there is.
    let ending = Ending::begin(&connection);
    let users = Users::find(&engine, &connection, deadline).await?;
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
    ending.keep(&engine.configs);
    tracing::info!(config = name, force, "config deleted");
    let subject = Subject {
        path: &format!("config/{name}"),
        config: &name,
        ..Subject::default()
    };
    engine.events.publish(EngineEvent::ConfigDelete, subject);
    let forgotten = forget(&engine, &connection, deadline).await;
    let mut warnings: Vec<String> = forgotten.into_iter().collect();
    warnings.extend(users.map(|users| left_in_use(&name, &users)));
    Ok(Response::to_write(warnings))
}

/// The warning that the config was deleted although it had `users`.
fn left_in_use(name: &str, Users { words: users, .. }: &Users) -> String {
    format!(
        "config \"{name}\" was deleted although it was in use: {users}. Revoking its tokens may \
         fail until it is written again with a root token of the same organization: each lives \
         until its own expiry then, or for ever if it has none"
    )
}

/// The warning that the config was deleted although its entry could not be read, for the reason `error`: only
/// that told which root tokens no one else has.
fn left_unread(name: &str, error: &Error) -> String {
    format!(
        "config \"{name}\" was deleted although its entry could not be read: root tokens that \
         rotation minted or replaced stay in Astra; once config/{name} is written again, list \
         tokens/{name} shows those that rotation minted, with the role rotate-root/{name} ({error})"
    )
}

/// A deletion of a config that has not happened yet; dropped, the config is in use again.
struct Ending<'a> {
    connection: &'a Connection,
    has_happened: bool,
}

impl<'a> Ending<'a> {
    fn begin(connection: &'a Connection) -> Self {
        connection.set_ending(true);
        Self {
            connection,
            has_happened: false,
        }
    }

    /// The config is deleted, so requests that still have it mint nothing.
    fn keep(mut self, configs: &Configs) {
        self.has_happened = true;
        configs.ended(&self.connection.name);
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if !self.has_happened {
            self.connection.set_ending(false);
        }
    }
}

/// The config of `connection` was deleted: deletes the root tokens that no one else has, those that
/// rotation minted, and says what is not deleted yet.
async fn forget(engine: &Engine, connection: &Connection, deadline: Deadline) -> Option<String> {
    // Blocks with nothing to look for go with the config.  Others stay: should the config be written again,
    // they tell which tokens no caller received.
    connection.ledger.close().await;
    Failures::clear(&engine.store, &Key::root_rotation(&connection.name)).await;
    pending_deletion::run(engine, &connection.name, &connection.entry, deadline).await
}
