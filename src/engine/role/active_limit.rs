//! `max_active`: how many tokens of a role may be live at once.
//!
//! Only this node mints, so the number of live tokens can rise only by what is admitted here.  A
//! list gives an upper bound, every admission adds one to it, and as long as the bound is below
//! the limit nothing needs to be asked.  When it is reached, a new list shows what has ended.  A list
//! may not show yet what this process minted a moment ago, so that is counted as well.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Mutex as AsyncMutex;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio::time::timeout;

use crate::astra::Deadline;
use crate::astra::TokenEntry;
use crate::engine::astra_error;
use crate::engine::connection::Connection;
use crate::engine::error::Error;
use crate::engine::intent::Owner;
use crate::engine::recent_deletions::RecentDeletions;
use crate::engine::role::error::RoleError;
use crate::engine::tagged_token::MountTokenFilter;

/// How long a bound is believed.  Nothing is known to break it, but a list is cheap enough to ask for
/// one every minute.
const BELIEVED: Duration = Duration::from_secs(60);

/// The limiters of all roles that have a limit.
pub(crate) struct ActiveLimits {
    limiters: Mutex<HashMap<(String, String), Arc<Limiter>>>,
    /// How long a list may not show a new token.
    visible_after: Duration,
    deletions: Arc<RecentDeletions>,
}

/// One role's way to a mint.
struct Limiter {
    /// Locked while deciding, so that callers are admitted one after the other.
    bound: AsyncMutex<Option<Bound>>,
    /// Mints that were admitted and are not over.
    under_way: watch::Sender<usize>,
    /// Tokens that lists may not show yet, oldest first.
    young: Mutex<VecDeque<YoungToken>>,
    /// How long a list may not show a new token.
    visible_after: Duration,
}

/// A token that was minted a moment ago.
#[derive(Clone)]
struct YoungToken {
    /// Its intent, `block.index`.
    intent: String,
    client_id: String,
    minted: Instant,
}

/// No more tokens than this are live, mints under way included.
struct Bound {
    upper_bound: usize,
    since: Instant,
}

/// Permission to mint one token; dropped when the mint is over, however it ended.
pub(crate) struct Permit(Arc<Limiter>);

impl ActiveLimits {
    /// No limiters; lists may not show a new token for `visible_after`, and those of `deletions` are gone
    /// before that.
    pub(crate) fn new(visible_after: Duration, deletions: Arc<RecentDeletions>) -> Self {
        Self {
            limiters: Mutex::default(),
            visible_after,
            deletions,
        }
    }

    /// Waits for permission to mint one more token of `role`, of which `limit` may be live.
    ///
    /// The refusal names count, limit and remedies; `mount` is the mount's path for them.
    pub(crate) async fn acquire(
        &self,
        connection: &Connection,
        role: &str,
        limit: u32,
        mount: &str,
        deadline: Deadline,
    ) -> Result<Permit, Error> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let limiter = self.limiter(&connection.name, role);
        let busy = || RoleError::MintsUnderWay {
            role: role.to_owned(),
            limit,
        };
        let mut bound = timeout(deadline.remaining(), limiter.bound.lock())
            .await
            .map_err(|_| busy())?;
        loop {
            if let Some(bound) = bound
                .as_mut()
                .filter(|bound| bound.upper_bound < limit && bound.since.elapsed() < BELIEVED)
            {
                bound.upper_bound += 1;
                return Ok(Permit::of(&limiter));
            }
            // Counted before the list: a mint that ends meanwhile may or may not be in it.
            let under_way = *limiter.under_way.borrow();
            let since = Instant::now();
            // So are young tokens: what counts is their age when Astra is asked.
            let young = self.young(&limiter);
            let mut live = live(connection, role, deadline).await?;
            let is_left = |token: &YoungToken| !self.deletions.contains(&token.client_id);
            live.extend(young.into_iter().filter(is_left).map(|token| token.intent));
            let live = live.len();
            if connection.lists_no_descriptions() {
                // It counts nothing: the answer will say so, and the next mint asks for a new list.
                *bound = None;
                return Ok(Permit::of(&limiter));
            }
            *bound = Some(Bound {
                upper_bound: live.saturating_add(under_way),
                since,
            });
            if live >= limit {
                return Err(RoleError::TooManyLive {
                    role: role.to_owned(),
                    live,
                    limit,
                    mount: mount.to_owned(),
                    config: connection.name.clone(),
                }
                .into());
            }
            if live.saturating_add(under_way) >= limit {
                // Some of those under way may be in the list already: when one has ended, a new
                // list tells.
                let mut changes = limiter.under_way.subscribe();
                timeout(
                    deadline.remaining(),
                    changes.wait_for(|count| *count < under_way),
                )
                .await
                .map_err(|_| busy())?
                .map_err(|_| busy())?;
            }
        }
    }

    /// The tokens that lists may not show yet.
    fn young(&self, limiter: &Limiter) -> Vec<YoungToken> {
        let mut young = limiter.young.lock();
        young.retain(|token| {
            token.minted.elapsed() < self.visible_after
                && !self.deletions.contains(&token.client_id)
        });
        young.iter().cloned().collect()
    }

    fn limiter(&self, config: &str, role: &str) -> Arc<Limiter> {
        let mut limiters = self.limiters.lock();
        let limiter = limiters
            .entry((config.to_owned(), role.to_owned()))
            .or_insert_with(|| {
                Arc::new(Limiter {
                    bound: AsyncMutex::new(None),
                    under_way: watch::Sender::new(0),
                    young: Mutex::default(),
                    visible_after: self.visible_after,
                })
            });
        Arc::clone(limiter)
    }
}

impl Permit {
    fn of(limiter: &Arc<Limiter>) -> Self {
        limiter.under_way.send_modify(|count| *count += 1);
        Self(Arc::clone(limiter))
    }

    /// The token with `client_id` was minted under `intent`, `block.index`.
    pub(crate) fn minted(&self, intent: &str, client_id: &str) {
        let Limiter {
            young,
            visible_after,
            ..
        } = &*self.0;
        let mut young = young.lock();
        // Only a list looks at them, and there may be none for long.
        while young
            .front()
            .is_some_and(|token| token.minted.elapsed() >= *visible_after)
        {
            young.pop_front();
        }
        young.push_back(YoungToken {
            intent: intent.to_owned(),
            client_id: client_id.to_owned(),
            minted: Instant::now(),
        });
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0
            .under_way
            .send_modify(|count| *count = count.saturating_sub(1));
    }
}

/// The intents, `block.index`, of the tokens of `role` that Astra lists.
async fn live(
    connection: &Connection,
    role: &str,
    deadline: Deadline,
) -> Result<BTreeSet<String>, Error> {
    let owner = Owner::of(&connection.name, role);
    let own = MountTokenFilter::of(connection);
    let is_live = move |token: &TokenEntry| {
        let tag = own.tag(token)?;
        (tag.owner == owner).then(|| format!("{}.{}", tag.block, tag.index))
    };
    let live = connection.client.tokens(is_live, deadline).await;
    // A description can be copied, an intent has one token.
    live.map(BTreeSet::from_iter).map_err(|error| {
        astra_error::request_error("count the role's live tokens", connection, &error)
    })
}
