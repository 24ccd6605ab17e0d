//! The tick's comparison of what storage says of custom roles with what Astra has.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use time::Duration;

use crate::astra::Deadline;
use crate::astra::Role;
use crate::engine::Engine;
use crate::engine::astra_error;
use crate::engine::connection::Connection;
use crate::engine::error::Error;
use crate::engine::registry::Loaded;
use crate::engine::role::PolicyOwner;
use crate::engine::role::PolicyRole;
use crate::engine::role::custom_role::Scope;
use crate::engine::role::drift::Drift;
use crate::engine::role::drift::INTERVAL;
use crate::engine::role::drift::drift;

/// How soon it tries again where the organization did not answer.
const RETRY: Duration = Duration::minutes(10);

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

/// Compares the Astra roles of all configs whose time has come, side by side, from one list for each,
/// and brings custom roles back that were changed by hand.  Failures are logged.
pub(super) async fn repair_all(engine: &Engine, deadline: Deadline) -> Result<(), Error> {
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
            Ok(true) => INTERVAL,
            Ok(false) => Duration::MINUTE,
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

/// Whether all is compared; what is being changed all the time is left for another tick.
async fn repair_config(
    engine: &Engine,
    config: &str,
    work: &Work,
    deadline: Deadline,
) -> Result<bool, Error> {
    if !work.is_used {
        return Ok(true);
    }
    let Some(connection) = engine.configs.find(config).await? else {
        return Ok(true);
    };
    let busy = compare(engine, &connection, work, deadline).await?;
    if busy.is_done() {
        return Ok(true);
    }
    // A rotation, perhaps of the same tick, sends no policy, and a request may fail before it does.
    busy.wait(engine, deadline).await;
    let busy = compare(engine, &connection, &busy, deadline).await?;
    Ok(busy.is_done())
}

/// Compares the roles of `work` with one list, and brings back what was changed.  What is left out
/// because it is being changed is returned.
async fn compare(
    engine: &Engine,
    connection: &Connection,
    work: &Work,
    deadline: Deadline,
) -> Result<Work, Error> {
    let config = &connection.name;
    let roles = connection.client.roles(deadline).await.map_err(|error| {
        astra_error::request_error("list the organization's roles", connection, &error)
    })?;
    engine.token_admins.learn(config, &roles);
    let mut busy = Work::default();
    // One that Astra refuses must not keep the others from it.
    let mut repaired = Ok(());
    for name in &work.roles {
        let Some(_changing) = engine.roles.try_lock(name) else {
            busy.roles.push(name.clone());
            continue;
        };
        if let Loaded::Valid(role) = engine.roles.load(name).await?
            && role.config == *config
            && let Some(custom) = &role.granted.policy
        {
            let owner = PolicyOwner::Role(name);
            let outcome = repair(engine, connection, owner, custom, &roles, deadline).await;
            repaired = repaired.and(outcome);
        }
    }
    for name in &work.static_roles {
        let Some(_changing) = engine.static_roles.try_lock(name) else {
            busy.static_roles.push(name.clone());
            continue;
        };
        if let Loaded::Valid(role) = engine.static_roles.load(name).await?
            && role.config == *config
            && let Some(custom) = role.claim()
        {
            let owner = PolicyOwner::StaticRole(name);
            let outcome = repair(engine, connection, owner, custom, &roles, deadline).await;
            repaired = repaired.and(outcome);
        }
    }
    repaired.map(|()| busy)
}

impl Work {
    /// Whether there are no roles to compare.
    fn is_done(&self) -> bool {
        self.roles.is_empty() && self.static_roles.is_empty()
    }

    /// Waits until each of the roles is changed no more, or the deadline is over.
    async fn wait(&self, engine: &Engine, deadline: Deadline) {
        let all = async {
            for name in &self.roles {
                drop(engine.roles.lock(name).await);
            }
            for name in &self.static_roles {
                drop(engine.static_roles.lock(name).await);
            }
        };
        // What is busy for so long is compared by another tick.
        let _ = tokio::time::timeout(deadline.remaining(), all).await;
    }
}

async fn repair(
    engine: &Engine,
    connection: &Connection,
    owner: PolicyOwner<'_>,
    custom: &PolicyRole,
    roles: &[Role],
    deadline: Deadline,
) -> Result<(), Error> {
    // One that is gone shows when the role is read.
    let Some(listed) = Role::with_id(roles, &custom.role_id) else {
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
