//! The short text at the start of every token's Astra description, by which a token whose answer
//! was lost is found again.
//!
//! `vault:<mount>:<owner>:<block>.<index>.<write>:<request>`, ids and hashes in lower-case hex; about 70
//! characters.

use std::fmt;

use sha2::Digest;
use sha2::Sha256;

/// Which mount, role, intent and request a token was minted for.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Tag {
    /// The mount that minted it.
    pub mount: MountId,
    /// The config and role it was minted for.
    pub owner: Owner,
    /// The block of intents.
    pub block: BlockId,
    /// The intent's place in its block.
    pub index: u16,
    /// The newest write of the block's entry that was durable when the intent was taken.
    pub write: u64,
    /// The host's request.
    pub request: RequestMark,
}

/// A random id stored at the first write of the mount (12 hex digits).
#[derive(Clone, Debug, Eq, Hash, PartialEq, serde::Deserialize, serde::Serialize)]
pub struct MountId(String);

/// A random id of a block of intents (16 hex digits).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct BlockId(String);

/// A short hash of the host's request id (12 hex digits): a repeated request is recognised by it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct RequestMark(String);

/// Short hashes of a config's name (4 hex digits) and of a role's name (8 hex digits).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Owner(String);

const PREFIX: &str = "vault";

impl Tag {
    /// The tag at the start of `description`, if this engine wrote one.
    pub fn parse(description: &str) -> Option<Self> {
        let tag = description.split(' ').next()?;
        let mut parts = tag.split(':');
        if parts.next()? != PREFIX {
            return None;
        }
        let mount = MountId(hex_of_length(parts.next()?, MountId::DIGITS)?);
        let owner = Owner(hex_of_length(parts.next()?, Owner::DIGITS)?);
        let mut intent = parts.next()?.split('.');
        let block = BlockId::parse(intent.next()?)?;
        let index = intent.next()?.parse().ok()?;
        let write = intent.next()?.parse().ok()?;
        if intent.next().is_some() {
            return None;
        }
        let request = RequestMark(hex_of_length(parts.next()?, RequestMark::DIGITS)?);
        parts.next().is_none().then_some(Self {
            mount,
            owner,
            block,
            index,
            write,
            request,
        })
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            mount,
            owner,
            block,
            index,
            write,
            request,
        } = self;
        write!(
            f,
            "{PREFIX}:{}:{}:{}.{index}.{write}:{}",
            mount.0, owner.0, block.0, request.0
        )
    }
}

impl MountId {
    const DIGITS: usize = 12;

    /// A new random id.
    pub fn random() -> Self {
        Self(random_hex(Self::DIGITS))
    }

    /// The hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl BlockId {
    const DIGITS: usize = 16;

    /// A new random id.
    pub fn random() -> Self {
        Self(random_hex(Self::DIGITS))
    }

    /// The id written as `text`.
    pub fn parse(text: &str) -> Option<Self> {
        hex_of_length(text, Self::DIGITS).map(Self)
    }

    /// The hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl RequestMark {
    const DIGITS: usize = 12;

    /// The mark of the request with the host's `id`.
    pub fn of(id: &str) -> Self {
        Self(short_hash(id, Self::DIGITS))
    }
}

impl Owner {
    const CONFIG_DIGITS: usize = 4;
    const ROLE_DIGITS: usize = 8;
    const DIGITS: usize = Self::CONFIG_DIGITS + Self::ROLE_DIGITS;

    /// The owner of tokens minted for `role` from `config`.
    pub fn of(config: &str, role: &str) -> Self {
        Self(short_hash(config, Self::CONFIG_DIGITS) + &short_hash(role, Self::ROLE_DIGITS))
    }

    /// Whether tokens with this owner were minted from `config`.
    pub fn is_of_config(&self, config: &str) -> bool {
        self.0.starts_with(&short_hash(config, Self::CONFIG_DIGITS))
    }
}

fn random_hex(digits: usize) -> String {
    let mut text = uuid::Uuid::new_v4().simple().to_string();
    text.truncate(digits);
    text
}

fn short_hash(text: &str, digits: usize) -> String {
    let mut hex: String = Sha256::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    hex.truncate(digits);
    hex
}

fn hex_of_length(text: &str, digits: usize) -> Option<String> {
    let is_hex = text
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (text.len() == digits && is_hex).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tag(index: u16, write: u64, request: &str) -> Tag {
        Tag {
            mount: MountId::random(),
            owner: Owner::of("default", "reader"),
            block: BlockId::random(),
            index,
            write,
            request: RequestMark::of(request),
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(index: u16, write in 0_u64..10_000, request: String, rest: String) {
            let tag = tag(index, write, &request);
            prop_assert!(tag.to_string().len() <= 72);
            prop_assert_eq!(Tag::parse(&tag.to_string()), Some(tag.clone()));
            prop_assert_eq!(Tag::parse(&format!("{tag} {rest}")), Some(tag));
        }

        #[test]
        fn any_description_is_read_without_panic(description: String) {
            let _ = Tag::parse(&description);
        }
    }

    #[test]
    fn descriptions_of_others_are_not_tags() {
        let good = tag(7, 8, "r").to_string();
        for other in [
            "",
            "Token for service A",
            "vault",
            "vault::::",
            &good.to_uppercase(),
            &good.replace("vault:", "vaults:"),
            &format!("{good}:more"),
            &good.replace(".7.", ".65536."),
            &good.replace(".8:", ":"),
            &good.replace(".8:", ".8.9:"),
            &format!(" {good}"),
        ] {
            assert_eq!(Tag::parse(other), None, "{other:?}");
        }
    }

    #[test]
    fn an_owner_knows_its_config() {
        let owner = Owner::of("default", "reader");
        assert!(owner.is_of_config("default"));
        assert!(!owner.is_of_config("other"));
        assert_ne!(owner, Owner::of("default", "writer"));
    }
}
