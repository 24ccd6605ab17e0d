//! Tokens that bear this mount's tag.

use crate::astra::Deadline;
use crate::astra::Error;
use crate::astra::TokenEntry;
use crate::engine::config::Connection;
use crate::engine::intent::Tag;

/// A live token that this mount minted.
pub struct TaggedToken {
    /// What its description says of its origin.
    pub tag: Tag,
    /// What Astra says of it.
    pub token: TokenEntry,
}

/// The live tokens that this mount minted from the connection's config.
pub async fn live(connection: &Connection, deadline: Deadline) -> Result<Vec<TaggedToken>, Error> {
    let tokens = connection.client.tokens(deadline).await?;
    let tagged =
        |token: TokenEntry| tag_of(connection, &token).map(|tag| TaggedToken { tag, token });
    Ok(tokens.into_iter().filter_map(tagged).collect())
}

/// How many of `tokens` this mount minted from the connection's config.
pub fn count_live(connection: &Connection, tokens: &[TokenEntry]) -> usize {
    tokens
        .iter()
        .filter(|token| tag_of(connection, token).is_some())
        .count()
}

fn tag_of(connection: &Connection, token: &TokenEntry) -> Option<Tag> {
    let tag = Tag::parse(token.description.as_deref()?)?;
    let is_ours =
        tag.mount == *connection.ledger.mount() && tag.owner.is_of_config(&connection.name);
    is_ours.then_some(tag)
}

impl TaggedToken {
    /// The Vault role, as the description has it.
    pub fn role(&self) -> &str {
        self.words().split(' ').next().unwrap_or_default()
    }

    /// For whom and why, as the description has it.
    pub fn purpose(&self) -> &str {
        self.words().split_once(' ').map_or("", |(_, rest)| rest)
    }

    /// The description after the tag.
    fn words(&self) -> &str {
        let description = self.token.description.as_deref().unwrap_or_default();
        description.split_once(' ').map_or("", |(_, words)| words)
    }
}
