//! What the program prints when a person starts it.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use sha2::Digest as _;
use sha2::Sha256;

use super::PluginInfo;

/// Answers `--version` and `--help`; anything else gets an explanation on standard error.
pub(super) fn run(
    info: &PluginInfo,
    version: &str,
    arguments: impl IntoIterator<Item = OsString>,
) -> ExitCode {
    let first = arguments
        .into_iter()
        .next()
        .and_then(|argument| argument.into_string().ok());
    match first.as_deref() {
        Some("--version" | "-V") => print(
            io::stdout(),
            &format!("{} {version}\n", info.name),
            ExitCode::SUCCESS,
        ),
        Some("--help" | "-h" | "help") => {
            print(io::stdout(), &text(info, version), ExitCode::SUCCESS)
        }
        _ => print(io::stderr(), &text(info, version), ExitCode::FAILURE),
    }
}

fn print(mut out: impl io::Write, text: &str, code: ExitCode) -> ExitCode {
    // A closed output needs no text.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    code
}

fn text(info: &PluginInfo, version: &str) -> String {
    let PluginInfo {
        name,
        mount,
        about,
        manual,
        log_variable,
        log_target: _,
    } = info;
    let program = std::env::current_exe().ok();
    let file = program
        .as_deref()
        .and_then(Path::file_name)
        .map_or((*name).into(), |file| file.to_string_lossy());
    let digest = program
        .as_deref()
        .and_then(|program| digest(program).ok())
        .unwrap_or_else(|| "SHA256".to_owned());
    format!(
        "{name} {version}: a plugin for HashiCorp Vault and OpenBao that {about}.\nThe server \
         starts it; by hand it only says how to register it (here for Vault; `bao` takes the \
         same):\n\n\x20   cp {file} PLUGIN_DIRECTORY    # the plugin_directory of the server's \
         configuration\n\x20   vault plugin register -sha256={digest} -version={version} \
         -command={file} secret {mount}\n\x20   vault secrets enable {mount}\n\nOptions: --help, \
         --version.  In its environment, as the server starts it: {log_variable}=trace logs \
         everything.\nManual: {manual}\n"
    )
}

/// The SHA-256 of the file, as a host checks it.
fn digest(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => hash.update(buffer.get(..count).unwrap_or_default()),
        }
    }
    Ok(hex::encode(hash.finalize()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_everything_that_registering_takes() {
        let info = PluginInfo {
            name: "vault-plugin-x",
            mount: "x",
            about: "leases x",
            manual: "docs/x.md",
            log_variable: "X_LOG",
            log_target: "x",
        };
        let text = text(&info, "v1.2.3");
        let digest = digest(&std::env::current_exe().unwrap()).unwrap();
        for part in [
            "vault-plugin-x v1.2.3",
            "leases x",
            &digest,
            "-version=v1.2.3",
            "secret x",
            "docs/x.md",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    }

    #[test]
    fn digests_are_plain_sha_256() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, "abc").unwrap();
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest(&path).unwrap(), expected);
    }
}
