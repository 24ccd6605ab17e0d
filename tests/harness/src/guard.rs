//! Ends a server process when its owner is gone, however that happened.

use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

/// A tiny shell process that waits for the end of its standard input and then ends `pid` and
/// removes `directory`. Its input is a pipe held by this process alone, so it also acts when
/// this process is killed, which no destructor can.
pub(crate) struct Guard {
    shell: Child,
}

const SCRIPT: &str = r#"
trap '' INT TERM HUP
read -r _
kill -TERM "$1" 2>/dev/null
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    kill -0 "$1" 2>/dev/null || break
    sleep 0.2
done
kill -KILL "$1" 2>/dev/null
[ -z "$2" ] || rm -rf "$2"
"#;

impl Guard {
    /// Watches over `pid`; `directory` is removed too when the guard has to act.
    pub(crate) fn over(pid: u32, directory: &Path) -> Self {
        let shell = Command::new("sh")
            .args(["-c", SCRIPT, "guard", &pid.to_string()])
            .arg(directory)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell to watch over a server");
        Self { shell }
    }
}

impl Drop for Guard {
    /// Dismisses the guard: the owner has ended the process itself.
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}
