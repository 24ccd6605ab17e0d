//! One upstream call for many that ask at once.
//!
//! By hand, because what matters here is not what libraries for such calls promise: each caller needs
//! a call that began after it asked.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Shares the result of a call among callers who each need one that *started after they asked*.
///
/// That rules out joining a call which is already running: what it saw may be older than the
/// caller's own change.  So there are at most two groups, those served by the running call and
/// those who wait for the next, and however many ask, at most one call runs at a time.
///
/// The call runs in a task of its own and goes on when the one who started it goes away.
/// The questions of all who are served by one call are put to it together.
pub(super) struct BatchedCall<Q, T>(Arc<Mutex<State<Q, T>>>);

struct State<Q, T> {
    is_running: bool,
    next: Option<Group<Q, T>>,
}

struct Group<Q, T> {
    questions: Vec<Q>,
    /// Who waits, in the order in which they asked, which is the order in which they hear.
    callers: Vec<oneshot::Sender<T>>,
}

impl<Q: Send + 'static, T: Clone + Send + Sync + 'static> BatchedCall<Q, T> {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            is_running: false,
            next: None,
        })))
    }

    /// The result of a call that starts after this moment; `None` if the call panicked or the
    /// runtime is shutting down.
    ///
    /// `call` is used when this caller is the one who starts the calls; it must do the same for
    /// every caller.
    pub(super) async fn submit<C, F>(&self, question: Q, call: C) -> Option<T>
    where
        C: Fn(Vec<Q>) -> F + Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let receiver = {
            let mut state = self.0.lock();
            let group = state.next.get_or_insert_with(|| Group {
                questions: Vec::new(),
                callers: Vec::new(),
            });
            let (sender, receiver) = oneshot::channel();
            group.questions.push(question);
            group.callers.push(sender);
            if !state.is_running {
                state.is_running = true;
                let running = Running {
                    has_ended: false,
                    state: Arc::clone(&self.0),
                };
                tokio::spawn(serve(running, call));
            }
            receiver
        };
        receiver.await.ok()
    }
}

/// Serves one group after the other until no caller waits.
async fn serve<Q, T, C, F>(mut running: Running<Q, T>, call: C)
where
    C: Fn(Vec<Q>) -> F,
    F: Future<Output = T>,
    T: Clone,
{
    while let Some(group) = running.next_group() {
        let result = call(group.questions).await;
        for caller in group.callers {
            // Who has gone needs it no more.
            let _ = caller.send(result.clone());
        }
    }
}

/// Held while calls run; when it goes away early (a panic, a shutdown) it releases who waits.
struct Running<Q, T> {
    has_ended: bool,
    state: Arc<Mutex<State<Q, T>>>,
}

impl<Q, T> Running<Q, T> {
    /// The group that waits, or the end of the run, decided under one lock so that no caller can be
    /// left waiting in between.
    fn next_group(&mut self) -> Option<Group<Q, T>> {
        let mut state = self.state.lock();
        let group = state.next.take();
        state.is_running = group.is_some();
        self.has_ended = group.is_none();
        group
    }
}

impl<Q, T> Drop for Running<Q, T> {
    fn drop(&mut self) {
        // After an orderly end the state may already belong to another task.
        if !self.has_ended {
            let mut state = self.state.lock();
            state.is_running = false;
            state.next = None;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering;

    use tokio::sync::Semaphore;

    use super::BatchedCall;

    /// A call that waits for a permit and returns its number.
    #[derive(Clone)]
    struct Calls {
        begun: Arc<AtomicUsize>,
        gate: Arc<Semaphore>,
    }

    impl Calls {
        fn new() -> Self {
            Self {
                begun: Arc::default(),
                gate: Arc::new(Semaphore::new(0)),
            }
        }

        async fn run(self) -> usize {
            let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
            self.gate.acquire().await.unwrap().forget();
            number
        }
    }

    /// Lets every other task run until it waits; the runtime of a test has one thread.
    async fn run_other_tasks() {
        for _ in 0..2_000 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn who_asks_during_a_call_gets_the_next_one() {
        let calls = Calls::new();
        let shared = Arc::new(BatchedCall::new());
        let ask = || {
            let (calls, shared) = (calls.clone(), Arc::clone(&shared));
            tokio::spawn(async move { shared.submit((), move |_| calls.clone().run()).await })
        };
        let first = ask();
        run_other_tasks().await;
        let later: Vec<_> = (0..500).map(|_| ask()).collect();
        run_other_tasks().await;
        assert_eq!(calls.begun.load(Ordering::SeqCst), 1);
        calls.gate.add_permits(2);
        assert_eq!(first.await.unwrap(), Some(1));
        for asked in later {
            assert_eq!(asked.await.unwrap(), Some(2));
        }
        assert_eq!(calls.begun.load(Ordering::SeqCst), 2);
        calls.gate.add_permits(1);
        assert_eq!(ask().await.unwrap(), Some(3));
    }

    #[tokio::test]
    async fn all_who_wait_for_one_call_are_heard_by_it() {
        let shared = Arc::new(BatchedCall::new());
        let ask = |question: u8| {
            let shared = Arc::clone(&shared);
            tokio::spawn(async move { shared.submit(question, async |asked| asked).await })
        };
        let asked: Vec<_> = (0..3).map(ask).collect();
        for answer in asked {
            assert_eq!(answer.await.unwrap(), Some(vec![0, 1, 2]));
        }
    }

    #[tokio::test]
    async fn the_call_goes_on_without_the_one_who_started_it() {
        let calls = Calls::new();
        let shared = Arc::new(BatchedCall::new());
        let ask = || {
            let (calls, shared) = (calls.clone(), Arc::clone(&shared));
            tokio::spawn(async move { shared.submit((), move |_| calls.clone().run()).await })
        };
        let first = ask();
        run_other_tasks().await;
        let second = ask();
        run_other_tasks().await;
        first.abort();
        calls.gate.add_permits(2);
        assert_eq!(second.await.unwrap(), Some(2));
    }

    #[tokio::test]
    async fn a_panic_releases_everyone_and_spoils_nothing() {
        let shared = Arc::new(BatchedCall::<(), usize>::new());
        let broken = |_| async { std::panic::resume_unwind(Box::new(())) };
        assert_eq!(shared.submit((), broken).await, None);
        assert_eq!(shared.submit((), |_| async { 7 }).await, Some(7));
    }
}
