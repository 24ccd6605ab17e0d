//! The short text at the start of every token's Astra description, by which a token whose answer
//! was lost is found again.
//!
//! `vault:<mount>:<owner>:<block>.<index>.<write>:<request>`, ids and hashes in lower-case hex; about 70
//! characters.

use std::fmt;

use sha2::Digest;
use sha2::Sha256;

/// Which mount, role, intent and request a token was minted for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Tag {
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
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct MountId(u64);

/// A random id of a block of intents (16 hex digits).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct BlockId(u64);

/// A short hash of the host's request id (12 hex digits): a repeated request is recognised by it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct RequestMark(u64);

/// Short hashes of a config's name (4 hex digits) and of a role's name (8 hex digits).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Owner(u64);

/// The short hash of a config's name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct ConfigMark(u64);

const PREFIX: &str = "vault";

impl Tag {
    /// As long as a tag gets in practice.
    pub(crate) fn long() -> Self {
        Self {
            mount: MountId(0),
            owner: Owner(0),
            block: BlockId(0),
            index: u16::MAX,
            write: 99_999_999,
            request: RequestMark(0),
        }
    }

    /// The block in the tag at the start of `description`, from its place alone: what has another block, or
    /// none, need not be parsed.  Of a million tokens few are looked for.
    pub(crate) fn block_in(description: &str) -> Option<BlockId> {
        const BEGIN: usize = PREFIX.len() + 1 + MountId::DIGITS + 1 + Owner::DIGITS + 1;
        BlockId::parse(description.get(BEGIN..BEGIN + BlockId::DIGITS)?)
    }

    /// What each tag of `mount` for the config with the mark `config` begins with.
    pub(crate) fn beginning(mount: MountId, config: ConfigMark) -> String {
        let ConfigMark(config) = config;
        format!(
            "{PREFIX}:{mount}:{config:0digits$x}",
            digits = Owner::CONFIG_DIGITS
        )
    }

    /// The tag at the start of `description`, if this engine wrote one.
    pub(crate) fn parse(description: &str) -> Option<Self> {
        let tag = description.split(' ').next()?;
        let mut parts = tag.split(':');
        if parts.next()? != PREFIX {
            return None;
        }
        let mount = MountId(from_hex(parts.next()?, MountId::DIGITS)?);
        let owner = Owner(from_hex(parts.next()?, Owner::DIGITS)?);
        let mut intent = parts.next()?.split('.');
        let block = BlockId::parse(intent.next()?)?;
        let index = intent.next()?.parse().ok()?;
        let write = intent.next()?.parse().ok()?;
        if intent.next().is_some() {
            return None;
        }
        let request = RequestMark(from_hex(parts.next()?, RequestMark::DIGITS)?);
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
            owner: Owner(owner),
            block,
            index,
            write,
            request: RequestMark(request),
        } = self;
        write!(
            f,
            "{PREFIX}:{mount}:{owner:0owner_digits$x}:{block}.{index}.{write}:{request:0request_digits$x}",
            owner_digits = Owner::DIGITS,
            request_digits = RequestMark::DIGITS,
        )
    }
}

impl MountId {
    const DIGITS: usize = 12;

    /// A new random id.
    pub fn random() -> Self {
        Self(random(Self::DIGITS))
    }
}

impl fmt::Display for MountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0digits$x}", self.0, digits = Self::DIGITS)
    }
}

impl From<MountId> for String {
    fn from(id: MountId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for MountId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        from_hex(&text, Self::DIGITS)
            .map(Self)
            .ok_or("the mount's id is not 12 hex digits")
    }
}

impl BlockId {
    const DIGITS: usize = 16;

    /// A new random id.
    pub(crate) fn random() -> Self {
        Self(random(Self::DIGITS))
    }

    /// The id written as `text`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        from_hex(text, Self::DIGITS).map(Self)
    }
}

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0digits$x}", self.0, digits = Self::DIGITS)
    }
}

impl RequestMark {
    const DIGITS: usize = 12;

    /// The mark of the request with the host's `id`.
    pub(crate) fn of(id: &str) -> Self {
        Self(short_hash(id, Self::DIGITS))
    }
}

impl Owner {
    const CONFIG_DIGITS: usize = 4;
    const ROLE_DIGITS: usize = 8;
    const DIGITS: usize = Self::CONFIG_DIGITS + Self::ROLE_DIGITS;

    /// The owner of tokens minted for `role` from `config`.
    pub(crate) fn of(config: &str, role: &str) -> Self {
        let ConfigMark(config) = ConfigMark::of(config);
        Self(config << (4 * Self::ROLE_DIGITS) | short_hash(role, Self::ROLE_DIGITS))
    }

    /// The config that tokens with this owner were minted from.
    #[cfg(test)]
    pub(crate) fn config(&self) -> ConfigMark {
        ConfigMark(self.0 >> (4 * Self::ROLE_DIGITS))
    }
}

impl ConfigMark {
    /// The mark of `config`.
    pub(crate) fn of(config: &str) -> Self {
        Self(short_hash(config, Owner::CONFIG_DIGITS))
    }
}

/// A random number of as many hex digits.
fn random(digits: usize) -> u64 {
    first_digits((crate::random::bits() >> 64) as u64, digits)
}

fn short_hash(text: &str, digits: usize) -> u64 {
    let hash: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    let [a, b, c, d, e, f, g, h, ..] = hash;
    first_digits(u64::from_be_bytes([a, b, c, d, e, f, g, h]), digits)
}

/// The number that the first hex digits of `number`, of which it has 16, stand for.
fn first_digits(number: u64, digits: usize) -> u64 {
    number >> (64 - 4 * digits)
}

fn from_hex(text: &str, digits: usize) -> Option<u64> {
    let is_hex = text
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (text.len() == digits && is_hex)
        .then(|| u64::from_str_radix(text, 16).ok())
        .flatten()
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
            prop_assert_eq!(Tag::block_in(&tag.to_string()), Some(tag.block));
            let beginning = Tag::beginning(tag.mount, tag.owner.config());
            prop_assert!(tag.to_string().starts_with(&beginning));
            prop_assert_eq!(Tag::parse(&tag.to_string()), Some(tag));
            prop_assert_eq!(Tag::parse(&format!("{tag} {rest}")), Some(tag));
        }

        #[test]
        fn any_description_is_read_without_panic(description: String) {
            let _ = (Tag::parse(&description), Tag::block_in(&description));
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

    /// Else two texts would be one tag.
    #[test]
    fn each_part_has_all_its_digits_in_small_letters() {
        let good = "vault:0123456789ab:37a8eec1b5a1:00fedcba98765432.7.42:abcdef334455";
        assert!(Tag::parse(good).is_some());
        for part in [
            "0123456789ab",
            "37a8eec1b5a1",
            "00fedcba98765432",
            "abcdef334455",
        ] {
            let wrong = [
                part.to_uppercase(),
                format!("0{part}"),
                part[1..].to_owned(),
                format!("+{}", &part[1..]),
            ];
            for wrong in wrong {
                assert_eq!(Tag::parse(&good.replace(part, &wrong)), None, "{wrong}");
            }
        }
    }

    /// Tokens that live today carry tags of exactly this form.
    #[test]
    fn the_form_of_a_tag_is_fixed() {
        let text = "vault:0123456789ab:37a8eec1b5a1:00fedcba98765432.7.42:001122334455";
        assert_eq!(
            Tag::parse(text).map(|tag| tag.to_string()).as_deref(),
            Some(text)
        );
        let tag = tag(7, 42, "r");
        let hash = |text: &str| format!("{:x}", Sha256::digest(text.as_bytes()));
        let owner = format!(":{}{}:", &hash("default")[..4], &hash("reader")[..8]);
        assert!(tag.to_string().contains(&owner), "{tag}");
        assert!(
            tag.to_string().ends_with(&format!(":{}", &hash("r")[..12])),
            "{tag}"
        );
    }

    /// By it alone a mount knows its own tokens in a list.
    #[test]
    fn no_tag_begins_as_those_of_another_mount_or_config() {
        let own = tag(7, 8, "r");
        let begins_as = |mount, config: &str| {
            let beginning = Tag::beginning(mount, ConfigMark::of(config));
            own.to_string().starts_with(&beginning)
        };
        assert!(begins_as(own.mount, "default"));
        assert!(!begins_as(own.mount, "other"));
        assert!(!begins_as(MountId(own.mount.0 ^ 1), "default"));
    }

    #[test]
    fn an_owner_knows_its_config() {
        let owner = Owner::of("default", "reader");
        assert_eq!(owner.config(), ConfigMark::of("default"));
        assert_ne!(owner.config(), ConfigMark::of("other"));
        assert_ne!(owner, Owner::of("default", "writer"));
    }
}
