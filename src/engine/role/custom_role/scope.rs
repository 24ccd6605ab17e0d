//! For whom and in which organization a custom Astra role is kept.

use super::nonce::Nonce;
use crate::astra::NewRole;
use crate::engine::connection::Connection;
use crate::engine::role::policy::Policy;
use crate::engine::role::policy_owner::PolicyOwner;
use crate::engine::store::Key;

/// One owner in one organization.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    /// The config whose organization it is.
    pub connection: &'a Connection,
    /// The organization that the custom role is in.
    pub org_id: &'a str,
    /// The role or static role.
    pub owner: PolicyOwner<'a>,
}

impl Scope<'_> {
    /// Where the note is stored.
    pub(super) fn key(&self) -> Key {
        self.owner.note_key(&self.connection.name, self.org_id)
    }

    /// What Astra is asked to keep: a custom role called `name` that grants `policy`.
    pub(super) fn wanted(&self, name: &str, policy: &Policy, nonce: &Nonce) -> NewRole {
        let purpose = match policy.description.as_str() {
            "" => format!("Kept by Vault for {}", self.owner),
            given => given.to_owned(),
        };
        let description = nonce.describe(self.connection.ledger.mount(), &purpose);
        NewRole {
            name: name.to_owned(),
            policy: policy.for_astra(&description),
        }
    }
}
