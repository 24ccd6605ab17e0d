//! One list of tokens for many who look for different things at the same time.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use super::client::Client;
use super::deadline::Deadline;
use super::error::Call;
use super::error::Error;
use super::token::OWN_PATH;
use super::token::TokenEntry;
use super::token_list::Sight;

/// A shared list call may take this long; who waits for it is bound by a deadline of their own.
const SHARED_LIST_TIME: Duration = Duration::from_secs(55);

/// What one of those who share a list wants to know of it.
pub(super) enum Question {
    /// Whether this id is listed; many may ask such at once.
    IsListed(String),
    /// What it makes of each token.
    Look(Arc<dyn Look>),
}

/// Which of the ids in question are listed.
pub(super) type Listed = Result<Arc<HashSet<String>>, Error>;

impl Client {
    /// What `look` makes of each token of the organization, in the order of the list.  The list is
    /// shared with whoever asks at the same time and was begun after this call, so it shows every
    /// change that was made before.
    pub async fn shared_tokens<T: Send + 'static>(
        &self,
        look: impl Fn(&TokenEntry) -> Option<T> + Send + Sync + 'static,
        deadline: Deadline,
    ) -> Result<Vec<T>, Error> {
        let asked = Arc::new(Asked {
            look,
            answer: Mutex::default(),
        });
        let question: Arc<dyn Look> = Arc::clone(&asked) as _;
        self.ask(Question::Look(question), deadline).await?;
        let mut answer = asked.answer.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(std::mem::take(&mut *answer))
    }

    /// Whether the token with `id` is listed, from a list as of [`Client::shared_tokens`].
    pub(super) async fn is_listed(&self, id: &str, deadline: Deadline) -> Result<bool, Error> {
        let listed = self
            .ask(Question::IsListed(id.to_owned()), deadline)
            .await?;
        Ok(listed.contains(id))
    }

    async fn ask(&self, question: Question, deadline: Deadline) -> Listed {
        let client = self.clone();
        let list = self.0.listed.join(question, move |questions| {
            let client = client.clone();
            async move { client.answer(questions).await }
        });
        match tokio::time::timeout_at(deadline.instant(), list).await {
            Ok(Some(listed)) => listed,
            Ok(None) | Err(_) => Err(Error::TimedOut {
                call: Call::new("GET", OWN_PATH, 1),
                stage: "the list of tokens did not come in the time allowed".to_owned(),
            }),
        }
    }

    async fn answer(&self, questions: Vec<Question>) -> Listed {
        let (mut ids, mut looks) = (HashSet::new(), Vec::new());
        for question in questions {
            match question {
                Question::IsListed(id) => drop(ids.insert(id)),
                Question::Look(look) => looks.push(look),
            }
        }
        let ids = Arc::new(ids);
        let begin = || All {
            ids: Arc::clone(&ids),
            listed: HashSet::new(),
            seen: looks.iter().map(|look| Arc::clone(look).begin()).collect(),
        };
        let all = self.list(begin, Deadline::after(SHARED_LIST_TIME)).await?;
        all.seen.into_iter().for_each(|seen| seen.answer());
        Ok(Arc::new(all.listed))
    }
}

/// One who looks.
pub(super) trait Look: Send + Sync {
    /// Looks at a list from its beginning.
    fn begin(self: Arc<Self>) -> Box<dyn Seen>;
}

/// What one has seen of a list so far.
pub(super) trait Seen: Sight {
    /// The list is complete: this is the answer.
    fn answer(self: Box<Self>);
}

struct Asked<T, L> {
    look: L,
    answer: Mutex<Vec<T>>,
}

struct SoFar<T, L> {
    asked: Arc<Asked<T, L>>,
    seen: Vec<T>,
}

impl<T, L> Look for Asked<T, L>
where
    T: Send + 'static,
    L: Fn(&TokenEntry) -> Option<T> + Send + Sync + 'static,
{
    fn begin(self: Arc<Self>) -> Box<dyn Seen> {
        let seen = Vec::new();
        Box::new(SoFar { asked: self, seen })
    }
}

impl<T, L> Sight for SoFar<T, L>
where
    T: Send + 'static,
    L: Fn(&TokenEntry) -> Option<T> + Send + Sync + 'static,
{
    fn see(&mut self, token: &TokenEntry) {
        self.seen.extend((self.asked.look)(token));
    }
}

impl<T, L> Seen for SoFar<T, L>
where
    T: Send + 'static,
    L: Fn(&TokenEntry) -> Option<T> + Send + Sync + 'static,
{
    fn answer(self: Box<Self>) {
        let Self { asked, seen } = *self;
        *asked.answer.lock().unwrap_or_else(PoisonError::into_inner) = seen;
    }
}

/// All that is asked of one list.
struct All {
    ids: Arc<HashSet<String>>,
    listed: HashSet<String>,
    seen: Vec<Box<dyn Seen>>,
}

impl Sight for All {
    fn see(&mut self, token: &TokenEntry) {
        if self.ids.contains(&token.client_id) {
            self.listed.insert(token.client_id.clone());
        }
        self.seen.iter_mut().for_each(|seen| seen.see(token));
    }
}
