//! Whether the engine could have replaced a root token that has ended.

use std::time::Duration;

use astra_emulator::TokenState;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::Instant;

use super::world::World;

/// The last part of a root token's life, in which the engine has to replace it in any case.
const LAST_PART: Duration = Duration::from_secs(180);
/// How many ticks without trouble in that time are enough: one may have to wait after a failure.
const ENOUGH: usize = 2;

impl World {
    /// For each config, whether nothing stands in the way of a rotation now.
    pub(super) fn can_rotate(&self) -> Vec<bool> {
        let now = Instant::now();
        let is_well = self.skew.get().abs() <= 60 && !self.durable.is_failing();
        let orgs = self.orgs.iter();
        orgs.map(|org| is_well && org.faulty_until.get() < now && org.is_usable())
            .collect()
    }

    /// A tick that began at `began` by Astra's clock has ended; `could` is [`World::can_rotate`] of then.
    pub(super) fn note_tick(&self, began: OffsetDateTime, could: &[bool]) {
        let can = self.can_rotate();
        for (org, (could, can)) in self.orgs.iter().zip(could.iter().zip(can)) {
            if *could && can {
                org.ticks_without_trouble.borrow_mut().push(began);
            }
        }
    }

    /// Whether the config's root token has ended by itself while there was trouble at nearly each tick, so
    /// that the engine could not replace it.  Only an operator can write another.
    pub(super) fn lost_root_token_in_trouble(&self, org: usize) -> bool {
        let Some((_, token)) = self.stored_root_token(org) else {
            return false;
        };
        let expiry = token.token_expiry.as_deref();
        let expiry = expiry.and_then(|expiry| OffsetDateTime::parse(expiry, &Rfc3339).ok());
        let Some(expiry) = expiry.filter(|_| token.state == TokenState::Expired) else {
            return false;
        };
        let ticks = self.orgs[org].ticks_without_trouble.borrow();
        let in_time = |tick: &&OffsetDateTime| **tick >= expiry - LAST_PART && **tick < expiry;
        ticks.iter().filter(in_time).count() < ENOUGH
    }
}
