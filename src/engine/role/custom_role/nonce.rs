//! The nonce that shows which write of which storage a custom Astra role is from.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;
use uuid::Uuid;

use crate::astra::Role;
use crate::engine::intent::MountId;

const PREFIX: &str = "vault";

/// Hex digits of a mount's id.
const MOUNT_DIGITS: usize = 12;
/// Hex digits of a nonce.
const DIGITS: usize = 16;

/// A random text, new with each write of a custom role.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Nonce(String);

impl Nonce {
    /// A new one.
    pub(crate) fn random() -> Self {
        let mut text = Uuid::new_v4().simple().to_string();
        text.truncate(DIGITS);
        Self(text)
    }

    /// The nonce in the description of `role`; `None` where the engine did not write the description,
    /// or Astra does not show it.
    pub(crate) fn of(role: &Role) -> Option<Self> {
        Self::parse(&role.policy.as_ref()?.description)
    }

    /// The description of a custom role of `mount` that is written with this nonce, before its purpose
    /// `text`.
    pub(crate) fn describe(&self, mount: MountId, text: &str) -> String {
        format!("{PREFIX}:{mount}:{self} {text}")
    }

    fn parse(description: &str) -> Option<Self> {
        let mut parts = description.split(' ').next()?.split(':');
        let is_hex = |text: &str, digits: usize| {
            let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            text.len() == digits && text.bytes().all(is_digit)
        };
        let prefix = parts.next()?;
        let mount = parts.next()?;
        let nonce = parts.next()?;
        let is_nonce = prefix == PREFIX
            && is_hex(mount, MOUNT_DIGITS)
            && is_hex(nonce, DIGITS)
            && parts.next().is_none();
        is_nonce.then(|| Self(nonce.to_owned()))
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether `role`, which has an id that storage knows, was last written by somebody else: it has a
/// nonce that is not among the `known` ones.  Without any nonce, as after an edit by hand, the id
/// decides.
pub(crate) fn is_foreign<'a>(role: &Role, mut known: impl Iterator<Item = &'a Nonce>) -> bool {
    Nonce::of(role).is_some_and(|nonce| known.all(|known| *known != nonce))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::astra::Policy;

    fn role(description: &str) -> Role {
        Role {
            id: "1".to_owned(),
            name: "n".to_owned(),
            policy: Some(Policy {
                description: description.to_owned(),
                ..Policy::default()
            }),
        }
    }

    #[test]
    fn a_description_tells_its_nonce() {
        let nonce = Nonce::random();
        assert_ne!(nonce, Nonce::random());
        let description = nonce.describe(MountId::random(), "for the reports");
        assert!(description.ends_with(" for the reports"), "{description}");
        assert_eq!(Nonce::of(&role(&description)), Some(nonce.clone()));
        assert!(!is_foreign(&role(&description), [&nonce].into_iter()));
        assert!(is_foreign(
            &role(&description),
            [&Nonce::random()].into_iter()
        ));
        assert!(is_foreign(&role(&description), [].into_iter()));
    }

    #[test]
    fn other_descriptions_have_none() {
        for other in [
            "",
            "Kept by Vault for role app",
            "vault:0123456789ab",
            "vault:0123456789ab:0123456789abcde",
            "vault:0123456789ab:0123456789ABCDEF",
            "vault:0123456789ab:0123456789abcdef:",
            "vault:0123456789ab:01234567:0123456789abcdef.0.0:0123456789ab",
            "other:0123456789ab:0123456789abcdef x",
        ] {
            assert_eq!(Nonce::of(&role(other)), None, "{other}");
            assert!(!is_foreign(&role(other), [].into_iter()));
        }
    }
}
