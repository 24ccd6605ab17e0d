//! Whether a token is so young that Astra may not show it yet.

use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant;

use super::clock::Clock;
use crate::astra::Client;

/// How old a token was when Astra was asked about it: until the answer is here, it may have become old.
pub(super) struct TokenAge {
    asked: Instant,
    is_young_here: bool,
    minted_by_astra: Option<OffsetDateTime>,
    window: Duration,
}

impl TokenAge {
    /// The age, now that Astra is to be asked, of a token that was minted at `minted_at` by this node's
    /// `clock` and at `minted_by_astra` by Astra's.  What is younger than `window` may not be shown yet.
    pub(super) fn now(
        clock: &Clock,
        window: Duration,
        minted_at: Option<OffsetDateTime>,
        minted_by_astra: Option<OffsetDateTime>,
    ) -> Self {
        Self {
            asked: Instant::now(),
            is_young_here: minted_at.is_some_and(|minted_at| clock.is_young(minted_at, window)),
            minted_by_astra,
            window,
        }
    }

    /// Whether the token was younger than the window, so that its absence proves nothing.  Astra's clock
    /// decides where it is known: this node's may have been set meanwhile, by a restart unnoticed.  A time
    /// that is further ahead than the window is none that Astra's clock showed: until then the token would be
    /// young.  `client` has asked meanwhile.
    pub(super) fn is_young(&self, client: &Client) -> bool {
        let asked = self.asked.elapsed();
        match self.minted_by_astra.zip(client.astra_time()) {
            Some((made, now)) if made <= now + self.window => now - asked < made + self.window,
            _ => self.is_young_here,
        }
    }
}
