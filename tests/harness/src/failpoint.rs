//! Making the plugin die at a failpoint. Only the plugin in `tests/reliability/failpoint_plugin.rs`
//! listens.

use std::path::PathBuf;

use reqwest::Method;
use serde_json::Value;

use crate::Reply;
use crate::SOON;
use crate::Server;
use crate::TestMount;
use crate::wait_until;

/// The variable by which the plugin learns where its file is.
const VARIABLE: &str = "ASTRA_FAILPOINT_FILE";

/// The file that names the failpoints at which the plugin of one mount dies.
#[derive(Debug, Clone)]
pub struct Failpoints {
    file: PathBuf,
}

impl Failpoints {
    /// Those of the mount at `mount` on `server`.
    pub fn new(server: &Server, mount: &str) -> Self {
        Self {
            file: server
                .temporary_directory()
                .join(format!("{mount}.failpoints")),
        }
    }

    /// What to register the plugin with, `NAME=value`.
    pub fn variable(&self) -> String {
        format!("{VARIABLE}={}", self.file.display())
    }

    /// Makes the plugin die at each of `points`, one after the other.
    pub fn arm_all(&self, points: &[&str]) {
        // As one step, so that the plugin does not read half of it.
        let written = self.file.with_extension("written");
        std::fs::write(&written, points.join("\n")).expect("a file of failpoints");
        std::fs::rename(&written, &self.file).expect("a file of failpoints");
    }

    /// Whether an armed failpoint has not been hit yet.
    pub fn is_armed(&self) -> bool {
        self.file.exists()
    }

    /// Whether `point` is the next at which the plugin dies.
    fn is_next(&self, point: &str) -> bool {
        let armed = std::fs::read_to_string(&self.file).unwrap_or_default();
        armed.lines().next() == Some(point)
    }
}

impl TestMount {
    /// Makes the plugin die at `point`, once.
    pub fn arm(&self, point: &str) {
        self.arm_all(&[point]);
    }

    /// Makes the plugin die at each of `points`, one after the other.
    pub fn arm_all(&self, points: &[&str]) {
        self.failpoints.arm_all(points);
    }

    /// Whether an armed failpoint has not been hit yet.
    pub fn is_armed(&self) -> bool {
        self.failpoints.is_armed()
    }

    /// Sends a request until the plugin has died at the armed `point`, and returns the last answer.
    /// For a moment after an earlier process died the server may still send requests to that one.
    pub async fn die_at(
        &self,
        point: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Reply {
        let mut last = None;
        wait_until(&format!("{point} is hit"), SOON, async || {
            last = Some(self.api.request(method.clone(), path, body.clone()).await);
            !self.failpoints.is_next(point) || last.as_ref().is_some_and(Reply::is_ok)
        })
        .await;
        assert!(!self.failpoints.is_next(point), "{point} was not hit");
        last.unwrap()
    }
}
