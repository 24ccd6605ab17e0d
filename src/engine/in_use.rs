//! The tokens that the mount itself uses, which no clearing up may touch.

use super::Engine;
use super::config::Loaded;
use super::intent::InUseTokens;
use crate::vault::Error;

/// The client ids of all root tokens and of all tokens of static roles.
pub async fn tokens(engine: &Engine) -> Result<InUseTokens, Error> {
    let mut held = InUseTokens::new();
    for name in engine.configs.names().await? {
        // A config that cannot be read uses no token, and must not keep the others from clearing up.
        if let Loaded::Valid(connection) = engine.configs.load(&name).await? {
            held.insert(connection.entry.token_client_id().to_owned());
        }
    }
    for name in engine.static_roles.names().await? {
        if let Some(role) = engine.static_roles.find(&name).await? {
            held.extend(role.client_ids().map(str::to_owned));
        }
    }
    Ok(held)
}
