//! For which role a token was minted, by the names in storage.
//!
//! A description has room for a part of a long name only, so that two roles could look like one; the tag
//! tells them apart.

use std::collections::HashMap;

use crate::engine::Engine;
use crate::engine::error::Error;
use crate::engine::intent::Owner;
use crate::engine::tagged_token::TaggedToken;

/// The roles that tokens of one config can be of.
pub(crate) struct OwnerNames(HashMap<Owner, String>);

impl OwnerNames {
    /// The roles, static roles and root token that tokens of `config` can be of.
    pub(crate) async fn of(engine: &Engine, config: &str) -> Result<Self, Error> {
        let roles = engine.roles.names().await?;
        let static_roles = engine.static_roles.names().await?;
        let static_roles = static_roles
            .into_iter()
            .map(|name| format!("static-roles/{name}"));
        let names = roles
            .into_iter()
            .chain(static_roles)
            .chain([format!("rotate-root/{config}")]);
        Ok(Self(
            names.map(|name| (Owner::of(config, &name), name)).collect(),
        ))
    }

    /// The role of `token`; as the description has it where the role is gone.
    pub(crate) fn name_of<'a>(&'a self, token: &'a TaggedToken) -> &'a str {
        match self.0.get(&token.owner) {
            Some(name) => name,
            None => token.described_role(),
        }
    }
}
