//! Token lists that all configs of one organization share.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Weak;

use parking_lot::Mutex;

use super::batched_call::BatchedCall;
use super::batched_list::Listed;
use super::batched_list::Question;

/// The calls that list the tokens of organizations, found by all clients that list the same.
///
/// A mount can have many configs of one organization, with a root token each.  As far as is known a list
/// is of the whole organization, for any root token.  Were it shorter for some, what it does not show would
/// prove nothing to others: so a list counts only for those whose root token it shows.
#[derive(Clone, Default)]
pub struct SharedLists(Arc<Mutex<HashMap<Organization, Weak<Lists>>>>);

/// The calls that list one organization's tokens.
pub(super) type Lists = BatchedCall<SharedQuestion, SharedAnswer>;

/// An organization, as some address knows it.
#[derive(Clone, Eq, Hash, PartialEq)]
struct Organization {
    base_url: String,
    /// In lower case.
    id: String,
}

/// What one client wants to know of a shared list.
pub(super) struct SharedQuestion {
    /// The client id of its root token, which is looked for as well.
    pub(super) root: String,
    pub(super) question: Question,
}

/// What a shared list showed, or why it failed.
#[derive(Clone)]
pub(super) struct SharedAnswer {
    /// Whose root token asked; compared by its address.
    pub(super) lister: Arc<()>,
    pub(super) listed: Listed,
}

impl SharedLists {
    /// The calls for the organization with id `org_id` at `base_url`; `own` from now on where no other
    /// client that is still in use has any.
    pub(super) fn of(&self, base_url: &str, org_id: &str, own: &Arc<Lists>) -> Arc<Lists> {
        let organization = Organization {
            base_url: base_url.to_owned(),
            id: org_id.to_ascii_lowercase(),
        };
        let mut known = self.0.lock();
        if let Some(lists) = known.get(&organization).and_then(Weak::upgrade) {
            return lists;
        }
        known.retain(|_, lists| lists.strong_count() > 0);
        known.insert(organization, Arc::downgrade(own));
        Arc::clone(own)
    }
}
