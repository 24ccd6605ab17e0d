//! The tokens of this mount as Astra lists them.

use super::config::Connection;
use super::intent::Tag;
use crate::astra::Deadline;
use crate::astra::Error;
use crate::astra::TokenEntry;

/// A live token that bears this mount's tag.
pub struct TaggedToken {
    /// What its description says of its origin.
    pub tag: Tag,
    /// What Astra says of it.
    pub token: TokenEntry,
}

/// The live tokens that this mount minted from the connection's config.
pub async fn live(connection: &Connection, deadline: Deadline) -> Result<Vec<TaggedToken>, Error> {
    let tokens = connection.client.tokens(deadline).await?;
    Ok(tokens
        .into_iter()
        .filter_map(|token| {
            let tag = Tag::parse(token.description.as_deref()?)?;
            let is_ours =
                tag.mount == *connection.ledger.mount() && tag.owner.is_of_config(&connection.name);
            is_ours.then_some(TaggedToken { tag, token })
        })
        .collect())
}
