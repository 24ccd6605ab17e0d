//! Whether Astra still has what storage says of custom roles: compared once an hour, and at each read
//! of a role.

use std::collections::BTreeMap;
use std::collections::HashMap;

use futures_util::future::join_all;
use parking_lot::Mutex;
use parking_lot::MutexGuard;
use time::Duration;
use time::OffsetDateTime;

use super::PolicyOwner;
use super::PolicyRole;
use super::custom_role::Scope;
use super::custom_role::is_foreign;
use crate::astra::Deadline;
use crate::astra::Role;
use crate::engine::Engine;
use crate::engine::astra_error;
use crate::engine::connection::Connection;
use crate::engine::error::Error;
use crate::engine::registry::Loaded;

/// How often a tick compares.
const INTERVAL: Duration = Duration::HOUR;
/// How soon it tries again where the organization did not answer.
const RETRY: Duration = Duration::minutes(10);

/// How a custom role in Astra differs from what storage says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Drift {
    /// It grants something else, although storage wrote it last: an operator changed it by hand.
    Changed,
    /// Somebody else wrote it: another cluster with this storage, or this one after the snapshot that
    /// its storage is restored from.
    Foreign,
}

/// When each config is compared next.
#[derive(Default)]
pub struct Comparisons {
    next: Mutex<HashMap<String, OffsetDateTime>>,
}

/// What is to be compared in one config.
#[derive(Default)]
struct Work {
    /// Whether any role uses the config.
    is_used: bool,
    /// Roles that have a policy.
    roles: Vec<String>,
    /// Static roles that have a policy.
    static_roles: Vec<String>,
}

/// How `listed` differs from the stored `custom`.
pub fn drift(custom: &PolicyRole, listed: &Role) -> Option<Drift> {
    if is_foreign(listed, custom.nonces.iter()) {
        return Some(Drift::Foreign);
    }
    // Where Astra does not show the policy nothing can be compared.
    let policy = listed.policy.as_ref()?;
    let is_same = sorted(&policy.actions) == custom.policy.actions
        && sorted(&policy.resources) == custom.policy.resources;
    (!is_same).then_some(Drift::Changed)
}

fn sorted(texts: &[String]) -> Vec<String> {
    let mut texts = texts.to_vec();
    texts.sort();
    texts.dedup();
    texts
}

impl Comparisons {
    /// Whether it is time to compare `config`.
    fn is_due(&self, config: &str, now: OffsetDateTime) -> bool {
        // A clock that was set back must not put it off.
        let is_waiting = |next: &OffsetDateTime| *next > now && *next - now <= INTERVAL;
        !self.next().get(config).is_some_and(is_waiting)
    }

    fn set_next(&self, config: &str, next: OffsetDateTime) {
        self.next().insert(config.to_owned(), next);
    }

    fn next(&self) -> MutexGuard<'_, HashMap<String, OffsetDateTime>> {
        self.next.lock()
    }
}

/// Compares the Astra roles of all configs whose time has come, side by side, from one list for each,
/// and brings custom roles back that were changed by hand.  Failures are logged.
pub async fn repair_all(engine: &Engine, deadline: Deadline) -> Result<(), Error> {
    let now = engine.clock.now();
    let mut due: BTreeMap<String, Work> = engine
        .configs
        .names()
        .await?
        .into_iter()
        .filter(|config| engine.comparisons.is_due(config, now))
        .map(|config| (config, Work::default()))
        .collect();
    if due.is_empty() {
        return Ok(());
    }
    find_work(engine, &mut due).await?;
    let configs = due.iter().map(|(config, work)| async move {
        let wait = match repair_config(engine, config, work, deadline).await {
            Ok(()) => INTERVAL,
            Err(error) => {
                tracing::warn!(config, %error, "cannot compare Astra roles with what is stored; a \
                    later tick tries again");
                RETRY
            }
        };
        engine
            .comparisons
            .set_next(config, now.saturating_add(wait));
    });
    join_all(configs).await;
    Ok(())
}

async fn find_work(engine: &Engine, due: &mut BTreeMap<String, Work>) -> Result<(), Error> {
    for (name, loaded) in engine.roles.load_all().await? {
        if let Loaded::Valid(role) = loaded
            && let Some(work) = due.get_mut(&role.config)
        {
            work.is_used = true;
            if role.granted.policy.is_some() {
                work.roles.push(name);
            }
        }
    }
    for (name, loaded) in engine.static_roles.load_all().await? {
        if let Loaded::Valid(role) = loaded
            && let Some(work) = due.get_mut(&role.config)
        {
            work.is_used = true;
            if role.claim().is_some() {
                work.static_roles.push(name);
            }
        }
    }
    Ok(())
}

async fn repair_config(
    engine: &Engine,
    config: &str,
    work: &Work,
    deadline: Deadline,
) -> Result<(), Error> {
    if !work.is_used {
        return Ok(());
    }
    let Some(connection) = engine.configs.find(config).await? else {
        return Ok(());
    };
    let roles = connection.client.roles(deadline).await.map_err(|error| {
        astra_error::request_error("list the organization's roles", &connection, &error)
    })?;
    engine.token_admins.learn(config, &roles);
    for name in &work.roles {
        // A request that is changing the role brings it in step itself.
        let Some(_changing) = engine.roles.try_lock(name) else {
            continue;
        };
        if let Loaded::Valid(role) = engine.roles.load(name).await?
            && role.config == config
            && let Some(custom) = &role.granted.policy
        {
            let owner = PolicyOwner::Role(name);
            repair(engine, &connection, owner, custom, &roles, deadline).await?;
        }
    }
    for name in &work.static_roles {
        let Some(_changing) = engine.static_roles.try_lock(name) else {
            continue;
        };
        if let Loaded::Valid(role) = engine.static_roles.load(name).await?
            && role.config == config
            && let Some(custom) = role.claim()
        {
            let owner = PolicyOwner::StaticRole(name);
            repair(engine, &connection, owner, custom, &roles, deadline).await?;
        }
    }
    Ok(())
}

async fn repair(
    engine: &Engine,
    connection: &Connection,
    owner: PolicyOwner<'_>,
    custom: &PolicyRole,
    roles: &[Role],
    deadline: Deadline,
) -> Result<(), Error> {
    let is_it = |role: &&Role| role.id.eq_ignore_ascii_case(&custom.role_id);
    // One that is gone shows when the role is read.
    let Some(listed) = roles.iter().find(is_it) else {
        return Ok(());
    };
    match drift(custom, listed) {
        None => Ok(()),
        Some(Drift::Foreign) => {
            tracing::warn!(
                %owner,
                custom_role = listed.name,
                "a custom role is left alone: somebody else has written it since; write the role \
                 to make it grant its policy again"
            );
            Ok(())
        }
        Some(Drift::Changed) => {
            tracing::warn!(%owner, custom_role = listed.name, "a custom role was changed in Astra; \
                it gets the stored policy back");
            let scope = Scope {
                connection,
                org_id: &custom.org_id,
                owner,
            };
            let sent = engine
                .custom_roles
                .send_stored(&scope, custom, listed, deadline)
                .await;
            sent?;
            // What was listed is of the past.
            engine.token_admins.forget(&connection.name, &listed.id);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::astra::Policy;
    use crate::engine::role::custom_role::Nonce;
    use time::macros::datetime;

    #[test]
    fn another_policy_and_another_writer_are_told_apart() {
        let nonce = Nonce::random();
        let mut custom = PolicyRole {
            nonces: vec![nonce.clone()],
            ..PolicyRole::default()
        };
        custom.policy.actions = vec!["db-cql".to_owned(), "db-rest".to_owned()];
        let mount = crate::engine::intent::MountId::random();
        let listed = |actions: &[&str], description: String| Role {
            policy: Some(Policy {
                actions: actions.iter().map(|&action| action.to_owned()).collect(),
                description,
                ..Policy::default()
            }),
            id: "1".to_owned(),
            name: "n".to_owned(),
        };
        let own = || nonce.describe(mount, "x");
        let other = || Nonce::random().describe(mount, "x");
        assert_eq!(drift(&custom, &listed(&["db-rest", "db-cql"], own())), None);
        assert_eq!(
            drift(&custom, &listed(&["db-cql"], own())),
            Some(Drift::Changed)
        );
        let by_hand = "by hand".to_owned();
        assert_eq!(
            drift(&custom, &listed(&["*"], by_hand)),
            Some(Drift::Changed)
        );
        let foreign = listed(&["db-rest", "db-cql"], other());
        assert_eq!(drift(&custom, &foreign), Some(Drift::Foreign));
        let unknown = Role {
            policy: None,
            ..foreign
        };
        assert_eq!(drift(&custom, &unknown), None);
    }

    #[test]
    fn a_config_is_compared_once_an_hour() {
        let comparisons = Comparisons::default();
        let now = datetime!(2026-11-23 12:00 UTC);
        assert!(comparisons.is_due("a", now));
        comparisons.set_next("a", now + INTERVAL);
        assert!(!comparisons.is_due("a", now + Duration::minutes(59)));
        assert!(comparisons.is_due("b", now));
        assert!(comparisons.is_due("a", now + INTERVAL));
        assert!(comparisons.is_due("a", now - Duration::DAY), "set back");
    }
}
