//! The secrets engine: configs, roles and credentials of one mount.
//!
//! It knows nothing of gRPC: requests arrive through [`crate::framework`], storage and the system
//! view are traits of [`crate::vault`].

mod archived_engine;
mod astra_error;
mod clock;
mod config;
mod connection;
mod creds;
mod discovery;
mod error;
mod events;
mod factory;
pub mod failpoint;
mod failures;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod host;
mod in_use;
mod intent;
mod lifetime;
mod metrics;
mod metrics_path;
mod minting;
mod mount_id;
mod periodic;
mod recent_deletions;
mod registry;
mod role;
mod role_path;
mod rotation;
mod schedule;
mod seen_tokens;
mod static_role;
mod status;
mod store;
mod tagged_token;
mod takeover;
#[cfg(test)]
mod testing;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;
mod tidy;
mod time_text;
mod token_age;

use std::sync::Arc;
use std::time::Duration;

pub use factory::AstraFactory;

use crate::vault::Mount;
use archived_engine::ArchivedEngine;
use clock::Clock;
use connection::Configs;
use connection::PendingDeletions;
use connection::ReplacedRoots;
use events::EventPublisher;
use host::Host;
use metrics::Metrics;
use minting::UncertainWrites;
use mount_id::Identity;
use recent_deletions::RecentDeletions;
use recent_deletions::VISIBLE_AFTER;
use role::ActiveLimits;
use role::Comparisons;
use role::CustomRoles;
use role::Roles;
use role::StaticRoles;
use role::TokenAdmins;
use seen_tokens::SeenTokens;
use store::Store;

/// One mounted secrets engine.
pub struct Engine {
    pub(crate) archived: ArchivedEngine,
    pub(crate) configs: Configs,
    pub(crate) pending_deletions: PendingDeletions,
    pub(crate) roles: Roles,
    pub(crate) static_roles: StaticRoles,
    pub(crate) replaced_roots: ReplacedRoots,
    pub(crate) uncertain_writes: UncertainWrites,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) custom_roles: CustomRoles,
    pub(crate) comparisons: Comparisons,
    pub(crate) token_admins: TokenAdmins,
    pub(crate) active: ActiveLimits,
    pub(crate) recent_deletions: Arc<RecentDeletions>,
    pub(crate) seen_tokens: SeenTokens,
    pub(crate) host: Arc<Host>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) events: EventPublisher,
    pub(crate) deadlines: Deadlines,
}

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// A whole operation, retries included.  The host gives a request up after 90 s.
    pub operation: Duration,
    /// How long a create that no one waits for any more may still take effect in Astra: so long a
    /// lost token is looked for.
    pub late_create_window: Duration,
    /// How long an organization has to answer for its status, which is read when something is wrong.
    pub status: Duration,
}

impl Deadlines {
    /// How much of its time a tick must have left to begin with one more rotation: 18 of 55 s.
    pub fn min_for_rotation(&self) -> Duration {
        self.operation / 3
    }

    /// How long Astra may not show a token that it has answered with.
    pub(crate) fn visible_after(&self) -> Duration {
        VISIBLE_AFTER.min(self.late_create_window)
    }
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            operation: Duration::from_secs(55),
            late_create_window: intent::LATE_CREATE_WINDOW,
            status: Duration::from_secs(10),
        }
    }
}

impl Engine {
    /// Whether a token that this node knows since `moment` is so young that Astra may not show it yet.
    pub(crate) fn is_young(&self, moment: time::OffsetDateTime) -> bool {
        self.clock.is_young(moment, self.deadlines.visible_after())
    }

    /// The engine of `mount`.  Calls nothing: storage may be absent while a plugin is registered.
    pub fn new(mount: &Mount, deadlines: Deadlines) -> Self {
        let store = Store::new(Arc::clone(&mount.storage));
        let host = Arc::new(Host::new(Arc::clone(&mount.system)));
        let mount_id = Arc::new(Identity::new(store.clone()));
        let metrics = Arc::new(Metrics::new());
        let recent_deletions = Arc::new(RecentDeletions::new(deadlines.visible_after()));
        let archived =
            ArchivedEngine::new(Arc::clone(&mount.storage), store.clone(), Arc::clone(&host));
        Self {
            archived,
            configs: Configs::new(
                store.clone(),
                Arc::clone(&host),
                mount_id,
                deadlines.late_create_window,
                Arc::clone(&metrics),
            ),
            pending_deletions: PendingDeletions::new(store.clone(), Arc::clone(&host)),
            roles: Roles::new(store.clone(), Arc::clone(&host)),
            static_roles: StaticRoles::new(store.clone(), Arc::clone(&host)),
            replaced_roots: ReplacedRoots::default(),
            uncertain_writes: UncertainWrites::default(),
            clock: Clock::default(),
            custom_roles: CustomRoles::new(store.clone(), deadlines.late_create_window),
            comparisons: Comparisons::default(),
            token_admins: TokenAdmins::default(),
            active: ActiveLimits::new(deadlines.visible_after(), Arc::clone(&recent_deletions)),
            recent_deletions,
            seen_tokens: SeenTokens::default(),
            host,
            metrics,
            events: EventPublisher::new(Arc::clone(&mount.events)),
            store,
            deadlines,
        }
    }
}
