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
    // What was written last may be there, or not.
    for name in engine.configs.confirm_all().await {
        in_use.insert_all_of(Owner::of(&name, &format!("rotate-root/{name}")));
    }
    let unconfirmed = engine.static_roles.confirm_all().await;
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
    // Which config it is for cannot be read.
    let of_static_role = |name: &str| {
        let name = format!("static-roles/{name}");
        let configs = configs.iter();
        configs.map(move |(config, _)| Owner::of(config, &name))
    };
    for name in &unconfirmed {
        of_static_role(name).for_each(|owner| in_use.insert_all_of(owner));
    }
    for (name, loaded) in engine.static_roles.load_all().await? {
        match loaded {
            Loaded::Valid(role) => role
                .client_ids()
                .for_each(|client_id| in_use.insert(client_id)),
            Loaded::Corrupt(_) => {
                of_static_role(&name).for_each(|owner| in_use.insert_all_of(owner));
            }
            Loaded::Missing => {}
        }
    }
    Ok(in_use)
}
