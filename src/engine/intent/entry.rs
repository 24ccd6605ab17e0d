//! A block of intents as it is stored.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::Serialize;

/// How many intents one block holds: large enough that reserving costs next to nothing per mint,
/// small enough that the entry stays a few hundred bytes.
pub(super) const SIZE: u16 = 1024;

/// A block as it is stored: one bit per intent, set when nothing is left to clean up for it.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct BlockEntry {
    #[serde(with = "bits")]
    done: Vec<u8>,
    /// Which write of this entry it is, from 0.
    #[serde(default)]
    pub(super) write: u64,
    /// Greater than that of each block that was in storage when its process first looked.
    #[serde(default, skip_serializing_if = "is_first")]
    pub(super) generation: u64,
    /// The organization that its tokens are minted in, where the config tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) org_id: Option<String>,
    /// Intents that were lost when the entry was written: what carries them was received by no caller,
    /// and never will be.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) lost: BTreeSet<u16>,
}

impl BlockEntry {
    /// A block none of whose intents is done, for tokens in the organization with id `org_id`.
    pub(super) fn new(org_id: Option<&str>) -> Self {
        Self {
            done: vec![0; usize::from(SIZE / 8)],
            write: 0,
            generation: 0,
            org_id: org_id.map(str::to_owned),
            lost: BTreeSet::new(),
        }
    }

    /// The same of `generation`.
    pub(super) fn of_generation(self, generation: u64) -> Self {
        Self { generation, ..self }
    }

    /// Whether the intent that was taken after `write` was taken after this entry had been replaced.
    ///
    /// An intent is taken after a write that is durable, so the process that took it left an entry at
    /// least as new.  Where it is older, somebody restored storage from a snapshot, and of what
    /// happened to the token since, its marks tell nothing.
    pub(crate) fn is_older_than(&self, write: u64) -> bool {
        self.write < write
    }

    /// Whether nothing is left to clean up for the intent at `index`.  An index that the entry
    /// does not cover was never handed out, so no token can carry it.
    pub(crate) fn is_done(&self, index: u16) -> bool {
        match self.done.get(usize::from(index / 8)) {
            Some(byte) => byte & bit(index) != 0,
            None => true,
        }
    }

    /// Whether the entry says that no caller received the token of the intent at `index`, which was taken
    /// after `write`.
    ///
    /// Unlike a missing mark this stays true for ever, so it counts in restored storage as well.
    pub(crate) fn is_lost(&self, index: u16, write: u64) -> bool {
        self.lost.contains(&index) && !self.is_older_than(write)
    }

    /// Something is left to clean up for the intent at `index` after all.
    pub(super) fn unmark(&mut self, index: u16) {
        self.set(index, false);
    }

    /// Marks the intent at `index` as done, or not.
    pub(super) fn set(&mut self, index: u16, done: bool) {
        if let Some(byte) = self.done.get_mut(usize::from(index / 8)) {
            if done {
                *byte |= bit(index)
            } else {
                *byte &= !bit(index)
            }
        }
    }
}

fn is_first(generation: &u64) -> bool {
    *generation == 0
}

fn bit(index: u16) -> u8 {
    1 << (index % 8)
}

/// The marks as base64 text: JSON has no bytes.
mod bits {
    use serde::Deserializer;
    use serde::Serializer;
    use serde::de::Error as _;

    use super::*;

    pub(super) fn serialize<S: Serializer>(bits: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bits))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        STANDARD
            .decode(text.as_bytes())
            .map_err(|_| D::Error::custom("marks are not base64"))
    }
}
