//! Refusing the commands of the archived Go engine, to which the path `config` meant something else.
//!
//! There one path served all organizations, told apart by `org_id`; here `config` alone is
//! `config/default`.  A command that was meant for another organization must not read, change or
//! delete that one.

use super::error::ConfigError;
use crate::astra::is_same_organization;
use crate::engine::Engine;
use crate::framework::Call;
use crate::vault::Operation;

/// The parameters that only the archived engine had.
const FIELDS: [&str; 3] = ["astra_token", "caller_mode", "logical_name"];

/// Refuses a request with a parameter of the archived engine.
pub(super) async fn check_parameters(engine: &Engine, call: &Call) -> Result<(), ConfigError> {
    let sent = FIELDS
        .into_iter()
        .find(|field| call.request.data.contains_key(*field));
    match sent {
        Some(field) => Err(ConfigError::ArchivedField {
            field,
            instead: command(call, successor(engine, call).await),
        }),
        None => Ok(()),
    }
}

/// Refuses a read or a deletion that names another organization than the config's; `org_id` is the
/// config's own, if it is known.
pub(super) async fn check_organization(
    engine: &Engine,
    call: &Call,
    org_id: Option<&str>,
) -> Result<(), ConfigError> {
    if !call.fields.was_sent("org_id") {
        return Ok(());
    }
    let given = call.fields.string("org_id").unwrap_or_default();
    if org_id.is_some_and(|own| is_same_organization(own, &given)) {
        return Ok(());
    }
    let path = call.request.path.clone();
    let instead = command(call, successor(engine, call).await);
    Err(match org_id {
        Some(own) => ConfigError::ArchivedOrganization {
            path,
            own: own.to_owned(),
            instead,
        },
        None => ConfigError::ArchivedUnknownOrganization { path, instead },
    })
}

/// The config that took the place of the one that the archived engine would have used.
async fn successor(engine: &Engine, call: &Call) -> Option<String> {
    let org_key = call.fields.string("org_id")?;
    let record = engine.archived.records.find().await.ok()??;
    record.config_of(&org_key).map(str::to_owned)
}

/// What to type instead.
fn command(call: &Call, name: Option<String>) -> String {
    let mount = &call.request.mount_point;
    let name = name.as_deref().unwrap_or("<name>");
    match call.request.operation {
        Operation::Read => format!(
            "each organization has a config with a name, so type vault read {mount}config/{name}, \
             and vault list {mount}config for the names"
        ),
        Operation::Delete => format!(
            "each organization has a config with a name, so type vault delete \
             {mount}config/{name}, and vault list {mount}config for the names"
        ),
        _ => format!(
            "the root token is called token and each organization has a config with a name, so \
             type vault write {mount}config/{name} token=…"
        ),
    }
}
