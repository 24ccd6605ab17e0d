//! What many callers want to know of one list of tokens, put together.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;

use super::error::Error;
use super::list_facts::ListFacts;
use super::token_entry::TokenEntry;
use super::token_list::TokenVisitor;

/// What one of the callers that share a list wants to know of it.
#[derive(Clone)]
pub(super) enum Question {
    /// Whether this id is listed; many may ask such at once.
    IsListed(String),
    /// What it selects of the tokens.
    Select(Arc<dyn Select>),
}

/// Which of the ids in question are listed.
pub(super) type Listed = Result<Arc<ListedIds>, Error>;

/// Which of the ids in question a complete list has, and what else it shows.
pub(super) struct ListedIds {
    pub(super) facts: ListFacts,
    pub(super) ids: HashSet<String>,
}

/// One caller's selection, which starts over with each list.
pub(super) trait Select: Send + Sync {
    /// Starts on a list.
    fn begin(self: Arc<Self>) -> Box<dyn Selecting>;
}

/// What one caller has selected of a list so far.
pub(super) trait Selecting: TokenVisitor {
    /// The list is complete: keeps what was selected as the caller's answer.
    fn finish(self: Box<Self>);
}

/// A function that selects, and the answer once a list is complete.
pub(super) struct Selection<T, S> {
    answer: Mutex<Vec<T>>,
    select: S,
}

impl<T, S> Selection<T, S> {
    pub(super) fn new(select: S) -> Self {
        Self {
            answer: Mutex::default(),
            select,
        }
    }

    /// Takes the answer out.
    pub(super) fn take(&self) -> Vec<T> {
        std::mem::take(&mut *self.answer.lock())
    }
}

struct SoFar<T, S> {
    selected: Vec<T>,
    selection: Arc<Selection<T, S>>,
}

impl<T, S> Select for Selection<T, S>
where
    T: Send + 'static,
    S: Fn(&TokenEntry) -> Option<T> + Send + Sync + 'static,
{
    fn begin(self: Arc<Self>) -> Box<dyn Selecting> {
        Box::new(SoFar {
            selected: Vec::new(),
            selection: self,
        })
    }
}

impl<T, S> TokenVisitor for SoFar<T, S>
where
    T: Send + 'static,
    S: Fn(&TokenEntry) -> Option<T> + Send + Sync + 'static,
{
    fn visit(&mut self, token: &TokenEntry) {
        self.selected.extend((self.selection.select)(token));
    }
}

impl<T, S> Selecting for SoFar<T, S>
where
    T: Send + 'static,
    S: Fn(&TokenEntry) -> Option<T> + Send + Sync + 'static,
{
    fn finish(self: Box<Self>) {
        let Self {
            selected,
            selection,
        } = *self;
        *selection.answer.lock() = selected;
    }
}

/// The questions of all callers that one list answers.
pub(super) struct Questions {
    ids: Arc<HashSet<String>>,
    selects: Vec<Arc<dyn Select>>,
}

impl Questions {
    /// The `questions`, and whether these `ids` are listed.
    pub(super) fn new(questions: Vec<Question>, mut ids: HashSet<String>) -> Self {
        let mut selects = Vec::new();
        for question in questions {
            match question {
                Question::IsListed(id) => drop(ids.insert(id)),
                Question::Select(select) => selects.push(select),
            }
        }
        Self {
            ids: Arc::new(ids),
            selects,
        }
    }

    /// Starts on a list.
    pub(super) fn begin(&self) -> Answering {
        let selects = self.selects.iter();
        Answering {
            ids: Arc::clone(&self.ids),
            listed: HashSet::new(),
            selecting: selects.map(|select| Arc::clone(select).begin()).collect(),
        }
    }
}

/// The answers to all questions so far.
pub(super) struct Answering {
    ids: Arc<HashSet<String>>,
    listed: HashSet<String>,
    selecting: Vec<Box<dyn Selecting>>,
}

impl Answering {
    /// The list is complete: keeps each selection and returns the ids in question that are listed.
    pub(super) fn finish(self) -> HashSet<String> {
        self.selecting
            .into_iter()
            .for_each(|selecting| selecting.finish());
        self.listed
    }
}

impl TokenVisitor for Answering {
    fn visit(&mut self, token: &TokenEntry) {
        if self.ids.contains(&token.client_id) {
            self.listed.insert(token.client_id.clone());
        }
        let selecting = self.selecting.iter_mut();
        selecting.for_each(|selecting| selecting.visit(token));
    }
}
