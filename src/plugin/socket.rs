//! The unix socket on which the host finds the plugin.

use std::fs;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::SocketAddr;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::path::PathBuf;
use std::process;

use nix::unistd::Group;
use uuid::Uuid;

use super::Environment;
use super::StartError;

/// Private directories are called this, the process id and eight random digits.
pub(super) const PREFIX: &str = "vault-plugin-";

/// The socket's name in a private directory.
pub(super) const NAME: &str = "s";

/// A socket's file, and its private directory if it has one; both go away with this.
#[derive(Debug)]
pub(super) struct Socket {
    /// The socket itself.
    pub path: PathBuf,
    private: Option<PathBuf>,
}

impl Socket {
    /// Makes a socket that is ready for connections: in a private directory below `temporary`, or
    /// directly in the directory that the host names, as it does for containers.
    ///
    /// # Errors
    ///
    /// The path is too long, the directory cannot be written, or the group does not exist.
    pub(super) fn bind(
        environment: &Environment,
        temporary: &Path,
    ) -> Result<(Self, UnixListener), StartError> {
        let (socket, listener) = match environment.socket_directory() {
            Some(directory) => Self::bind_in(&directory)?,
            None => Self::bind_below(temporary)?,
        };
        if let Some(group) = environment.socket_group() {
            give_to_group(&socket.path, &group)
                .map_err(|cause| StartError::Group { group, cause })?;
        }
        Ok((socket, listener))
    }

    fn bind_in(directory: &Path) -> Result<(Self, UnixListener), StartError> {
        let path = directory.join(format!("plugin-{}-{}", process::id(), random()));
        check_length(&path)?;
        let listener = UnixListener::bind(&path).map_err(|cause| match cause.kind() {
            io::ErrorKind::PermissionDenied => StartError::SocketDirectory {
                directory: directory.to_owned(),
                cause,
            },
            _ => socket_error(directory, cause),
        })?;
        Ok((
            Self {
                path,
                private: None,
            },
            listener,
        ))
    }

    fn bind_below(temporary: &Path) -> Result<(Self, UnixListener), StartError> {
        let directory = temporary.join(format!("{PREFIX}{}-{}", process::id(), random()));
        let path = directory.join(NAME);
        check_length(&path)?;
        DirBuilder::new()
            .mode(0o700)
            .create(&directory)
            .map_err(|cause| socket_error(temporary, cause))?;
        let socket = Self {
            path,
            private: Some(directory.clone()),
        };
        // The name appears once the socket answers: a sweep of stale sockets cannot take it for one
        // in the moment between its making and its listening.
        let hidden = directory.join("n");
        let listener = UnixListener::bind(&hidden)
            .and_then(|listener| fs::rename(&hidden, &socket.path).map(|()| listener))
            .map_err(|cause| socket_error(&directory, cause))?;
        Ok((socket, listener))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Nothing to be done about a failure: the process is ending.
        let _ = fs::remove_file(&self.path);
        if let Some(directory) = &self.private {
            let _ = fs::remove_dir(directory);
        }
    }
}

fn random() -> String {
    let mut digits = Uuid::new_v4().simple().to_string();
    digits.truncate(8);
    digits
}

fn check_length(path: &Path) -> Result<(), StartError> {
    // The library knows the system's limit.
    SocketAddr::from_pathname(path)
        .map(|_| ())
        .map_err(|_| StartError::SocketPath {
            path: path.to_owned(),
        })
}

fn socket_error(directory: &Path, cause: io::Error) -> StartError {
    StartError::Socket {
        directory: directory.to_owned(),
        cause,
    }
}

fn give_to_group(path: &Path, group: &str) -> io::Result<()> {
    let id = match group.parse() {
        Ok(id) => id,
        Err(_) => Group::from_name(group)
            .map_err(io::Error::from)?
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such group"))?
            .gid
            .as_raw(),
    };
    std::os::unix::fs::chown(path, None, Some(id))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o660))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::new(variables.iter().copied())
    }

    #[test]
    fn a_private_directory_holds_the_socket_and_goes_away_with_it() {
        let temporary = tempfile::tempdir().unwrap();
        let (socket, _listener) = Socket::bind(&environment(&[]), temporary.path()).unwrap();
        UnixStream::connect(&socket.path).unwrap();
        let directory = socket.path.parent().unwrap().to_owned();
        assert_eq!(
            fs::metadata(&directory).unwrap().permissions().mode() & 0o777,
            0o700
        );
        assert!(
            directory
                .file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .contains(&process::id().to_string())
        );
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
        drop(socket);
        assert!(!directory.exists());
    }

    #[test]
    fn the_hosts_directory_holds_the_socket_itself_with_its_group() {
        let directory = tempfile::tempdir().unwrap();
        let group = fs::metadata(directory.path()).unwrap().gid().to_string();
        let variables = [
            ("PLUGIN_UNIX_SOCKET_DIR", directory.path().to_str().unwrap()),
            ("PLUGIN_UNIX_SOCKET_GROUP", &group),
        ];
        let (socket, _listener) =
            Socket::bind(&environment(&variables), Path::new("/nonexistent")).unwrap();
        assert_eq!(socket.path.parent().unwrap(), directory.path());
        let metadata = fs::metadata(&socket.path).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o660);
        assert_eq!(metadata.gid().to_string(), group);
        let path = socket.path.clone();
        drop(socket);
        assert!(!path.exists());
        assert!(directory.path().exists());
    }

    #[test]
    fn an_unknown_group_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let variables = [("PLUGIN_UNIX_SOCKET_GROUP", "no-such-group-here")];
        let error = Socket::bind(&environment(&variables), directory.path()).unwrap_err();
        assert!(
            error.to_string().contains("`no-such-group-here`"),
            "{error}"
        );
        assert_eq!(
            fs::read_dir(directory.path()).unwrap().count(),
            0,
            "nothing is left behind"
        );
    }

    #[test]
    fn a_path_that_is_too_long_is_refused_whole() {
        let long = tempfile::tempdir().unwrap().path().join("x".repeat(100));
        let error = Socket::bind(&environment(&[]), &long).unwrap_err();
        let StartError::SocketPath { path } = &error else {
            panic!("{error}")
        };
        assert!(path.starts_with(&long));
        assert!(error.to_string().contains("TMPDIR"), "{error}");
    }
}
