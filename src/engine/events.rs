//! What the engine tells the host's event service (docs/internals/protocol.md, "Events").
//!
//! An event is sent after its effect, in the background: no request waits for it.  Few are in flight at
//! a time; what does not fit is dropped, as is what the host does not take.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::vault::Event;
use crate::vault::Events;

/// How many events may be in flight: enough for a burst, few enough to forget when the host hangs.
const UNDER_WAY: usize = 64;

/// Tells the host what happened in one mount.
pub(crate) struct EventPublisher {
    service: Arc<dyn Events>,
    free: Arc<Semaphore>,
}

/// What happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum EngineEvent {
    /// A config was written.
    ConfigWrite,
    /// A config was deleted.
    ConfigDelete,
    /// A credential was minted.
    CredsCreate,
    /// A credential's token was deleted.
    CredsRevoke,
    /// A role was written.
    RoleWrite,
    /// A role was deleted.
    RoleDelete,
    /// A config got a new root token.
    RootRotate,
    /// A static role got a new token.
    StaticRotate,
    /// A static role was written.
    StaticRoleWrite,
    /// A static role was deleted.
    StaticRoleDelete,
}

/// What an event says beside its kind; what is empty is left out.  None of it is secret.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Subject<'a> {
    /// The path below the mount that the event is about.
    pub path: &'a str,
    /// The config.
    pub config: &'a str,
    /// The role, or the static role.
    pub role: &'a str,
    /// The token's client id.
    pub client_id: &'a str,
}

impl EngineEvent {
    /// The event's kind without the engine's name, and its `operation`.
    fn operation(self) -> &'static str {
        match self {
            Self::ConfigWrite => "config-write",
            Self::ConfigDelete => "config-delete",
            Self::CredsCreate => "creds-create",
            Self::CredsRevoke => "creds-revoke",
            Self::RoleWrite => "role-write",
            Self::RoleDelete => "role-delete",
            Self::RootRotate => "root-rotate",
            Self::StaticRotate => "static-rotate",
            Self::StaticRoleWrite => "static-role-write",
            Self::StaticRoleDelete => "static-role-delete",
        }
    }

    /// Where what changed can be read now.
    fn data_path(self, subject: &Subject<'_>) -> Option<String> {
        match self {
            Self::ConfigWrite | Self::RoleWrite | Self::StaticRoleWrite => {
                Some(subject.path.to_owned())
            }
            Self::RootRotate => Some(format!("config/{}", subject.config)),
            Self::StaticRotate => Some(format!("static-creds/{}", subject.role)),
            Self::ConfigDelete
            | Self::CredsCreate
            | Self::CredsRevoke
            | Self::RoleDelete
            | Self::StaticRoleDelete => None,
        }
    }
}

impl EventPublisher {
    /// Tells `service`.
    pub(crate) fn new(service: Arc<dyn Events>) -> Self {
        Self {
            service,
            free: Arc::new(Semaphore::new(UNDER_WAY)),
        }
    }

    /// Publishes that `kind` has happened to `subject`; returns at once.
    pub(crate) fn publish(&self, kind: EngineEvent, subject: Subject<'_>) {
        if !self.service.has_subscribers() {
            return;
        }
        let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() else {
            tracing::debug!(
                kind = kind.operation(),
                "an event is dropped: the host does not keep up"
            );
            return;
        };
        let event = event(kind, &subject);
        let service = Arc::clone(&self.service);
        tokio::spawn(async move {
            service.send(event).await;
            drop(permit);
        });
    }
}

fn event(kind: EngineEvent, subject: &Subject<'_>) -> Event {
    let operation = kind.operation();
    let mut metadata = vec![
        ("path".to_owned(), subject.path.to_owned()),
        ("operation".to_owned(), operation.to_owned()),
        ("modified".to_owned(), "true".to_owned()),
    ];
    if let Some(data_path) = kind.data_path(subject) {
        metadata.push(("data_path".to_owned(), data_path));
    }
    let texts = [
        ("config", subject.config),
        ("role", subject.role),
        ("client_id", subject.client_id),
    ];
    for (key, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
        metadata.push((key.to_owned(), text.to_owned()));
    }
    Event {
        kind: format!("astra/{operation}"),
        metadata,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;
