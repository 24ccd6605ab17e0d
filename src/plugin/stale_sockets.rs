//! Removing what killed plugins left in the temporary directory.

use std::fs;
use std::fs::DirEntry;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use super::socket::NAME;
use super::socket::PREFIX;

/// A directory without a socket is only dead after this long: it may be in the making.
const MIN_AGE: Duration = Duration::from_secs(60);

/// Sweeps `temporary` on a thread of its own, so that the start does not wait for it.
pub(super) fn start(temporary: PathBuf) {
    // Without a thread there is no sweep; the next process will do it.
    let _ = thread::Builder::new()
        .name("sweep".to_owned())
        .spawn(move || sweep(&temporary));
}

/// Removes the directories of dead plugins: those whose socket has no listener.
fn sweep(temporary: &Path) {
    let Ok(entries) = fs::read_dir(temporary) else {
        return;
    };
    for entry in entries.flatten().filter(is_dead) {
        let directory = entry.path();
        // Another user's directory resists, which is right.
        let _ = fs::remove_file(directory.join(NAME));
        let _ = fs::remove_dir(&directory);
    }
}

fn is_dead(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    let Some(process) = name.to_str().and_then(process_of) else {
        return false;
    };
    if Path::new("/proc").join(process.to_string()).exists()
        || !entry.file_type().is_ok_and(|kind| kind.is_dir())
    {
        return false;
    }
    // The process may still live where its id is not visible, in another container that shares the
    // directory; then its socket answers.
    match UnixStream::connect(entry.path().join(NAME)) {
        Ok(_) => false,
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => is_old(entry),
        Err(_) => false,
    }
}

fn is_old(entry: &DirEntry) -> bool {
    let age = entry
        .metadata()
        .and_then(|metadata| metadata.modified())
        .map(|modified| modified.elapsed());
    matches!(age, Ok(Ok(age)) if age > MIN_AGE)
}

fn process_of(name: &str) -> Option<u32> {
    let (process, random) = name.strip_prefix(PREFIX)?.split_once('-')?;
    if random.len() == 8 {
        process.parse().ok()
    } else {
        None
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    /// No system has so many processes.
    const DEAD: u32 = u32::MAX;

    fn plugin(temporary: &Path, process: u32) -> (PathBuf, UnixListener) {
        let directory = temporary.join(format!("{PREFIX}{process}-0123abcd"));
        fs::create_dir(&directory).unwrap();
        let listener = UnixListener::bind(directory.join(NAME)).unwrap();
        (directory, listener)
    }

    #[test]
    fn only_dead_plugins_are_swept() {
        let temporary = tempfile::tempdir().unwrap();
        let (dead, listener) = plugin(temporary.path(), DEAD);
        drop(listener);
        let (hidden, _listener) = plugin(temporary.path(), DEAD - 1);
        let (own, listener) = plugin(temporary.path(), std::process::id());
        drop(listener);
        let young = temporary
            .path()
            .join(format!("{PREFIX}{}-0123abcd", DEAD - 2));
        fs::create_dir(&young).unwrap();
        let foreign = temporary.path().join(format!("{PREFIX}x"));
        fs::create_dir(&foreign).unwrap();

        sweep(temporary.path());

        assert!(!dead.exists());
        assert!(hidden.exists(), "its socket answers");
        assert!(own.exists(), "its process lives");
        assert!(young.exists(), "it may be in the making");
        assert!(foreign.exists(), "it is not ours");
    }
}
