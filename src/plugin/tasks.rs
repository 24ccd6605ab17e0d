//! Groups of tasks, and waiting for them.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A group of tasks, and the groups it belongs to in turn.
///
/// A task runs to its end even if its handle is dropped.
#[derive(Clone)]
pub struct Tasks {
    running: Arc<watch::Sender<usize>>,
    parent: Option<Arc<Tasks>>,
}

impl Tasks {
    /// A group of its own.
    pub fn new() -> Self {
        Self {
            running: Arc::new(watch::Sender::new(0)),
            parent: None,
        }
    }

    /// A group whose tasks also count in this one.
    pub fn group(&self) -> Self {
        Self {
            parent: Some(Arc::new(self.clone())),
            ..Self::new()
        }
    }

    /// Runs `work` in a task of this group.
    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        let running = Running::new(self.clone());
        tokio::spawn(async move {
            let _running = running;
            work.await
        })
    }

    /// Waits until no task of this group runs.
    pub async fn idle(&self) {
        // The sender lives in `self`, so the wait ends only because of the condition.
        let _ = self
            .running
            .subscribe()
            .wait_for(|running| *running == 0)
            .await;
    }

    fn lineage(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |tasks| tasks.parent.as_deref())
    }
}

/// Counts a task as running for as long as it exists, however it ends.
struct Running(Tasks);

impl Running {
    fn new(tasks: Tasks) -> Self {
        tasks
            .lineage()
            .for_each(|tasks| tasks.running.send_modify(|running| *running += 1));
        Self(tasks)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0
            .lineage()
            .for_each(|tasks| tasks.running.send_modify(|running| *running -= 1));
    }
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
