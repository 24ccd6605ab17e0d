//! What the host says through environment variables (docs/internals/protocol.md, "Environment").

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;

/// The magic cookie's variable and value.  It is no secret: it only tells a start by a host from one
/// by hand.
pub(super) const COOKIE: (&str, &str) = (
    "VAULT_BACKEND_PLUGIN",
    "6669da05-b1c8-4f49-97d9-c8e5bed98e20",
);

/// Whether all connections share the first one that the host opens (docs/internals/protocol.md,
/// "Containers").
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum OneSocket {
    /// Each connection has a socket of its own, as in a process plugin.
    No,
    /// They are streams of one session, as in a container.
    Yes,
}

/// A snapshot of the variables.
pub struct Environment {
    variables: HashMap<OsString, OsString>,
}

impl Environment {
    /// The variables of this process.
    pub fn from_process() -> Self {
        Self::new(std::env::vars_os())
    }

    /// The variables of an iterator of pairs.
    pub fn new<K: Into<OsString>, V: Into<OsString>>(
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        Self {
            variables: variables
                .into_iter()
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
        }
    }

    /// Whether a host started this process as the kind of plugin that it is.
    pub fn has_cookie(&self) -> bool {
        let (name, value) = COOKIE;
        self.text(name).as_deref() == Some(value)
    }

    /// The application protocol versions that the host offers; what is not a number is skipped.  A
    /// host that offers none takes what it gets.
    pub fn protocol_versions(&self) -> Option<Vec<u32>> {
        let text = self.text("PLUGIN_PROTOCOL_VERSIONS")?;
        Some(
            text.split(',')
                .filter_map(|version| version.trim().parse().ok())
                .collect(),
        )
    }

    /// The host's certificate, PEM.
    pub fn client_certificate(&self) -> Option<String> {
        self.text("PLUGIN_CLIENT_CERT")
            .filter(|text| !text.is_empty())
    }

    /// Where the socket must be; only containers have such a place.
    pub fn socket_directory(&self) -> Option<PathBuf> {
        self.variables
            .get(&OsString::from("PLUGIN_UNIX_SOCKET_DIR"))
            .filter(|path| !path.is_empty())
            .map(PathBuf::from)
    }

    /// The group that must be able to use the socket: a name or a number.
    pub fn socket_group(&self) -> Option<String> {
        self.text("PLUGIN_UNIX_SOCKET_GROUP")
            .filter(|text| !text.is_empty())
    }

    /// Whether the host wants all connections over one socket, as it does with containers.  The text is
    /// read as Go reads a boolean; what is none counts as no, as in Go, with a warning.
    pub(super) fn one_socket(&self) -> OneSocket {
        let text = self.text("PLUGIN_MULTIPLEX_GRPC").unwrap_or_default();
        match text.as_str() {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => OneSocket::Yes,
            "" | "0" | "f" | "F" | "FALSE" | "false" | "False" => OneSocket::No,
            other => {
                tracing::warn!(
                    value = other,
                    "PLUGIN_MULTIPLEX_GRPC is neither true nor false and counts as false"
                );
                OneSocket::No
            }
        }
    }

    /// A variable of the plugin SDK, by its name without the prefix.  OpenBao sets both spellings and
    /// means `BAO_`, Vault knows `VAULT_` only.
    pub fn sdk(&self, name: &str) -> Option<String> {
        self.text(&format!("BAO_{name}"))
            .or_else(|| self.text(&format!("VAULT_{name}")))
    }

    /// Any variable, as far as it is text.
    pub fn text(&self, name: &str) -> Option<String> {
        self.variables
            .get(&OsString::from(name))
            .map(|value| value.to_string_lossy().into_owned())
    }
}
