//! Groups of tasks, and waiting for them.

use std::future::Future;

use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

/// The tasks of one mount, or of the whole process.
///
/// A task runs to its end even if its handle is dropped.
#[derive(Clone)]
pub(super) struct Tasks {
    own: TaskTracker,
    process: TaskTracker,
}

impl Tasks {
    /// The tasks of a process.
    pub(super) fn new() -> Self {
        let process = closed_tracker();
        Self {
            own: process.clone(),
            process,
        }
    }

    /// A group whose tasks also count in the process.
    pub(super) fn group(&self) -> Self {
        Self {
            own: closed_tracker(),
            process: self.process.clone(),
        }
    }

    /// Runs `work` in a task of this group.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.own.spawn(self.process.track_future(work))
    }

    /// Waits until no task of this group runs.
    pub(super) async fn idle(&self) {
        self.own.wait().await;
    }
}

/// A tracker is waited for only once it is closed; it takes tasks all the same.
fn closed_tracker() -> TaskTracker {
    let tracker = TaskTracker::new();
    tracker.close();
    tracker
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_group_is_idle_when_its_own_tasks_have_ended() {
        let all = Tasks::new();
        let (one, other) = (all.group(), all.group());
        let (end, ended) = oneshot::channel::<()>();
        let task = one.spawn(ended);
        assert!(one.idle().now_or_never().is_none());
        assert!(all.idle().now_or_never().is_none());
        assert!(other.idle().now_or_never().is_some());
        end.send(()).unwrap();
        task.await.unwrap().unwrap();
        all.idle().await;
        one.idle().await;
    }

    #[tokio::test]
    async fn a_panic_ends_a_task_too() {
        let tasks = Tasks::new();
        assert!(tasks.spawn(async { panic!("as expected") }).await.is_err());
        tasks.idle().await;
    }
}
