//! Listing the organization's application tokens.

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
use super::token_entry::TokenEntry;
use super::token_list::TokenList;
use super::token_list::TokenVisitor;
use super::transport::Request;

/// The tokens of the root token's own organization.
pub(super) const OWN_PATH: &str = "/v2/clientIdSecrets";

/// The longest token list that is read.  The API does not page, nothing bounds the number of tokens,
/// and what cannot be listed cannot be cleared up: this is room for a million of them.  None of it is
/// kept but what is looked for.
const TOKEN_LIST_LIMIT: usize = 256 << 20;

/// A shared list call may take this long; each caller's wait for it ends with its own deadline.
const SHARED_LIST_TIME: Duration = Duration::from_secs(55);

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
    /// is shared with all who ask at the same time and was begun after this call, so it shows every
    /// change that was made before.
    pub async fn shared_tokens<T: Send + 'static>(
        &self,
        select: impl Fn(&TokenEntry) -> Option<T> + Send + Sync + 'static,
        deadline: Deadline,
    ) -> Result<Vec<T>, Error> {
        let selection = Arc::new(Selection::new(select));
        let question = Question::Select(Arc::clone(&selection) as _);
        self.ask(question, deadline).await?;
        Ok(selection.take())
    }

    /// Whether the token with `id` is listed, and by which list, as of [`Client::shared_tokens`].
    pub(super) async fn is_listed(
        &self,
        id: &str,
        deadline: Deadline,
    ) -> Result<(bool, ListFacts), Error> {
        let listed = self
            .ask(Question::IsListed(id.to_owned()), deadline)
            .await?;
        Ok((listed.ids.contains(id), listed.facts))
    }

    /// What the newest complete list of this client showed, if there was one.  All lists count, by
    /// whatever function.
    pub fn last_list(&self) -> Option<ListFacts> {
        *self.0.last_list.lock()
    }

    async fn ask(&self, question: Question, deadline: Deadline) -> Listed {
        let client = self.clone();
        let list = self.0.listed.submit(question, move |questions| {
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
        let questions = Questions::new(questions);
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
        let listed = self.receive(&request, &TokenList(begin), deadline).await;
        let listed = listed.map_err(|failure| failure.error)?;
        let facts = ListFacts {
            began,
            answered_at: listed.answered_at,
            descriptions: listed.descriptions,
            entries: listed.entries,
        };
        let mut last = self.0.last_list.lock();
        if last.is_none_or(|last| last.began <= began) {
            *last = Some(facts);
        }
        Ok((listed.visitor, facts))
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
