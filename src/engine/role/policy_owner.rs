//! Whose policy a custom Astra role is kept for.

use std::fmt;

use sha2::Digest;
use sha2::Sha256;

use crate::engine::connection::Connection;
use crate::engine::store::Key;

/// The longest name of a custom role; how long Astra allows is not documented.
const NAME_LIMIT: usize = 96;

/// What has a policy: a role, or a static role, which may have the same name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PolicyOwner<'a> {
    /// The role of this name.
    Role(&'a str),
    /// The static role of this name.
    StaticRole(&'a str),
}

impl PolicyOwner<'_> {
    /// The name of its custom role: the mount's id and its own name, so that its owner can be
    /// told in Astra.
    ///
    /// A static role's has the path before the name.  A name that would be too long ends in a slash and
    /// a hash.  No name of a Vault role contains a slash, so no two are alike.
    pub(crate) fn custom_role(&self, connection: &Connection) -> String {
        self.custom_role_in(&connection.ledger.mount().to_string())
    }

    /// Another name for it, which ends in `mark`, for an organization that has a custom role of the
    /// first name already.
    pub(crate) fn other_custom_role(&self, connection: &Connection, mark: &str) -> String {
        let first = self.custom_role(connection);
        let room = NAME_LIMIT.saturating_sub(mark.len() + 1);
        let head: String = first.chars().take(room).collect();
        format!("{head}/{mark}")
    }

    fn custom_role_in(&self, mount: &str) -> String {
        let own = match self {
            Self::Role(name) => (*name).to_owned(),
            Self::StaticRole(name) => format!("static-roles/{name}"),
        };
        let full = format!("vault-{mount}-{own}");
        if full.len() <= NAME_LIMIT {
            return full;
        }
        let hash: String = Sha256::digest(own.as_bytes())
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let room = NAME_LIMIT - hash.len() - 1;
        let head: String = full.chars().take(room).collect();
        format!("{head}/{hash}")
    }

    /// Where the note about its custom roles in the organization `org_id` of `config` is stored.
    pub(crate) fn note_key(&self, config: &str, org_id: &str) -> Key {
        match self {
            Self::Role(name) => Key::custom_role(config, org_id, name),
            Self::StaticRole(name) => Key::static_custom_role(config, org_id, name),
        }
    }
}

impl fmt::Display for PolicyOwner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(name) => write!(f, "role {name}"),
            Self::StaticRole(name) => write!(f, "static role {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNT: &str = "0123456789ab";

    #[test]
    fn a_name_tells_its_owner_and_is_short_and_unique() {
        let role = |name: &str| PolicyOwner::Role(name).custom_role_in(MOUNT);
        let static_role = |name: &str| PolicyOwner::StaticRole(name).custom_role_in(MOUNT);
        assert_eq!(role("reader"), "vault-0123456789ab-reader");
        assert_eq!(
            static_role("reader"),
            "vault-0123456789ab-static-roles/reader"
        );
        let long = "r".repeat(200);
        let name = role(&long);
        assert_eq!(name.len(), NAME_LIMIT);
        assert!(name.starts_with("vault-0123456789ab-rrr"));
        assert_ne!(name, role(&"r".repeat(201)));
        assert_eq!(static_role(&long).len(), NAME_LIMIT);
        assert_ne!(static_role(&long), static_role(&"r".repeat(201)));
    }

    #[test]
    fn a_role_and_a_static_role_of_one_name_do_not_share_a_note() {
        let role = PolicyOwner::Role("app").note_key("default", "o");
        assert_ne!(
            role,
            PolicyOwner::StaticRole("app").note_key("default", "o")
        );
        assert_ne!(role, PolicyOwner::Role("app").note_key("default", "p"));
    }
}
