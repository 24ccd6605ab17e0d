//! What can go wrong in the emulator itself.

use std::io;
use std::net::SocketAddr;

/// A failure of the emulator or of a call to its library or control API.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The emulator speaks to this machine only.
    #[error("{0} is not a loopback address; the emulator listens on 127.0.0.0/8 or ::1 only")]
    NotLoopback(SocketAddr),
    /// The operating system refused the address.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// Why it was refused.
        source: io::Error,
    },
    /// A certificate could not be made.
    #[error("cannot prepare TLS: {0}")]
    Tls(String),
    /// A knob is unknown or its value has the wrong type.
    #[error("bad knobs: {0}")]
    Knobs(String),
    /// A fault rule makes no sense.
    #[error("bad fault rule: {0}")]
    Fault(String),
    /// A token, role, organization, database or snapshot of that id does not exist.
    #[error("no {kind} {id}")]
    Unknown {
        /// What was looked for.
        kind: &'static str,
        /// The id given.
        id: String,
    },
    /// A request to the control API, or an argument, cannot be used.
    #[error("{0}")]
    Invalid(String),
}

impl Error {
    pub(crate) fn unknown(kind: &'static str, id: &str) -> Self {
        Self::Unknown {
            kind,
            id: id.to_owned(),
        }
    }
}
