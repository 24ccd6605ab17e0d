//! The one line on standard output with which a plugin introduces itself
//! (docs/protocol.md, "Handshake").

use std::io;
use std::io::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::Environment;
use super::StartError;

/// The version of the handshake itself.
const CORE_VERSION: u32 = 1;

/// The only application protocol version spoken here.
pub(super) const VERSION: u32 = 5;

/// Whether this plugin can serve the host that wrote `environment`, without authentication or without
/// a common version it does not.
///
/// # Errors
///
/// The first of: no common version, container mode.
pub(super) fn negotiate(environment: &Environment) -> Result<(), StartError> {
    match environment.protocol_versions() {
        Some(offered) if !offered.contains(&VERSION) => Err(StartError::Versions { offered }),
        Some(_) | None if environment.wants_one_socket() => Err(StartError::OneSocket),
        Some(_) | None => Ok(()),
    }
}

/// The line, without its end; `certificate` is DER and empty where there is no TLS.
pub(super) fn line(socket: &Path, certificate: &[u8]) -> String {
    let certificate = STANDARD_NO_PAD.encode(certificate);
    // The host reads up to six fields; a seventh would only be understood in container mode.
    format!(
        "{CORE_VERSION}|{VERSION}|unix|{}|grpc|{certificate}",
        socket.display()
    )
}

/// Prints the line.  Nothing may be written to standard output after it.
///
/// # Errors
///
/// Standard output is closed.
pub(super) fn print(line: &str) -> Result<(), StartError> {
    let mut out = io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes())
        .and_then(|()| out.flush())
        .map_err(StartError::Handshake)
}
