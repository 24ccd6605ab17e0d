//! The tokens that the mount itself uses, which no clearing up may touch.

use super::Engine;
use super::intent::HeldTokens;
use crate::vault::Error;

/// The client ids of all root tokens.
pub async fn tokens(engine: &Engine) -> Result<HeldTokens, Error> {
    let mut held = HeldTokens::new();
    for name in engine.configs.names().await? {
        if let Some(connection) = engine.configs.find(&name).await? {
            held.insert(connection.entry.token_client_id().to_owned());
        }
    }
    Ok(held)
}
