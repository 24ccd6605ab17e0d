//! Warnings when a role or a config is written, of what will fail at the first mint or be of no use:
//! rights that a role grants and the root token lacks, and policies that do not reach the database.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::astra::Deadline;
use crate::astra::Lacking;
use crate::astra::Policy;
use crate::astra::Role;
use crate::engine::Engine;
use crate::engine::connection::ConfigEntry;
use crate::engine::connection::Connection;
use crate::engine::error::Error;
use crate::engine::registry::Loaded;
use crate::engine::role::DatabaseChoice;
use crate::engine::role::Granted;

/// How long the write of a role waits for the list of roles that only warnings need.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How many rights or resources are named.
const NAMED: usize = 12;
/// How many roles of a config are named.
const NAMED_ROLES: usize = 4;

/// Warns of what `granted` grants and the root token of `connection` lacks.  `listed` are the
/// organization's roles, if they were listed already; nothing is said where Astra does not tell them.
pub(crate) async fn warning(
    connection: &Connection,
    granted: &Granted,
    listed: Option<Vec<Role>>,
    deadline: Deadline,
) -> Option<String> {
    if connection.entry.root_role_ids.is_empty() {
        return None;
    }
    let client = &connection.client;
    let roles = match listed {
        Some(roles) => roles,
        None => client.roles(deadline.at_most(TIMEOUT)).await.ok()?,
    };
    let subject = match &granted.policy {
        Some(custom) => format!("{}: it", custom.field()),
        None => format!("astra_roles: {}", quoted(&granted.given_roles())),
    };
    let lacking = lacking(&connection.entry, granted, &roles)?;
    Some(text(&subject, &lacking, &connection.name))
}

/// Warns that the root token of `entry` cannot grant what roles are for, or what the roles of the config
/// called `name` grant.  `roles` are those of the organization.
pub(crate) async fn of_config(
    engine: &Engine,
    name: &str,
    entry: &ConfigEntry,
    roles: &[Role],
) -> Result<Vec<String>, Error> {
    let Some(own) = own_policies(entry, roles) else {
        return Ok(Vec::new());
    };
    if !own.iter().any(|own| own.allows_data()) {
        let actions: BTreeSet<String> = own
            .iter()
            .flat_map(|own| own.actions.iter().cloned())
            .collect();
        return Ok(vec![format!(
            "the root token has no rights on databases, just {}: Astra lets no token grant more \
             than its own rights, so give it all that roles are to grant",
            some(&actions)
        )]);
    }
    let mut warnings = Vec::new();
    for (role, granted) in grants(engine, name).await? {
        if let Some(lacking) = lacking(entry, &granted, roles) {
            warnings.push(text(&role, &lacking, name));
        }
    }
    let more = warnings.len().saturating_sub(NAMED_ROLES);
    warnings.truncate(NAMED_ROLES);
    if more > 0 {
        warnings.push(format!(
            "{more} more roles of the config grant what its root token lacks"
        ));
    }
    Ok(warnings)
}

/// Warns of a policy that does not reach the role's database, so that its credentials are of no use there.
pub(crate) fn unreached(granted: &Granted, database: Option<&DatabaseChoice>) -> Option<String> {
    let (policy, database) = (&granted.policy.as_ref()?.policy, database?);
    let policy = policy.for_astra("");
    let id = &database.id;
    if !policy.names_database(id) {
        return Some(format!(
            "policy: none of its resources is in database {id}, which the credentials are for: add \
             \"drn:astra:org:{{{{org_id}}}}:db:{id}\", its keyspaces and their tables"
        ));
    }
    let keyspace = &database.given_keyspace;
    (!keyspace.is_empty() && !policy.names_keyspace(id, keyspace)).then(|| {
        format!(
            "policy: none of its resources is in keyspace {keyspace:?}, which the credentials are \
             for: add \"drn:astra:org:{{{{org_id}}}}:db:{id}:keyspace:{keyspace}\" and its tables"
        )
    })
}

/// What the roles and static roles of the config called `config` grant.
async fn grants(engine: &Engine, config: &str) -> Result<Vec<(String, Granted)>, Error> {
    let mut grants = Vec::new();
    for (name, loaded) in engine.roles.load_all().await? {
        if let Loaded::Valid(role) = loaded
            && role.config == config
        {
            grants.push((format!("role \"{name}\""), role.granted.clone()));
        }
    }
    for (name, loaded) in engine.static_roles.load_all().await? {
        if let Loaded::Valid(role) = loaded
            && role.config == config
        {
            grants.push((format!("static role \"{name}\""), role.granted.clone()));
        }
    }
    Ok(grants)
}

/// What `granted` grants and the root token of `entry` lacks; `None` for nothing, or where that is not
/// known.
fn lacking(entry: &ConfigEntry, granted: &Granted, roles: &[Role]) -> Option<Lacking> {
    let own = own_policies(entry, roles)?;
    let org_id = entry.org_id.as_deref()?;
    let is_own = |id: &String| is_among(id, &entry.root_role_ids);
    let mut lacking = Lacking::default();
    for id in granted.astra_roles.iter().map(|role| &role.id) {
        if let Some(policy) = Role::with_id(roles, id).and_then(|role| role.policy.as_ref())
            && !is_own(id)
        {
            lacking.extend(Lacking::of(policy, &own, org_id));
        }
    }
    if let Some(custom) = &granted.policy {
        lacking.extend(Lacking::of(&custom.policy.for_astra(""), &own, org_id));
    }
    (!lacking.is_empty()).then_some(lacking)
}

/// The policies of the root token's own roles; `None` where one of them is not known.
fn own_policies<'a>(entry: &ConfigEntry, roles: &'a [Role]) -> Option<Vec<&'a Policy>> {
    let own: Option<Vec<&Policy>> = roles
        .iter()
        .filter(|role| is_among(&role.id, &entry.root_role_ids))
        .map(|role| role.policy.as_ref())
        .collect();
    own.filter(|own| !own.is_empty() && own.len() == entry.root_role_ids.len())
}

fn is_among(id: &str, ids: &[String]) -> bool {
    ids.iter().any(|other| other.eq_ignore_ascii_case(id))
}

fn text(subject: &str, lacking: &Lacking, config: &str) -> String {
    format!(
        "{subject} grants {} on {}, which the root token of config \"{config}\" lacks, so Astra \
         may refuse to mint (403): give the root token those rights, or grant less",
        some(&lacking.actions),
        some(&lacking.resources)
    )
}

fn quoted(names: &[String]) -> String {
    let names: BTreeSet<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    some(&names)
}

/// The first few, and how many more there are.
fn some(texts: &BTreeSet<String>) -> String {
    let named: Vec<&str> = texts.iter().take(NAMED).map(String::as_str).collect();
    let named = named.join(", ");
    match texts.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
