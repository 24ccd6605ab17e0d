//! What a plugin process writes to one of its pipes.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncRead;
use tokio::io::BufReader;
use tokio::task::JoinHandle;

use super::LONG;
use super::eventually;

/// The lines of one pipe, read all the time as a host reads them.
pub(crate) struct Output {
    state: Arc<Mutex<State>>,
    reader: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    lines: Vec<String>,
    ended: bool,
}

impl Output {
    pub(crate) fn new(pipe: impl AsyncRead + Send + Unpin + 'static) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        let reader = tokio::spawn(async move {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            while pipe
                .read_until(b'\n', &mut line)
                .await
                .is_ok_and(|read| read > 0)
            {
                let text = String::from_utf8_lossy(&line);
                let text = text.strip_suffix('\n').unwrap_or(&text).to_owned();
                shared.lock().lines.push(text);
                line.clear();
            }
            shared.lock().ended = true;
        });
        Self { state, reader }
    }

    /// The lines so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.state.lock().lines.clone()
    }

    /// Everything so far, as one text.
    pub(crate) fn text(&self) -> String {
        self.lines().join("\n")
    }

    /// Waits until the other end is closed.
    pub(crate) async fn end(&self) {
        eventually("the pipe's end", LONG, || self.state.lock().ended).await;
    }

    /// Waits for the first line; `None` when the pipe ends without one.
    pub(crate) async fn first_line(&self) -> Option<String> {
        eventually("the first line", LONG, || {
            let state = self.state.lock();
            state.ended || !state.lines.is_empty()
        })
        .await;
        self.lines().into_iter().next()
    }

    /// Stops reading and closes our end, so that writes to it fail.
    pub(crate) async fn close(&mut self) {
        self.reader.abort();
        let _ = (&mut self.reader).await;
    }
}
