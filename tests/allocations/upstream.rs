//! Astra as a process of its own, so that what it allocates does not count.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use astra_emulator::Emulator;
use astra_emulator::Options;
use astra_emulator::PortalToken;

/// Makes this program the emulator.
pub(crate) const ARGUMENT: &str = "upstream";
/// How many tokens there are that were not minted through the API, the root token not counted.
pub(crate) const TOKENS: usize = 20_000;

/// A running emulator; ends when dropped.
pub(crate) struct Upstream {
    child: Child,
    pub(crate) url: String,
    pub(crate) root_token: String,
}

impl Upstream {
    pub(crate) fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg(ARGUMENT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let (url, root_token) = line.trim().split_once(' ').expect("a URL and a token");
        Self {
            url: url.to_owned(),
            root_token: root_token.to_owned(),
            child,
        }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves until the other end of standard input is closed.
pub(crate) fn serve() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let options = Options {
            journal_size: 0,
            show_secrets: true,
            ..Options::default()
        };
        let astra = Emulator::start(options).await.unwrap();
        for number in 0..TOKENS {
            let token = PortalToken {
                roles: vec!["API RO User".to_owned()],
                description: format!("a token of somebody else, number {number}"),
                ..PortalToken::default()
            };
            astra.create_token(token).unwrap();
        }
        println!("{} {}", astra.url(), astra.root_token());
        let end = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
        let _ = end.await;
    });
}
