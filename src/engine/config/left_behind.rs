//! What a config that moves to another organization leaves in the former one.

use std::time::Duration;

use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::connection::Connection;
use crate::engine::error::Error;
use crate::engine::in_use;
use crate::engine::registry::Loaded;
use crate::engine::tagged_token::live;

/// How long the former organization has to tell how many tokens are live.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The warning about what stays in the organization of `former`; `None` where nothing does.
pub(super) async fn warning(engine: &Engine, former: &Connection) -> Result<Option<String>, Error> {
    let Some(org_id) = &former.entry.org_id else {
        return Ok(None);
    };
    let mut left = Vec::new();
    for (name, loaded) in engine.roles.load_all().await? {
        if let Loaded::Valid(role) = loaded
            && let Some(custom) = role.claim_in(&former.name, org_id)
        {
            let id = &custom.role_id;
            left.push(format!("the custom Astra role of role {name} ({id})"));
        }
    }
    // With the root token of another config the engine deletes the tokens of static roles and leases there.
    let others = engine.configs.in_organization(org_id).await?;
    let has_other = others.iter().any(|other| other.name != former.name);
    left.extend(of_static_roles(engine, former, has_other).await?);
    if !has_other {
        left.extend(leased_tokens(engine, former).await?);
    }
    if left.is_empty() {
        return Ok(None);
    }
    Ok(Some(format!(
        "what config \"{}\" had in organization {org_id} stays there: {}. Delete it there, or give \
         the config a root token of that organization again",
        former.name,
        left.join("; ")
    )))
}

/// How many leased tokens there are, if any.
async fn leased_tokens(engine: &Engine, former: &Connection) -> Result<Option<String>, Error> {
    let own = in_use::tokens(engine).await?;
    let tokens = match live(former, Deadline::after(TIMEOUT)).await {
        Ok(tokens) => tokens,
        Err(error) => {
            return Ok(Some(format!(
                "an unknown number of leased tokens ({error})"
            )));
        }
    };
    let is_leased = |client_id: &String| !own.contains(client_id);
    let leased = tokens
        .iter()
        .filter(|token| is_leased(&token.token.client_id));
    Ok(match leased.count() {
        0 => None,
        count => Some(format!("{count} leased tokens")),
    })
}

/// What static roles leave in the former organization; their tokens do not stay where it `has_other` configs.
async fn of_static_roles(
    engine: &Engine,
    former: &Connection,
    has_other: bool,
) -> Result<Vec<String>, Error> {
    let mut left = Vec::new();
    for (name, loaded) in engine.static_roles.load_all().await? {
        let Loaded::Valid(role) = loaded else {
            continue;
        };
        if role.config != former.name {
            continue;
        }
        if let Some(custom) = role.claim() {
            let id = &custom.role_id;
            left.push(format!(
                "the custom Astra role of static role {name} ({id})"
            ));
        }
        if has_other {
            continue;
        }
        let ids: Vec<&str> = role.client_ids().collect();
        let ids = ids.join(", ");
        left.push(format!(
            "the tokens of static role {name} (client ids {ids})"
        ));
    }
    Ok(left)
}
