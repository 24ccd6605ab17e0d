//! How one config fares.

use serde_json::Map;
use serde_json::Value;
use time::OffsetDateTime;

use super::live_tokens::Source;
use super::live_tokens::look;
use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::connection::Connection;
use crate::engine::connection::Seen;
use crate::engine::error::Error;
use crate::engine::failures;
use crate::engine::failures::Failures;
use crate::engine::store::Key;
use crate::engine::time_text::time_text;
use crate::framework::format_seconds;

/// How a config fares.
pub(super) struct ConfigStatus<'a> {
    pub(super) connection: &'a Connection,
    is_reachable: bool,
    pub(super) may_write: bool,
    pub(super) age: i64,
    rotation: Map<String, Value>,
    rotation_failures: u64,
    pending_intents: Option<usize>,
    seen: Option<Seen>,
}

impl<'a> ConfigStatus<'a> {
    pub(super) async fn of(engine: &Engine, connection: &'a Connection) -> Result<Self, Error> {
        let deadline = Deadline::after(engine.deadlines.status);
        let reachable = connection.client.current_org(deadline).await;
        let seen = match &reachable {
            Ok(_) => look(engine, connection, Source::OwnList, deadline).await,
            Err(error) => {
                connection.health.failed(error);
                Ok(None)
            }
        }?;
        let age = engine.clock.now() - connection.entry.token_set_at;
        let failures = Failures::load(&engine.store, &Key::root_rotation(&connection.name)).await?;
        let rotation_failures = failures.as_ref().map_or(0, |failures| failures.count);
        let mut rotation = Map::new();
        failures::show(connection.entry.next_rotation(), failures, &mut rotation);
        // What a predecessor left is read by a node that may write: another would take the present
        // intents of the active node for it.
        let may_write = engine.host.may_write_recently().await;
        let pending_intents = match may_write {
            true => Some(connection.ledger.pending().await?),
            false => None,
        };
        Ok(Self {
            connection,
            is_reachable: reachable.is_ok(),
            may_write,
            age: age.whole_seconds().max(0),
            rotation,
            rotation_failures: rotation_failures.into(),
            pending_intents,
            seen,
        })
    }

    /// Flat: texts are empty and numbers absent where there is nothing to tell.
    pub(super) fn shown(&self) -> Map<String, Value> {
        let Connection { entry, health, .. } = self.connection;
        let last_error = health.last_error();
        let class = last_error.as_ref().map_or("", |error| error.class);
        let text = |time: Option<OffsetDateTime>| Value::from(time_text(time));
        let rotation = |name: &str| self.rotation.get(name).cloned().unwrap_or_default();
        let mut shown = Map::new();
        shown.insert(
            "org_id".into(),
            entry.org_id.as_deref().unwrap_or_default().into(),
        );
        shown.insert("reachable".into(), self.is_reachable.into());
        shown.insert("last_error".into(), class.into());
        shown.insert(
            "last_error_at".into(),
            text(last_error.map(|error| error.at)),
        );
        shown.insert("root_client_id".into(), entry.token_client_id().into());
        shown.insert("root_age".into(), format_seconds(self.age).into());
        let root_expiry = self.seen.as_ref().and_then(|seen| seen.root_expiry);
        shown.insert("root_expires_at".into(), text(root_expiry));
        shown.insert("next_rotation".into(), rotation("next_rotation"));
        shown.insert("rotation_failures".into(), self.rotation_failures.into());
        shown.insert("rotation_error".into(), rotation("rotation_error"));
        shown.insert(
            "roots_to_delete".into(),
            entry.pending_delete.clone().into(),
        );
        shown.insert("may_write".into(), self.may_write.into());
        shown.insert(
            "ignores_description".into(),
            self.connection.ignores_description().into(),
        );
        shown.insert("ignores_expiry".into(), health.ignores_expiry().into());
        if let Some(pending) = self.pending_intents {
            shown.insert("pending_intents".into(), pending.into());
        }
        // Without descriptions a count of 0 would say that there are none.
        let seen = self.seen.as_ref();
        if let Some(seen) = seen.filter(|_| !self.connection.ignores_description()) {
            shown.insert("live_tokens".into(), seen.live().into());
            shown.insert("live_lease_tokens".into(), seen.leased.into());
            shown.insert(
                "live_static_role_tokens".into(),
                seen.of_static_roles.into(),
            );
            shown.insert("live_root_tokens".into(), seen.roots.into());
        }
        shown
    }
}
