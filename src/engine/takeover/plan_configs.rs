//! Which config takes the place of each old one.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::try_join_all;

use super::names::Given;
use super::names::config_name;
use super::plan::Action;
use super::plan::ConfigPlan;
use super::planning::Planning;
use crate::astra;
use crate::astra::BaseUrl;
use crate::astra::Client;
use crate::astra::ClientConfig;
use crate::astra::TokenEntry;
use crate::engine::archived_engine::OldConfig;
use crate::engine::archived_engine::Unreadable;
use crate::engine::connection::ConfigEntry;
use crate::engine::connection::Connection;
use crate::engine::connection::Verified;
use crate::engine::connection::verify;
use crate::engine::error::Error;
use crate::engine::registry::Loaded;
use crate::framework::is_name;

/// An old config with its organization's key.
pub(super) type StoredConfig = (String, Result<OldConfig, Unreadable>);

/// Plans for all configs, in the order of their keys.  Organizations are asked side by side.
pub(super) async fn configs(
    planning: &Planning<'_>,
    old: &[StoredConfig],
) -> Result<Vec<ConfigPlan>, Error> {
    let named = old.iter().map(|(key, read)| named(planning, key, read));
    let mut plans: Vec<ConfigPlan> = named.collect();
    part_alike(&mut plans, old);
    let examined = plans
        .iter_mut()
        .zip(old)
        .map(|(plan, (_, read))| examine(planning, plan, read));
    try_join_all(examined).await?;
    merge_alike(&mut plans, old);
    Ok(plans)
}

/// The plan as far as names go.
fn named(
    planning: &Planning<'_>,
    org_key: &str,
    read: &Result<OldConfig, Unreadable>,
) -> ConfigPlan {
    let recorded = planning.record.config_of(org_key);
    let mut plan = ConfigPlan::new(org_key, org_key, Action::Import);
    if let Ok(old) = read {
        plan.caller_mode = old.caller_mode();
    }
    if planning.is_left_out(org_key) {
        plan.action = Action::Skip;
        return plan;
    }
    match (planning.names.of(org_key), recorded) {
        (Given::Name(name), Some(recorded)) if name != recorded => {
            plan.fail(format!(
                "it is config \"{recorded}\" already: leave it out of names, or delete that config \
                 first"
            ));
        }
        (_, Some(recorded)) => {
            recorded.clone_into(&mut plan.name);
            plan.action = Action::Imported;
        }
        (Given::Name(name), None) => {
            name.clone_into(&mut plan.name);
            plan.is_named = true;
        }
        _ => {
            let logical_name = read.as_ref().map_or("", |old| &old.logical_name);
            match config_name(logical_name, org_key) {
                Some(name) => plan.name = name,
                None => plan.fail(
                    "neither its logical_name nor its org_id can be the name of a config: give one \
                     with names",
                ),
            }
        }
    }
    plan
}

/// Two that would have one name get their organizations' keys instead.
fn part_alike(plans: &mut [ConfigPlan], old: &[StoredConfig]) {
    let mut wanted = BTreeMap::new();
    for (plan, (_, read)) in plans.iter().zip(old) {
        if matches!(plan.action, Action::Import | Action::Imported) {
            *wanted.entry(wished(plan, read)).or_insert(0) += 1;
        }
    }
    for plan in plans.iter_mut() {
        let is_free = plan.action == Action::Import && !plan.is_named;
        if !is_free || wanted[&plan.name] < 2 || plan.name == plan.org_key {
            continue;
        }
        if is_name(&plan.org_key) {
            plan.name.clone_from(&plan.org_key);
        } else {
            plan.fail(format!(
                "several configs would be called {:?}: give a name with names",
                plan.name
            ));
        }
    }
}

/// The name for which a config competes: one that was imported under its organization's key still does
/// for its logical name, so that a later run names things as one run would have.
fn wished(plan: &ConfigPlan, read: &Result<OldConfig, Unreadable>) -> String {
    let logical_name = read.as_ref().map_or("", |old| &old.logical_name);
    let wish = config_name(logical_name, &plan.org_key);
    wish.filter(|_| !plan.is_named && plan.name == plan.org_key)
        .unwrap_or_else(|| plan.name.clone())
}

/// Looks at what is stored under the name, and asks the organization.
async fn examine(
    planning: &Planning<'_>,
    plan: &mut ConfigPlan,
    read: &Result<OldConfig, Unreadable>,
) -> Result<(), Error> {
    if !plan.action.is_taken_over() {
        return Ok(());
    }
    match planning.engine.configs.load(&plan.name).await? {
        Loaded::Valid(connection) if plan.action == Action::Imported => {
            plan.adopt(connection, Action::Imported);
        }
        Loaded::Valid(connection) => judge(planning, plan, read, connection).await,
        Loaded::Corrupt(corrupt) => plan.fail(corrupt.error.to_string()),
        Loaded::Missing => {
            plan.action = Action::Import;
            match read {
                Ok(old) => plan_new_config(planning, plan, old).await,
                Err(unreadable) => plan.fail(by_hand(plan, &unreadable.to_string())),
            }
        }
    }
    if planning.verify && plan.action.is_taken_over() {
        ask(planning, plan).await;
    }
    Ok(())
}

/// What to do where the old config cannot be used.
fn by_hand(plan: &ConfigPlan, cause: &str) -> String {
    let ConfigPlan { org_key, name, .. } = plan;
    format!(
        "{cause}; write config/{name} by hand with a root token of that organization, then import \
         again with names='{{\"{org_key}\": \"{name}\"}}'"
    )
}

/// Whether the config that is there already takes the place of the old one.
async fn judge(
    planning: &Planning<'_>,
    plan: &mut ConfigPlan,
    read: &Result<OldConfig, Unreadable>,
    connection: Arc<Connection>,
) {
    let own = connection.entry.org_id.clone();
    let is_own = |org_id: &str| {
        own.as_deref()
            .is_some_and(|own| astra::is_same_organization(own, org_id))
    };
    let has_token = read
        .as_ref()
        .is_ok_and(|old| old.astra_token == connection.entry.token);
    if has_token || is_own(&plan.org_key) {
        return plan.adopt(connection, Action::Adopt);
    }
    let name = plan.name.clone();
    match organization(planning, &plan.org_key, read).await {
        Ok(org_id) if is_own(&org_id) => plan.adopt(connection, Action::Adopt),
        Ok(org_id) => plan.fail(format!(
            "config/{name} exists and is not for organization {org_id}, to which the old root \
             token belongs: give another name with names"
        )),
        Err(cause) if plan.is_named => {
            plan.adopt(connection, Action::Adopt);
            plan.warnings.push(format!(
                "that config/{name} is for the same organization is taken on trust ({cause})"
            ));
        }
        Err(cause) => {
            let key = plan.org_key.clone();
            plan.fail(format!(
                "config/{name} exists, and whether it is for the same organization is not known \
                 ({cause}): import with names='{{\"{key}\": \"{name}\"}}' if it is, or give \
                 another name"
            ));
        }
    }
}

/// The organization of the old root token, or why it is not known.
async fn organization(
    planning: &Planning<'_>,
    org_key: &str,
    read: &Result<OldConfig, Unreadable>,
) -> Result<String, String> {
    if !planning.verify {
        return Err("verify=false".to_owned());
    }
    let old = read.as_ref().map_err(ToString::to_string)?;
    let client = planning.engine.archived.clients.client(org_key, old)?;
    let found = client.current_org(planning.deadline).await;
    found.map_err(|error| error.to_string())
}

/// A config with the old root token.
async fn plan_new_config(planning: &Planning<'_>, plan: &mut ConfigPlan, old: &OldConfig) {
    let holder = planning
        .configs
        .iter()
        .find(|connection| connection.entry.token == old.astra_token);
    if let Some(holder) = holder {
        let warning = format!(
            "config \"{}\" has the same root token, so it takes its place",
            holder.name
        );
        plan.adopt(Arc::clone(holder), Action::Adopt);
        return plan.warnings.push(warning);
    }
    let (entry, client) = match usable(planning, old) {
        Ok(usable) => usable,
        Err(cause) => return plan.fail(by_hand(plan, &cause)),
    };
    plan.entry = Some(entry);
    plan.client = Some(client.clone());
    if !planning.verify {
        let warning = "verify=false: the root token was taken over without being tried";
        return plan.warnings.push(warning.to_owned());
    }
    match verify(&client, &planning.engine.clock, planning.deadline).await {
        Ok(Verified {
            org_id,
            expires_at,
            role_ids,
            ..
        }) => {
            if !astra::is_same_organization(&org_id, &plan.org_key) {
                plan.warnings.push(format!(
                    "its root token belongs to organization {org_id}, not to that of its org_id; \
                     the config is for {org_id}"
                ));
            }
            plan.entry = plan.entry.take().map(|entry| ConfigEntry {
                org_id: Some(org_id.clone()),
                root_expires_at: expires_at,
                root_role_ids: role_ids,
                ..entry
            });
            plan.organization = Some(org_id);
        }
        Err(error) => plan.fail(by_hand(plan, &error.to_string())),
    }
}

/// What would be stored, and its client.
fn usable(planning: &Planning<'_>, old: &OldConfig) -> Result<(ConfigEntry, Client), String> {
    let url = BaseUrl::parse(&old.url).map_err(|error| format!("url: {error}"))?;
    if let Some(error) = token_error(old) {
        return Err(format!("astra_token: {error}"));
    }
    let now = planning.engine.clock.now();
    let entry = ConfigEntry {
        verify: planning.verify,
        ..ConfigEntry::new(old.astra_token.clone(), &url, now)
    };
    let settings = entry.client_config().map_err(|error| error.to_string())?;
    let client = Client::new(ClientConfig {
        org_id: None,
        ..settings
    });
    Ok((entry, client.map_err(|error| error.to_string())?))
}

/// What is wrong with the form of the root token.
fn token_error(old: &OldConfig) -> Option<String> {
    let checked = astra::client_id(old.astra_token.expose());
    checked.err().map(|error| error.to_string())
}

/// Asks for the organization's roles, and which of the stored tokens it has.
async fn ask(planning: &Planning<'_>, plan: &mut ConfigPlan) {
    let Some(client) = &plan.client else {
        return;
    };
    let ids = Arc::clone(&planning.token_ids);
    let select = move |token: &TokenEntry| {
        let is_stored = ids.contains(&token.client_id);
        is_stored.then(|| token.client_id.clone())
    };
    let (roles, listed) = futures_util::future::join(
        client.roles(planning.deadline),
        client.shared_tokens(select, planning.deadline),
    )
    .await;
    for error in [roles.as_ref().err(), listed.as_ref().err()]
        .into_iter()
        .flatten()
    {
        plan.warnings.push(format!(
            "the organization did not tell what it has: {error}; import again once it does"
        ));
    }
    plan.roles = roles.ok();
    plan.listed = listed.ok();
}

/// Two with one root token become one config; two with one name too, if they are of one organization.
fn merge_alike(plans: &mut [ConfigPlan], old: &[StoredConfig]) {
    for place in 1..plans.len() {
        let (before, rest) = plans.split_at_mut(place);
        let Some(plan) = rest.first_mut() else {
            return;
        };
        if plan.action != Action::Import {
            continue;
        }
        let token = |place: usize| {
            let (_, read) = old.get(place)?;
            read.as_ref().ok().map(|old| &old.astra_token)
        };
        let is_new = |other: &ConfigPlan| other.action == Action::Import;
        let mut others = before.iter().enumerate();
        let same = others.find(|(other_place, other)| {
            is_new(other) && (token(*other_place) == token(place) || other.name == plan.name)
        });
        let Some((other_place, other)) = same else {
            continue;
        };
        let is_one = token(other_place) == token(place)
            || other.organization.is_some() && other.organization == plan.organization;
        if is_one {
            plan.action = Action::Adopt;
            plan.entry = None;
            plan.warnings.push(format!(
                "config \"{}\" is for the same organization, so it takes its place",
                other.name
            ));
            plan.name.clone_from(&other.name);
        } else {
            plan.fail(
                "names gives its name to a config of another organization: give another name",
            );
        }
    }
}
