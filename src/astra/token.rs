//! Listing the organization's application tokens.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use tokio::time::Instant;

use super::batched_list::Listed;
use super::batched_list::ListedIds;
use super::batched_list::Question;
use super::batched_list::Questions;
use super::batched_list::Selection;
use super::client::Client;
use super::deadline::Deadline;
use super::error::Call;
use super::error::Error;
use super::list_facts::ListFacts;
use super::shared_lists::Lists;
use super::shared_lists::SharedAnswer;
use super::shared_lists::SharedQuestion;
use super::token_entry::TokenEntry;
use super::token_list::TokenList;
use super::token_list::TokenVisitor;
use super::transport::Request;

/// The tokens of the root token's own organization.
pub(super) const OWN_PATH: &str = "/v2/clientIdSecrets";

/// The longest token list that is read.  The API does not page, nothing bounds the number of tokens,
/// and what cannot be listed cannot be cleared up: this is room for two million of them with the longest
/// descriptions.  None of it is kept but what is looked for.
const TOKEN_LIST_LIMIT: usize = 1 << 30;

/// A shared list call may take this long; each caller's wait for it ends with its own deadline.
const SHARED_LIST_TIME: Duration = Duration::from_secs(55);

/// So long a client lists for itself alone after it could list and another client of its organization
/// could not, or not all: that one's root token may be dead, or may not list.
const ALONE: Duration = Duration::from_secs(10 * 60);

impl Client {
    /// What `select` returns for each token of the organization, by any maker, the root token
    /// included; in the order of the list.  The API neither pages nor filters, so in a large
    /// organization this is a slow call, but only what `select` returns is kept.
    pub async fn tokens<T: Send + 'static>(
        &self,
        select: impl Fn(&TokenEntry) -> Option<T> + Send + Sync + 'static,
        deadline: Deadline,
    ) -> Result<Vec<T>, Error> {
        let select = Arc::new(select);
        let begin = || Kept {
            select: Arc::clone(&select),
            tokens: Vec::new(),
        };
        Ok(self.list(begin, deadline).await?.0.tokens)
    }

    /// The token with `id` as Astra lists it, without its secret.
    pub async fn token(&self, id: &str, deadline: Deadline) -> Result<Option<TokenEntry>, Error> {
        let id = id.to_owned();
        let select = move |token: &TokenEntry| (token.client_id == id).then(|| token.clone());
        Ok(self.tokens(select, deadline).await?.pop())
    }

    /// What `select` returns for each token of the organization, in the order of the list.  The list
    /// is shared with all who ask at the same time, through other clients of the organization as well
    /// ([`Client::share_lists`]), and was begun after this call, so it shows every change that was made
    /// before.  Where another client fails to list, or its list does not show this one's root token, this
    /// one lists itself.
    pub async fn shared_tokens<T: Send + 'static>(
        &self,
        select: impl Fn(&TokenEntry) -> Option<T> + Send + Sync + 'static,
        deadline: Deadline,
    ) -> Result<Vec<T>, Error> {
        let selection = Arc::new(Selection::new(select));
        let question = Question::Select(Arc::clone(&selection) as _);
        // On the heap, as most callers ask in rare cases only.
        Box::pin(self.ask(question, deadline)).await?;
        Ok(selection.take())
    }

    /// Whether the token with `id` is listed, and by which list, as of [`Client::shared_tokens`].
    pub(super) async fn is_listed(
        &self,
        id: &str,
        deadline: Deadline,
    ) -> Result<(bool, ListFacts), Error> {
        let question = Question::IsListed(id.to_owned());
        let listed = Box::pin(self.ask(question, deadline)).await?;
        Ok((listed.ids.contains(id), listed.facts))
    }

    /// What the newest complete list of this client showed, if there was one.  All lists count, by
    /// whatever function.
    pub fn last_list(&self) -> Option<ListFacts> {
        *self.0.last_list.lock()
    }

    async fn ask(&self, question: Question, deadline: Deadline) -> Listed {
        let Some((root, lists)) = self.shared_lists() else {
            return self.ask_alone(question, deadline).await;
        };
        let asked = SharedQuestion {
            root: root.to_owned(),
            question: question.clone(),
        };
        let SharedAnswer { lister, listed } = self.ask_shared(&lists, asked, deadline).await?;
        let is_own = Arc::ptr_eq(&lister, &self.0.identity);
        let is_refused = match listed {
            Ok(listed) if is_own || listed.ids.contains(root) => {
                self.remember(listed.facts);
                return Ok(listed);
            }
            Err(error) if is_own => return Err(error),
            // The fault may be the other's alone, and so may be what its list lacks.
            other => other.is_err(),
        };
        let listed = self.ask_alone(question, deadline).await?;
        // A root token that was just made may be listed by none yet.
        if is_refused || listed.ids.contains(root) {
            *self.0.alone_until.lock() = Some(Instant::now() + ALONE);
        }
        Ok(listed)
    }

    async fn ask_alone(&self, question: Question, deadline: Deadline) -> Listed {
        let client = self.clone();
        let list = self.0.own_lists.submit(question, move |questions| {
            let client = client.clone();
            let own = client.root_client_id().map(str::to_owned);
            async move { client.answer(questions, own.into_iter().collect()).await }
        });
        in_time(list, deadline).await?
    }

    /// The client id of the root token, by which this client knows a list that counts for it, and the calls
    /// that are shared with other clients; `None` where the organization is not known yet, or none can be
    /// shared for now.
    fn shared_lists(&self) -> Option<(&str, Arc<Lists>)> {
        let (others, org_id) = (self.0.others.get()?, self.0.own_org.get()?);
        let is_alone = |until: Instant| Instant::now() < until;
        if self.0.alone_until.lock().is_some_and(is_alone) {
            return None;
        }
        let lists = others.of(self.base_url(), org_id, &self.0.shared_lists);
        Some((self.root_client_id()?, lists))
    }

    async fn ask_shared(
        &self,
        lists: &Lists,
        question: SharedQuestion,
        deadline: Deadline,
    ) -> Result<SharedAnswer, Error> {
        let client = self.clone();
        let list = lists.submit(question, move |asked| {
            let client = client.clone();
            let (roots, questions): (HashSet<String>, Vec<Question>) = asked
                .into_iter()
                .map(|asked| (asked.root, asked.question))
                .unzip();
            async move {
                SharedAnswer {
                    lister: Arc::clone(&client.0.identity),
                    listed: client.answer(questions, roots).await,
                }
            }
        });
        in_time(list, deadline).await
    }

    /// Answers the `questions`, and which of `ids` are listed.
    async fn answer(&self, questions: Vec<Question>, ids: HashSet<String>) -> Listed {
        let questions = Questions::new(questions, ids);
        let deadline = Deadline::after(SHARED_LIST_TIME);
        let (answers, facts) = self.list(|| questions.begin(), deadline).await?;
        let ids = answers.finish();
        Ok(Arc::new(ListedIds { facts, ids }))
    }

    /// Shows a list to the visitor that `begin` makes; to another one when the list broke off and is
    /// asked for again.
    pub(super) async fn list<V: TokenVisitor>(
        &self,
        begin: impl Fn() -> V + Sync,
        deadline: Deadline,
    ) -> Result<(V, ListFacts), Error> {
        self.check_org(deadline).await?;
        let began = Instant::now();
        let request = Request::new(Method::GET, OWN_PATH, TOKEN_LIST_LIMIT);
        let list = TokenList {
            begin,
            described: self.0.described.lock().clone(),
        };
        let listed = self.receive(&request, &list, deadline).await;
        let listed = listed.map_err(|failure| failure.error)?;
        let facts = ListFacts {
            began,
            answered_at: listed.answered_at,
            descriptions: listed.descriptions,
            entries: listed.entries,
        };
        self.remember(facts);
        Ok((listed.visitor, facts))
    }

    /// A complete list showed this.
    fn remember(&self, mut facts: ListFacts) {
        let mut last = self.0.last_list.lock();
        if last.is_some_and(|last| last.began > facts.began) {
            return;
        }
        if let Some(last) = *last {
            facts.descriptions = last.descriptions.after(facts.descriptions);
        }
        *last = Some(facts);
    }
}

/// What a shared list gives before the deadline.
async fn in_time<T>(list: impl Future<Output = Option<T>>, deadline: Deadline) -> Result<T, Error> {
    match tokio::time::timeout_at(deadline.instant(), list).await {
        Ok(Some(answer)) => Ok(answer),
        Ok(None) | Err(_) => Err(Error::TimedOut {
            call: Call::new("GET", OWN_PATH, 1),
            stage: "the list of tokens did not come in the time allowed".to_owned(),
        }),
    }
}

/// What is kept of a list.
struct Kept<T, S> {
    select: Arc<S>,
    tokens: Vec<T>,
}

impl<T, S> TokenVisitor for Kept<T, S>
where
    T: Send + 'static,
    S: Fn(&TokenEntry) -> Option<T> + Send + Sync + 'static,
{
    fn visit(&mut self, token: &TokenEntry) {
        self.tokens.extend((self.select)(token));
    }
}
