//! The one line on standard output with which a plugin introduces itself
//! (docs/internals/protocol.md, "Handshake").

use std::io;
use std::io::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::Environment;
use super::StartError;
use super::environment::OneSocket;

/// The version of the handshake itself.
const CORE_VERSION: u32 = 1;

/// The only application protocol version spoken here.
pub(super) const VERSION: u32 = 5;

/// Whether this plugin can serve the host that wrote `environment`.
///
/// # Errors
///
/// There is no common version.
pub(super) fn negotiate(environment: &Environment) -> Result<(), StartError> {
    match environment.protocol_versions() {
        Some(offered) if !offered.contains(&VERSION) => Err(StartError::Versions { offered }),
        Some(_) | None => Ok(()),
    }
}

/// The line, without its end; `certificate` is DER.
pub(super) fn line(socket: &Path, certificate: &[u8], one_socket: OneSocket) -> String {
    let certificate = STANDARD_NO_PAD.encode(certificate);
    // Older hosts read six fields and would take a seventh for a part of the certificate; those that
    // ask for one socket read it.
    let one_socket = match one_socket {
        OneSocket::No => "",
        OneSocket::Yes => "|true",
    };
    format!(
        "{CORE_VERSION}|{VERSION}|unix|{}|grpc|{certificate}{one_socket}",
        socket.display()
    )
}

/// What to print instead of the line where the plugin cannot start.  The host shows a line without `|` to
/// the operator as it is, in the output of the `vault` command too; standard error it may throw away.
pub(super) fn refusal(error: &StartError) -> String {
    error
        .to_string()
        .replace(['\n', '\r'], " ")
        .replace('|', "/")
}

/// Prints a line.  Nothing may be written to standard output after it.
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
