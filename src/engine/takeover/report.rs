//! What `import` answers: what becomes of each thing, never a secret.

use std::collections::BTreeMap;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::plan::Action;
use super::plan::ConfigPlan;
use super::plan::RolePlan;
use crate::engine::archived_engine::OldToken;
use crate::engine::archived_engine::Unreadable;
use crate::vault::Response;

/// The stored tokens of the archived engine, by what follows `token/` in their keys.
pub(super) type StoredTokens = Vec<(String, Result<OldToken, Unreadable>)>;

/// The answer; `warnings` come before those of the plans.
pub(super) fn report(
    dry_run: bool,
    configs: &[ConfigPlan],
    roles: &[RolePlan],
    tokens: &StoredTokens,
    mut warnings: Vec<String>,
) -> Response {
    let mut problems = 0;
    let mut is_open = false;
    let mut shown_configs = Map::new();
    for plan in configs {
        let key = format!("config/{}", plan.org_key);
        add_warnings(&key, &plan.action, &plan.warnings, &mut warnings);
        problems += usize::from(plan.action.problem().is_some());
        is_open |= is_left(dry_run, &plan.action);
        shown_configs.insert(plan.org_key.clone(), shown_config(plan));
    }
    let mut shown_roles = Map::new();
    for plan in roles {
        let key = format!("role/{}", plan.id);
        add_warnings(&key, &plan.action, &plan.warnings, &mut warnings);
        problems += usize::from(plan.action.problem().is_some());
        is_open |= is_left(dry_run, &plan.action);
        shown_roles.insert(plan.id.clone(), shown_role(plan));
    }
    let mut data = Map::new();
    data.insert("dry_run".into(), dry_run.into());
    data.insert("problems".into(), problems.into());
    data.insert("complete".into(), (!is_open).into());
    data.insert("configs".into(), Value::Object(shown_configs));
    data.insert("roles".into(), Value::Object(shown_roles));
    data.insert("tokens".into(), shown_tokens(tokens, configs));
    Response::new(data).with_warnings(warnings)
}

/// Whether something is still to be done after the request.
fn is_left(dry_run: bool, action: &Action) -> bool {
    match action {
        Action::Import | Action::Adopt => dry_run,
        Action::Imported | Action::Skip => false,
        Action::Problem(_) => true,
    }
}

fn add_warnings(key: &str, action: &Action, of_plan: &[String], warnings: &mut Vec<String>) {
    let all = of_plan.iter().map(String::as_str).chain(action.problem());
    warnings.extend(all.map(|text| format!("{key}: {text}")));
}

fn shown_config(plan: &ConfigPlan) -> Value {
    let mut shown = json!({
        "action": plan.action.word(),
        "config": plan.name,
        "caller_mode": plan.caller_mode,
        "organization": plan.organization.as_deref().unwrap_or_default(),
    });
    if let Some(problem) = plan.action.problem() {
        shown["problem"] = problem.into();
    }
    shown
}

fn shown_role(plan: &RolePlan) -> Value {
    let mut shown = json!({"action": plan.action.word(), "role": plan.name});
    if let Some(astra_role) = &plan.astra_role {
        shown["astra_role"] = astra_role.as_str().into();
    }
    if let Some((ttl, max_ttl)) = plan.seconds {
        shown["ttl"] = ttl.into();
        shown["max_ttl"] = max_ttl.into();
    }
    if let Some(problem) = plan.action.problem() {
        shown["problem"] = problem.into();
    }
    shown
}

/// Where the stored tokens are, as the organizations list them.
fn shown_tokens(tokens: &StoredTokens, configs: &[ConfigPlan]) -> Value {
    let mut listed: BTreeMap<&str, &ConfigPlan> = BTreeMap::new();
    for plan in configs {
        for client_id in plan.listed.iter().flatten() {
            listed.insert(client_id, plan);
        }
    }
    let all_told = configs
        .iter()
        .filter(|plan| plan.action != Action::Skip)
        .all(|plan| plan.listed.is_some());
    let home_of = |org_key: &str| configs.iter().find(|plan| plan.org_key == org_key);
    let (mut live, mut gone, mut empty, mut unknown) = (0, 0, 0, 0);
    let mut elsewhere = Map::new();
    let mut unreadable = Map::new();
    for (key, read) in tokens {
        let token = match read {
            Ok(token) => token,
            Err(error) => {
                unreadable.insert(format!("token/{key}"), error.to_string().into());
                continue;
            }
        };
        let home = home_of(&token.org_id);
        match listed.get(token.client_id.as_str()) {
            _ if token.client_id.is_empty() => empty += 1,
            Some(place) => {
                live += 1;
                if home.is_none_or(|home| home.name != place.name) {
                    elsewhere.insert(token.client_id.clone(), place.name.as_str().into());
                }
            }
            None if all_told && home.is_some() => gone += 1,
            None => unknown += 1,
        }
    }
    json!({
        "stored": tokens.len(),
        "live": live,
        "in_another_organization": elsewhere,
        "gone": gone,
        "empty": empty,
        "unknown": unknown,
        "unreadable": unreadable,
    })
}
