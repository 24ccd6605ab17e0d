//! Why the process could not start.

use std::io;
use std::path::PathBuf;

/// What keeps a plugin from serving.  The operator reads it in the host's log and in the output of the
/// command that made the host start the plugin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The host's own certificate is no certificate: the host's fault.
    #[error(
        "PLUGIN_CLIENT_CERT does not hold one PEM certificate ({0}): the host must start plugins \
         with automatic mTLS"
    )]
    BadClientCertificate(String),
    /// The group cannot be found or set: the host's fault, or its container runtime's.
    #[error(
        "the socket cannot be given to the group `{group}` of PLUGIN_UNIX_SOCKET_GROUP: {cause}"
    )]
    Group {
        /// As the variable has it.
        group: String,
        /// What the system says.
        cause: io::Error,
    },
    /// The host offers no certificate and so no authentication.
    #[error(
        "PLUGIN_CLIENT_CERT is not set: this plugin only serves hosts that authenticate with \
         automatic mTLS (Vault 1.12 or later, OpenBao)"
    )]
    NoClientCertificate,
    /// The handshake cannot be printed.
    #[error("the handshake line cannot be written to standard output: {0}")]
    Handshake(io::Error),
    /// Signals cannot be handled.
    #[error("signal handlers cannot be installed: {0}")]
    Signals(io::Error),
    /// The socket cannot be made.
    #[error("the socket cannot be made in {}: {cause}", directory.display())]
    Socket {
        /// Where.
        directory: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// The directory that the host shares with a container cannot be written: the image's user is neither
    /// root nor in the host's group.
    #[error(
        "the socket cannot be made in {}: {cause}; let the image run as root or with USER 65532 \
         and no group, or run Vault with a group of its own",
        directory.display()
    )]
    SocketDirectory {
        /// Where.
        directory: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// A socket's path has a limit of about 107 bytes.
    #[error(
        "the socket's path {} is too long ({} bytes) for a unix socket: give the plugin a shorter \
         TMPDIR, for instance TMPDIR=/tmp in the server's environment",
        path.display(),
        path.as_os_str().len()
    )]
    SocketPath {
        /// The whole path.
        path: PathBuf,
    },
    /// Our own certificate or TLS set-up failed; a bug, or a broken cryptography library.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// The runtime cannot be made.
    #[error("the asynchronous runtime cannot be started: {0}")]
    Runtime(io::Error),
    /// The host is too old.
    #[error(
        "the host offers the plugin protocol versions {offered:?}, this plugin speaks protocol \
         version 5 only: it needs Vault 1.12 or later, or OpenBao; a newer Vault asks for older \
         versions only after version 5 has failed: look for the first error in its log"
    )]
    Versions {
        /// What the host offers.
        offered: Vec<u32>,
    },
}
