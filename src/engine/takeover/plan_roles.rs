//! Which role takes the place of each old one.

use std::collections::BTreeMap;

use super::names::Given;
use super::names::role_name;
use super::old_role::OldRoles;
use super::old_role::StoredRole;
use super::plan::Action;
use super::plan::ConfigPlan;
use super::plan::RolePlan;
use super::planning::Planning;
use crate::astra::Role;
use crate::engine::archived_engine::OldRole;
use crate::engine::error::Error;
use crate::engine::host::Limits;
use crate::engine::registry::Loaded;
use crate::engine::role::Granted;
use crate::engine::role::RoleEntry;
use crate::engine::role_path::cap_warnings;
use crate::framework::is_name;

/// Plans for all roles, in the order of their keys; what must change in `configs` for them is noted there.
pub(super) async fn roles(
    planning: &Planning<'_>,
    old: &OldRoles,
    configs: &mut [ConfigPlan],
    limits: Limits,
) -> Result<Vec<RolePlan>, Error> {
    let mut plans = Vec::new();
    for (id, stored) in old {
        plans.push(named(planning, id, stored, configs));
    }
    part_alike(&mut plans, old, planning, configs);
    for plan in &mut plans {
        let role = old.get(&plan.id).and_then(StoredRole::named);
        let config = config_of(configs, &plan.org_key);
        if let (Some(role), Some(config), true) = (role, config, plan.action.is_taken_over()) {
            examine(planning, plan, role, config, limits).await?;
        }
    }
    Ok(plans)
}

fn config_of<'a>(configs: &'a mut [ConfigPlan], org_key: &str) -> Option<&'a mut ConfigPlan> {
    configs.iter_mut().find(|config| config.org_key == org_key)
}

/// The plan as far as names and the config go.
fn named(
    planning: &Planning<'_>,
    id: &str,
    stored: &StoredRole,
    configs: &mut [ConfigPlan],
) -> RolePlan {
    if planning.is_left_out(id) {
        return RolePlan::new(id, "", id, Action::Skip);
    }
    let role = match stored {
        StoredRole::Named(role) => role,
        StoredRole::Nameless => return RolePlan::new(id, "", id, Action::Skip),
        StoredRole::Unusable(cause) => {
            let problem =
                format!("{cause}: write the role by hand and leave this one out with names");
            return RolePlan::new(id, "", id, Action::Problem(problem));
        }
    };
    let mut plan = RolePlan::new(id, &role.org_id, &role.role_name, Action::Import);
    match config_of(configs, &role.org_id).map(|config| &config.action) {
        None => {
            plan.action = Action::Problem(format!(
                "there is no config/{} of its organization: leave it out with names",
                role.org_id
            ));
            return plan;
        }
        Some(Action::Skip) => {
            plan.action = Action::Skip;
            return plan;
        }
        Some(Action::Problem(_)) => {
            plan.action = Action::Problem("the config of its organization is a problem".to_owned());
            return plan;
        }
        Some(_) => {}
    }
    let recorded = planning.record.roles.get(id);
    match (planning.names.of(id), recorded) {
        (Given::Name(name), Some(recorded)) if name != recorded => {
            plan.action = Action::Problem(format!(
                "it is role \"{recorded}\" already: leave it out of names, or delete that role \
                 first"
            ));
        }
        (_, Some(recorded)) => {
            plan.name.clone_from(recorded);
            plan.action = Action::Imported;
        }
        (Given::Name(name), None) => name.clone_into(&mut plan.name),
        _ => match role_name(&role.role_name) {
            Some(name) => plan.name = name,
            None => {
                plan.action = Action::Problem(format!(
                    "{:?} cannot be the name of a role: give one with names",
                    role.role_name
                ));
            }
        },
    }
    plan
}

/// Those that would have one name get that of their config behind it.
fn part_alike(
    plans: &mut [RolePlan],
    old: &OldRoles,
    planning: &Planning<'_>,
    configs: &mut [ConfigPlan],
) {
    let mut wanted = BTreeMap::new();
    for plan in plans.iter().filter(|plan| plan.action.is_taken_over()) {
        let config = config_of(configs, &plan.org_key).map(|config| config.name.as_str());
        let name = wished(plan, old, config.unwrap_or_default());
        *wanted.entry(name).or_insert(0) += 1;
    }
    for plan in plans.iter_mut() {
        let is_free = plan.action == Action::Import
            && planning.names.of(&plan.id) == Given::Nothing
            && old.contains_key(&plan.id);
        if !is_free || wanted[&plan.name] < 2 {
            continue;
        }
        if let Some(config) = config_of(configs, &plan.org_key) {
            plan.name = format!("{}-{}", plan.name, config.name);
        }
    }
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for plan in plans.iter().filter(|plan| plan.action.is_taken_over()) {
        *seen.entry(plan.name.clone()).or_default() += 1;
    }
    for plan in plans
        .iter_mut()
        .filter(|plan| plan.action == Action::Import)
    {
        if seen[&plan.name] > 1 || !is_name(&plan.name) {
            plan.action = Action::Problem(format!(
                "another role is called {:?} too: give a name of its own with names",
                plan.name
            ));
        }
    }
}

/// The name for which a role competes: one that was imported under its name and that of its config
/// still does for the first, so that a later run names things as one run would have.
fn wished(plan: &RolePlan, old: &OldRoles, config: &str) -> String {
    let role = old.get(&plan.id).and_then(StoredRole::named);
    let wish = role.and_then(|role| role_name(&role.role_name));
    wish.filter(|wish| plan.name == format!("{wish}-{config}"))
        .unwrap_or_else(|| plan.name.clone())
}

/// What is to be stored, whether the organization has the Astra role, and what is stored already.
async fn examine(
    planning: &Planning<'_>,
    plan: &mut RolePlan,
    old: &OldRole,
    config: &mut ConfigPlan,
    limits: Limits,
) -> Result<(), Error> {
    let stored = planning.engine.roles.load(&plan.name).await?;
    let is_there = !matches!(stored, Loaded::Missing);
    if plan.action == Action::Imported && is_there {
        return Ok(());
    }
    plan.action = Action::Import;
    let mut is_token_admin = false;
    if planning.verify {
        match look_up(planning, old, config) {
            Ok((name, is_admin)) => {
                plan.astra_role = Some(name);
                is_token_admin = is_admin;
            }
            Err(problem) => {
                plan.action = Action::Problem(problem);
                return Ok(());
            }
        }
    }
    let entry = RoleEntry {
        granted: Granted::of_role_id(&old.role_id, is_token_admin),
        ..entry(plan, old, &config.name, limits)
    };
    match stored {
        Loaded::Missing => {}
        Loaded::Valid(stored) if is_alike(&stored, &entry) => plan.action = Action::Adopt,
        Loaded::Valid(_) => {
            plan.action = Action::Problem(format!(
                "roles/{} exists and is another role: give another name with names",
                plan.name
            ));
        }
        Loaded::Corrupt(corrupt) => plan.action = Action::Problem(corrupt.error.to_string()),
    }
    plan.seconds = Some((entry.ttl, entry.max_ttl));
    plan.entry = Some(entry);
    Ok(())
}

/// The name of the Astra role and whether it may make tokens, or why the role cannot be taken over.
fn look_up(
    planning: &Planning<'_>,
    old: &OldRole,
    config: &mut ConfigPlan,
) -> Result<(String, bool), String> {
    let id = &old.role_id;
    let Some(roles) = &config.roles else {
        return Err(
            "the organization did not tell its roles: import again once it does".to_owned(),
        );
    };
    let Some(role) = Role::with_id(roles, id) else {
        return Err(format!(
            "role_id {id:?}: the organization has no such role: write the role by hand and leave \
             this one out with names"
        ));
    };
    let is_allowed = |config: &ConfigPlan| {
        let connection = config.connection.as_ref();
        connection.is_some_and(|connection| connection.entry.allow_token_admin)
    };
    if role.grants_token_admin() && !is_allowed(config) {
        let name = role.name.clone();
        if !planning.allow_token_admin {
            return Err(format!(
                "role_id {id:?}: the Astra role \"{name}\" may create tokens, roles, users or \
                 passwords, so its tokens could outlive their lease by making others: import with \
                 allow_token_admin=true, or leave it out with names"
            ));
        }
        if config.action == Action::Adopt {
            return Err(format!(
                "role_id {id:?}: the Astra role \"{name}\" may create tokens, roles, users or \
                 passwords: write allow_token_admin=true to config/{}, then import again",
                config.name
            ));
        }
        config.must_allow_token_admin = true;
        return Ok((name, true));
    }
    Ok((role.name.clone(), role.grants_token_admin()))
}

/// What is to be stored.
fn entry(plan: &mut RolePlan, old: &OldRole, config: &str, limits: Limits) -> RoleEntry {
    let (ttl, max_ttl) = old.seconds();
    if [old.ttl, old.max_ttl]
        .iter()
        .any(|nanoseconds| nanoseconds % 1_000_000_000 != 0)
    {
        plan.warnings
            .push("its ttl or max_ttl is not in whole seconds, and is rounded up".to_owned());
    }
    if old.max_ttl > 0 && old.ttl > old.max_ttl {
        plan.warnings
            .push("its ttl is longer than its max_ttl, which it is cut to".to_owned());
    }
    let entry = RoleEntry {
        config: config.to_owned(),
        ttl,
        max_ttl,
        ..RoleEntry::default()
    };
    plan.warnings.extend(cap_warnings(&entry, limits));
    entry
}

/// Whether the role that is there says the same.
fn is_alike(stored: &RoleEntry, wanted: &RoleEntry) -> bool {
    stored.config == wanted.config
        && stored.granted.role_ids() == wanted.granted.role_ids()
        && (stored.ttl, stored.max_ttl) == (wanted.ttl, wanted.max_ttl)
}
