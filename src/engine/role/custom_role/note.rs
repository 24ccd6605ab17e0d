//! The durable note that custom Astra roles may be out of step with storage.

use serde::Deserialize;
use serde::Serialize;

use super::nonce::Nonce;

/// How many nonces are remembered of one custom role.
const MAX_NONCES: usize = 16;

/// What may be out of step for one role or static role in one organization.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Note {
    /// Nonces of creates that may be on their way, or whose custom role is not stored yet.
    #[serde(default)]
    pub creates: Vec<Nonce>,
    /// Nonces of changes of the custom role that the stored role names.
    #[serde(default)]
    pub updates: Vec<Nonce>,
    /// Custom roles that were given up and are to be deleted.
    #[serde(default)]
    pub released: Vec<Released>,
}

/// A custom role that was given up.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Released {
    /// Its id.
    pub role_id: String,
    /// Its name in Astra.
    pub name: String,
    /// The nonces that this storage wrote it with.
    #[serde(default)]
    pub nonces: Vec<Nonce>,
    /// Whether Astra refused to delete it and it was told to grant nothing any more.
    #[serde(default)]
    pub is_emptied: bool,
    /// What it is told so with, each time; `None` while that was not needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emptying: Option<Nonce>,
}

/// Where a note stands, within one config.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct PendingNote {
    /// The organization that the note is about.
    pub org_id: String,
    /// The name of the role or static role.
    pub name: String,
}

impl Note {
    /// Whether nothing is left to do.
    pub(super) fn is_done(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the custom role `role_id` was given up.
    pub(super) fn has_released(&self, role_id: &str) -> bool {
        let mut ids = self.released.iter().map(|released| &released.role_id);
        ids.any(|id| id.eq_ignore_ascii_case(role_id))
    }
}

/// Adds `nonce` to `nonces`, of which the oldest make room.
pub(crate) fn remember(nonces: &mut Vec<Nonce>, nonce: Nonce) {
    nonces.retain(|known| *known != nonce);
    nonces.push(nonce);
    let surplus = nonces.len().saturating_sub(MAX_NONCES);
    nonces.drain(..surplus);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_nonces_are_remembered() {
        let mut nonces = Vec::new();
        let first = Nonce::random();
        remember(&mut nonces, first.clone());
        remember(&mut nonces, first.clone());
        assert_eq!(nonces, std::slice::from_ref(&first));
        let newest = Nonce::random();
        for _ in 1..MAX_NONCES {
            remember(&mut nonces, Nonce::random());
        }
        remember(&mut nonces, newest.clone());
        assert_eq!(nonces.len(), MAX_NONCES);
        assert_eq!(nonces.last(), Some(&newest));
        assert!(!nonces.contains(&first));
    }
}
