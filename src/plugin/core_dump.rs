//! No core dumps: a core file would hold every secret that the process has in memory.

use std::io;

use nix::sys::resource::Resource;
use nix::sys::resource::getrlimit;
use nix::sys::resource::setrlimit;

/// The limit in bytes.  Too small for any file; and where Linux pipes core dumps to a program, which a
/// limit of 0 does not stop, exactly 1 does.
const LIMIT: u64 = 1;

/// Forbids core dumps for the rest of this process's life.  A limit of 0 that the process was started with
/// stays, as only the administrator may raise it.
///
/// # Errors
///
/// The system refuses to lower the limit.
pub(super) fn forbid() -> io::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_CORE)?;
    let limit = hard.min(LIMIT);
    Ok(setrlimit(Resource::RLIMIT_CORE, limit, limit)?)
}
