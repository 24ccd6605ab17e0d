//! Text that must never be printed.

use serde::Deserialize;
use serde::Deserializer;
use serde::Serializer;
use zeroize::Zeroizing;

/// A credential in memory.
///
/// It has neither `Debug` nor `Display` nor `Serialize`, so that no log line, error or derived
/// implementation can print it by accident, and its memory is zeroed when it is dropped.
/// The two ways out are [`Secret::expose`] and [`serialize`]; `tests/secrets.rs` counts who takes them.
///
/// ```
/// # use vault_plugin_secrets_astra::secret::Secret;
/// let secret = Secret::new("s3cr3t".to_owned());
/// assert_eq!(secret.expose(), "s3cr3t");
/// ```
/// ```compile_fail,E0277
/// # use vault_plugin_secrets_astra::secret::Secret;
/// let secret = Secret::new("s3cr3t".to_owned());
/// println!("{secret:?}");
/// ```
/// ```compile_fail,E0277
/// # use vault_plugin_secrets_astra::secret::Secret;
/// let secret = Secret::new("s3cr3t".to_owned());
/// println!("{secret}");
/// ```
/// ```compile_fail,E0277
/// # use vault_plugin_secrets_astra::secret::Secret;
/// fn send<T: serde::Serialize>(_: &T) {}
/// send(&Secret::new("s3cr3t".to_owned()));
/// ```
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes ownership of `text`.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// Writes a secret in clear; only for storage entries, which the host encrypts
/// (`#[serde(serialize_with = "crate::secret::serialize")]`).
pub fn serialize<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}
