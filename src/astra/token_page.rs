//! A part of the token list, in the order of client ids.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use super::client::Client;
use super::deadline::Deadline;
use super::error::Error;
use super::token_entry::TokenEntry;
use super::token_list::TokenVisitor;

/// Entries of the token list, sorted by client id.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenPage<T> {
    /// What was selected, at most as many as were asked for.
    pub tokens: Vec<T>,
    /// The client id to begin the next page after; `None` on the last page.
    pub next: Option<String>,
}

impl Client {
    /// The first `limit` tokens with client ids greater than `after` for which `select` returns
    /// something.
    ///
    /// The API neither pages nor promises an order, so the whole list is read all the same: a place in
    /// it could not be found again once that token is deleted.  But no more than `limit` entries are
    /// kept at a time.
    pub async fn token_page<T: Send + 'static>(
        &self,
        select: impl Fn(&TokenEntry) -> Option<T> + Clone + Send + Sync + 'static,
        after: Option<&str>,
        limit: NonZeroUsize,
        deadline: Deadline,
    ) -> Result<TokenPage<T>, Error> {
        let begin = || Smallest {
            after: after.map(str::to_owned),
            has_more: false,
            limit,
            select: select.clone(),
            tokens: BTreeMap::new(),
        };
        let (found, _) = self.list(begin, deadline).await?;
        let last = found.tokens.keys().next_back();
        Ok(TokenPage {
            next: last.filter(|_| found.has_more).cloned(),
            tokens: found.tokens.into_values().collect(),
        })
    }
}

/// The smallest client ids so far.
struct Smallest<T, S> {
    after: Option<String>,
    has_more: bool,
    limit: NonZeroUsize,
    select: S,
    tokens: BTreeMap<String, T>,
}

impl<T, S> TokenVisitor for Smallest<T, S>
where
    T: Send + 'static,
    S: Fn(&TokenEntry) -> Option<T> + Send + Sync + 'static,
{
    fn visit(&mut self, token: &TokenEntry) {
        let id = &token.client_id;
        if self.after.as_ref().is_some_and(|after| id <= after) {
            return;
        }
        let is_full = self.tokens.len() >= self.limit.get();
        let is_beyond = self.tokens.keys().next_back().is_some_and(|last| id > last);
        if is_full && is_beyond && self.has_more {
            return;
        }
        let Some(selected) = (self.select)(token) else {
            return;
        };
        self.tokens.insert(id.clone(), selected);
        if self.tokens.len() > self.limit.get() {
            self.tokens.pop_last();
            self.has_more = true;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeMap;
    use std::num::NonZeroUsize;

    use proptest::collection::vec;
    use proptest::proptest;

    use super::Smallest;
    use crate::astra::token_entry::TokenEntry;
    use crate::astra::token_list::TokenVisitor;

    fn entry(id: &str) -> TokenEntry {
        TokenEntry {
            client_id: id.to_owned(),
            description: None,
            generated_on: None,
            roles: Vec::new(),
            token_expiry: None,
        }
    }

    proptest! {
        /// Page after page shows each wanted token once, in order, whatever the order of the list,
        /// and never keeps more than a page.
        #[test]
        fn the_pages_together_are_the_sorted_list(ids in vec("[a-d]{1,3}", 0..40), limit in 1_usize..7) {
            let wanted = |token: &TokenEntry| (!token.client_id.contains('d')).then(|| token.client_id.clone());
            let limit = NonZeroUsize::new(limit).unwrap();
            let (mut after, mut seen) = (None, Vec::new());
            loop {
                let mut page = Smallest { after, has_more: false, limit, select: wanted, tokens: BTreeMap::new() };
                for id in &ids {
                    page.visit(&entry(id));
                    assert!(page.tokens.len() <= limit.get());
                }
                let last = page.tokens.keys().next_back().cloned();
                seen.extend(page.tokens.into_values());
                if !page.has_more {
                    break;
                }
                assert!(last.is_some());
                after = last;
            }
            let mut expected: Vec<String> = ids.into_iter().filter(|id| !id.contains('d')).collect();
            expected.sort_unstable();
            expected.dedup();
            assert_eq!(seen, expected);
        }
    }
}
