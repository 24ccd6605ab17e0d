//! The `vault` program as a user types it.

use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

/// The `vault` program set up for one server and one token.
#[derive(Debug, Clone)]
pub struct Cli {
    /// The program.
    pub binary: PathBuf,
    /// `VAULT_ADDR`.
    pub address: String,
    /// `VAULT_TOKEN`.
    pub token: String,
    /// `HOME`, so that no token helper of the user is touched.
    pub home: PathBuf,
}

/// What a command printed and how it ended.
#[derive(Debug, Clone)]
pub struct Output {
    /// The exit code; -1 when it was killed.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    command: String,
}

impl Cli {
    /// Runs `vault` with `arguments`.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.binary);
        self.output(command.args(arguments), arguments.join(" "))
            .await
    }

    /// Runs a block of a document in `folder` as its reader would type it, up to the first command that
    /// fails: `vault` and `bao` are the program. `variables` are those that the document says its reader has.
    pub async fn script(&self, folder: &Path, block: &str, variables: &[(&str, &str)]) -> Output {
        let script = format!(
            "set -euo pipefail\nvault() {{ \"$PROGRAM\" \"$@\"; }}\nbao() {{ vault \"$@\"; \
             }}\n{block}"
        );
        let mut command = Command::new("bash");
        command
            .args(["-c", &script])
            .current_dir(folder)
            .env("PROGRAM", &self.binary)
            .envs(variables.iter().copied());
        self.output(&mut command, block.to_owned()).await
    }

    /// Runs `command` with the program's variables and those that it has already.
    async fn output(&self, command: &mut Command, shown: String) -> Output {
        let own: Vec<_> = command
            .as_std()
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .collect();
        let output = command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.home)
            .env("VAULT_ADDR", &self.address)
            .env("VAULT_TOKEN", &self.token)
            .envs(own)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .unwrap_or_else(|error| panic!("cannot run {shown}: {error}"));
        Output {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            command: shown,
        }
    }

    /// Runs `vault`, which must succeed; gives standard output.
    pub async fn ok(&self, arguments: &[&str]) -> String {
        self.run(arguments).await.ok()
    }

    /// Runs `vault` with `-format=json` put after the words of the command, which must succeed.
    pub async fn json(&self, command: &[&str], arguments: &[&str]) -> Value {
        let mut all = command.to_vec();
        all.push("-format=json");
        all.extend_from_slice(arguments);
        let text = self.ok(&all).await;
        serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("`vault {}`: {error}\n{text}", all.join(" ")))
    }
}

impl Output {
    /// Standard output of a success; panics with everything otherwise.
    pub fn ok(self) -> String {
        assert_eq!(
            self.code, 0,
            "`vault {}` failed\nstdout: {}\nstderr: {}",
            self.command, self.stdout, self.stderr
        );
        self.stdout
    }

    /// Standard error of a failure; panics on success.
    pub fn refused(self) -> String {
        assert_ne!(
            self.code, 0,
            "`vault {}` succeeded: {}",
            self.command, self.stdout
        );
        self.stderr
    }
}
