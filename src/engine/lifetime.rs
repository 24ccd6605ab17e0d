//! How long a minted token lives, as Astra's answer shows it.

use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant;

/// How much later than its token a lease may begin: the longest operation.
pub(crate) const MINT_SLACK: Duration = Duration::from_secs(60);

/// A token with less time left is not handed out: a caller could not use it, and a lease of 0 s would
/// mean the mount's default to the host.
pub(crate) const SHORTEST: Duration = Duration::from_secs(5);

/// When a token was to end, by the clock of this node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AskedExpiry {
    /// The expiry that was sent.
    pub expiry: OffsetDateTime,
    /// The node's time when it was worked out.
    pub now: OffsetDateTime,
}

/// The life of a minted token that ends.
///
/// Its length is the difference of two times of Astra's, where both are known, so a difference between
/// Astra's clock and this node's cancels out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetime {
    /// When Astra ends the token, by Astra's clock.
    pub expiry: OffsetDateTime,
    /// From its making to its end; negative where the answer makes no sense.
    length: time::Duration,
    /// Whether Astra told when it was made.
    is_measured: bool,
    /// Before the mint was sent: the token is not older.
    sent: Instant,
}

impl Lifetime {
    /// The life of a token that was asked for at `sent`, when this node's clock showed `now`.
    pub(crate) fn new(
        expiry: OffsetDateTime,
        generated_on: Option<OffsetDateTime>,
        sent: Instant,
        now: OffsetDateTime,
    ) -> Self {
        Self {
            expiry,
            length: expiry - generated_on.unwrap_or(now),
            is_measured: generated_on.is_some(),
            sent,
        }
    }

    /// What is left of the life of a token that was made at any time, when this node's clock shows `now` and
    /// Astra's `now_of_astra`, if that is known.
    pub(crate) fn rest(
        expiry: OffsetDateTime,
        now_of_astra: Option<OffsetDateTime>,
        now: OffsetDateTime,
    ) -> Self {
        Self::new(expiry, now_of_astra, Instant::now(), now)
    }

    /// How long the token lives from now on, at least.
    pub(crate) fn left(&self) -> Duration {
        let length = Duration::try_from(self.length).unwrap_or_default();
        length.saturating_sub(self.sent.elapsed())
    }

    /// When the token ends by the clock of this node, which shows `now`: Astra's expiry, unless the
    /// clocks differ by more than a mint may take.
    pub(crate) fn end(&self, now: OffsetDateTime) -> OffsetDateTime {
        let left = time::Duration::try_from(self.left()).unwrap_or(time::Duration::MAX);
        let end = now.saturating_add(left);
        match (end - self.expiry).unsigned_abs() > MINT_SLACK {
            true => end,
            false => self.expiry,
        }
    }

    /// When the token ends by Astra's clock, where that is another time than [`Lifetime::end`].
    pub(crate) fn end_of_astra(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        (self.end(now) != self.expiry).then_some(self.expiry)
    }

    /// Whether the token ends no later than asked for: by its expiry, or by the length of its life.
    pub(crate) fn is_within(&self, asked: AskedExpiry) -> bool {
        self.expiry <= asked.expiry + MINT_SLACK
            || self.is_measured && self.length <= asked.length() + MINT_SLACK
    }

    /// How much longer than asked for the token lives, because this node's clock is ahead of Astra's.
    pub(crate) fn excess(&self, asked: AskedExpiry) -> Option<Duration> {
        let excess = Duration::try_from(self.length - asked.length()).ok()?;
        (self.is_measured && excess > MINT_SLACK).then_some(excess)
    }

    /// Whether Astra took the expiry as asked for.
    pub(crate) fn is_as_asked(&self, asked: AskedExpiry) -> bool {
        (self.expiry - asked.expiry).unsigned_abs() <= MINT_SLACK
    }
}

impl AskedExpiry {
    fn length(&self) -> time::Duration {
        self.expiry - self.now
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-23 12:00 UTC);
    const HOUR: time::Duration = time::Duration::HOUR;

    fn asked(hours: i32) -> AskedExpiry {
        AskedExpiry {
            expiry: NOW + HOUR * hours,
            now: NOW,
        }
    }

    /// A token that was made when Astra's clock was `ahead` hours before this node's, and ends `expiry`
    /// hours after this node's time.
    fn made(ahead: i32, expiry: i32) -> Lifetime {
        let made = Some(NOW + HOUR * ahead);
        Lifetime::new(NOW + HOUR * expiry, made, Instant::now(), NOW)
    }

    #[tokio::test(start_paused = true)]
    async fn a_difference_of_the_clocks_cancels_out() {
        for ahead in [-3, 0, 3] {
            let life = made(ahead, ahead + 1);
            assert_eq!(life.left(), Duration::from_secs(3_600));
            assert_eq!(life.end(NOW), NOW + HOUR, "{ahead}");
            assert!(life.is_within(asked(1)));
            assert_eq!(life.excess(asked(1)), None);
        }
        tokio::time::advance(Duration::from_secs(600)).await;
        let life = made(3, 4);
        tokio::time::advance(Duration::from_secs(600)).await;
        assert_eq!(life.left(), Duration::from_secs(3_000));
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_that_ends_later_is_not_as_asked() {
        assert!(made(0, 2).is_within(asked(2)));
        assert!(!made(0, 3).is_within(asked(2)));
        // This node's clock is behind, and the organization gives a year.
        assert!(!made(3, 8_760).is_within(asked(2)));
        // It is ahead: the expiry is the one asked for, but further away.
        assert!(made(-3, 2).is_within(asked(2)));
        assert_eq!(
            made(-3, 2).excess(asked(2)),
            Some(Duration::from_secs(3 * 3_600))
        );
        // Without a time of making there is only the expiry.
        let unknown = Lifetime::new(NOW + HOUR * 3, None, Instant::now(), NOW);
        assert!(unknown.is_within(asked(3)) && !unknown.is_within(asked(2)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_by_astras_clock_is_told_where_the_clocks_differ() {
        assert_eq!(made(0, 1).end_of_astra(NOW), None);
        assert_eq!(made(3, 4).end_of_astra(NOW), Some(NOW + HOUR * 4));
        assert_eq!(made(-3, -2).end_of_astra(NOW), Some(NOW - HOUR * 2));
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_a_token_that_was_made_earlier_is_told_by_the_clock_of_this_node() {
        let slack = time::Duration::try_from(MINT_SLACK).unwrap();
        let end = |expiry, now_of_astra| Lifetime::rest(expiry, now_of_astra, NOW).end(NOW);
        for ahead in [-3, 3] {
            let now_of_astra = NOW + HOUR * ahead;
            assert_eq!(end(now_of_astra + HOUR, Some(now_of_astra)), NOW + HOUR);
            // It has ended.
            assert_eq!(end(now_of_astra - HOUR, Some(now_of_astra)), NOW);
        }
        for now_of_astra in [Some(NOW + slack), Some(NOW - slack), None] {
            assert_eq!(end(NOW + HOUR, now_of_astra), NOW + HOUR);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn as_much_as_a_mint_may_take_is_no_difference() {
        let life = |length| Lifetime::new(NOW + length, Some(NOW), Instant::now(), NOW);
        let slack = time::Duration::try_from(MINT_SLACK).unwrap();
        let more = life(HOUR + slack);
        assert!(more.is_as_asked(asked(1)) && more.is_within(asked(1)));
        assert_eq!(more.excess(asked(1)), None);
        let too_much = life(HOUR + slack + time::Duration::SECOND);
        assert!(!too_much.is_as_asked(asked(1)) && !too_much.is_within(asked(1)));
        assert_eq!(
            too_much.excess(asked(1)),
            Some(MINT_SLACK + Duration::from_secs(1))
        );
        // Astra's clock is ahead by just as much.
        let ahead = Lifetime::new(NOW + HOUR + slack, Some(NOW + slack), Instant::now(), NOW);
        assert_eq!(ahead.end(NOW), NOW + HOUR + slack);
    }

    #[tokio::test(start_paused = true)]
    async fn what_ended_before_it_was_made_has_no_time_left() {
        assert_eq!(made(3, 2).left(), Duration::ZERO);
        assert_eq!(made(0, 0).left(), Duration::ZERO);
    }
}
