//! Tokens that the mount itself uses: root tokens and tokens of static roles.

use std::collections::BTreeSet;
use std::collections::HashSet;

use super::Owner;
use super::recovery::TaggedToken;

/// What must not be deleted, whatever intents say.
#[derive(Clone, Debug, Default)]
pub(crate) struct InUseTokens {
    client_ids: BTreeSet<String>,
    /// Of entries that cannot be read, so that the client ids are not known.
    unreadable: HashSet<Owner>,
}

impl InUseTokens {
    /// The token with this client id is in use.
    pub(crate) fn insert(&mut self, client_id: &str) {
        self.client_ids.insert(client_id.to_owned());
    }

    /// Any token that was minted for `owner` may be in use.
    pub(crate) fn insert_all_of(&mut self, owner: Owner) {
        self.unreadable.insert(owner);
    }

    /// Whether the token with this client id is known to be in use.
    pub(crate) fn contains(&self, client_id: &str) -> bool {
        self.client_ids.contains(client_id)
    }

    /// Whether a token that was minted for `owner` may be in use without being known.
    pub(crate) fn may_contain(&self, owner: Owner) -> bool {
        self.unreadable.contains(&owner)
    }

    /// Whether an entry that cannot be read may use `token`, so that what its intent stands for is decided
    /// later.
    pub(super) fn is_undecided(&self, token: &TaggedToken) -> bool {
        self.may_contain(token.tag.owner) && !self.contains(&token.client_id)
    }

    /// Whether `token` is in use, or may be.
    pub(super) fn protects(&self, token: &TaggedToken) -> bool {
        self.contains(&token.client_id) || self.may_contain(token.tag.owner)
    }
}
