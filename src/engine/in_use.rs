//! The tokens that the mount itself uses, which no clearing up may touch.

use super::Engine;
use super::error::Error;
use super::intent::InUseTokens;
use super::intent::Owner;
use super::registry::Loaded;

/// All root tokens and all tokens of static roles.  What an entry that cannot be read uses is known
/// by its owner only.
pub(super) async fn tokens(engine: &Engine) -> Result<InUseTokens, Error> {
    let mut in_use = InUseTokens::default();
    let configs = engine.configs.load_all().await?;
    for (name, loaded) in &configs {
        match loaded {
            Loaded::Valid(connection) => in_use.insert(connection.entry.token_client_id()),
            Loaded::Corrupt(_) => {
                in_use.insert_all_of(Owner::of(name, &format!("rotate-root/{name}")));
            }
            Loaded::Missing => {}
        }
    }
    for (name, loaded) in engine.static_roles.load_all().await? {
        match loaded {
            Loaded::Valid(role) => role
                .client_ids()
                .for_each(|client_id| in_use.insert(client_id)),
            // Which config it is for cannot be read either.
            Loaded::Corrupt(_) => {
                for (config, _) in &configs {
                    in_use.insert_all_of(Owner::of(config, &format!("static-roles/{name}")));
                }
            }
            Loaded::Missing => {}
        }
    }
    Ok(in_use)
}
