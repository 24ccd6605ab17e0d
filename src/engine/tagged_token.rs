//! Tokens with this mount's tag.

use super::connection::Connection;
use super::intent::ConfigMark;
use super::intent::Owner;
use super::intent::Tag;
use crate::astra::Deadline;
use crate::astra::Error;
use crate::astra::TokenEntry;

/// A live token that this mount minted.
pub(super) struct TaggedToken {
    /// What Astra says of it.
    pub token: TokenEntry,
    /// For whom it was minted.
    pub owner: Owner,
}

/// The live tokens that this mount minted from the connection's config.
pub(super) async fn live(
    connection: &Connection,
    deadline: Deadline,
) -> Result<Vec<TaggedToken>, Error> {
    connection.client.tokens(tagged(connection), deadline).await
}

/// Finds the tokens that this mount minted from the connection's config in a list.
pub(super) fn tagged(
    connection: &Connection,
) -> impl Fn(&TokenEntry) -> Option<TaggedToken> + Clone + Send + Sync + use<> {
    let own = MountTokenFilter::of(connection);
    move |token: &TokenEntry| {
        own.tag(token).map(|tag| TaggedToken {
            token: token.clone(),
            owner: tag.owner,
        })
    }
}

/// How a token is known to be minted by a mount from one of its configs.
#[derive(Clone)]
pub(super) struct MountTokenFilter {
    /// With what the tags of both begin, and no others.
    beginning: String,
}

impl MountTokenFilter {
    /// The tokens that this mount minted from the connection's config.
    pub(super) fn of(connection: &Connection) -> Self {
        let (mount, config) = (connection.ledger.mount(), ConfigMark::of(&connection.name));
        Self {
            beginning: Tag::beginning(mount, config),
        }
    }

    /// The tag of `token`, if it is one of them.
    pub(super) fn tag(&self, token: &TokenEntry) -> Option<Tag> {
        let description = token.description.as_deref()?;
        let is_own = description.starts_with(&self.beginning);
        is_own.then(|| Tag::parse(description)).flatten()
    }
}

impl TaggedToken {
    /// Its tag.
    pub(super) fn tag(&self) -> Option<Tag> {
        Tag::parse(self.token.description.as_deref()?)
    }

    /// The Vault role, as the description has it: perhaps cut.
    pub(super) fn described_role(&self) -> &str {
        self.words().split(' ').next().unwrap_or_default()
    }

    /// For whom and why, as the description has it.
    pub(super) fn purpose(&self) -> &str {
        self.words().split_once(' ').map_or("", |(_, rest)| rest)
    }

    /// The description after the tag.
    fn words(&self) -> &str {
        let description = self.token.description.as_deref().unwrap_or_default();
        description.split_once(' ').map_or("", |(_, words)| words)
    }
}
