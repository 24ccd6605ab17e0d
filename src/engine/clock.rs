//! What time it is.

use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;
use time::Duration;
use time::OffsetDateTime;
use tokio::time::Instant;

/// A difference to the monotonic clock that is not for lack of precision: someone set the clock.
const SET: Duration = Duration::seconds(1);

/// How long it is remembered that the clock was set.
const REMEMBERED: std::time::Duration = std::time::Duration::from_secs(120);

/// The engine's clock, by which rotations fall due: the system's, which tests can set forward.
#[derive(Default)]
pub(crate) struct Clock {
    ahead: AtomicI64,
    seen: Mutex<Option<Seen>>,
}

/// What the system's clock told the last time.
struct Seen {
    time: OffsetDateTime,
    at: Instant,
    /// When it was noticed that the clock was set, and by how much.
    set: Vec<(Instant, Duration)>,
}

impl Clock {
    /// Now, in UTC.
    pub(crate) fn now(&self) -> OffsetDateTime {
        self.see() + Duration::seconds(self.ahead.load(Ordering::Relaxed))
    }

    /// Whether `moment` was less than `within` ago: by the clock as it is set now, or as it was set
    /// `within` ago, if this process asked it then.
    ///
    /// A moment that is still to come counts: the clock that told it was ahead, and it may just have been.
    pub(crate) fn is_young(&self, moment: OffsetDateTime, within: std::time::Duration) -> bool {
        let ages = self.ages(moment, within);
        ages.iter().any(|age| *age < within)
    }

    /// How long ago `moment` was, by both.
    fn ages(&self, moment: OffsetDateTime, within: std::time::Duration) -> [Duration; 2] {
        let age = self.now() - moment;
        let seen = self.seen.lock();
        let set = seen.iter().flat_map(|seen| &seen.set);
        let set = set.filter(|(at, _)| at.elapsed() < within);
        let by = set.fold(Duration::ZERO, |sum, (_, by)| sum.saturating_add(*by));
        [age, age.saturating_sub(by)]
    }

    /// The system's time; notices whether its clock was set since the last time.
    fn see(&self) -> OffsetDateTime {
        let (time, at) = (now_utc(), Instant::now());
        let mut seen = self.seen.lock();
        let mut set = Vec::new();
        if let Some(last) = seen.take() {
            let passed = Duration::try_from(at - last.at).unwrap_or(Duration::MAX);
            let by = (time - last.time).saturating_sub(passed);
            set = last.set;
            set.retain(|(at, _)| at.elapsed() < REMEMBERED);
            if by.abs() > SET {
                set.push((at, by));
            }
        }
        *seen = Some(Seen { time, at, set });
        time
    }

    /// Sets the clock forward.
    #[cfg(test)]
    pub fn advance(&self, time: std::time::Duration) {
        let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        self.ahead.fetch_add(seconds, Ordering::Relaxed);
    }
}

/// This node's time, in UTC.
pub(super) fn now_utc() -> OffsetDateTime {
    #[cfg(test)]
    if let Some(now) = simulated::now() {
        return now;
    }
    OffsetDateTime::now_utc()
}

/// The clock of a simulated node, which runs with the time of the runtime.
#[cfg(test)]
pub mod simulated {
    use std::cell::Cell;

    use time::Duration;
    use time::OffsetDateTime;
    use tokio::time::Instant;

    thread_local! {
        static CLOCK: Cell<Option<(OffsetDateTime, Instant)>> = const { Cell::new(None) };
    }

    /// The time of this thread's simulation, if one runs.
    pub fn now() -> Option<OffsetDateTime> {
        let (base, since) = CLOCK.get()?;
        let elapsed = Duration::try_from(since.elapsed()).unwrap_or(Duration::MAX);
        Some(base.saturating_add(elapsed))
    }

    /// Sets the clock; `None` is that of the machine.
    pub fn set(now: Option<OffsetDateTime>) {
        CLOCK.set(now.map(|now| (now, Instant::now())));
    }
}

#[cfg(test)]
mod tests {
    use super::Clock;
    use super::Duration;
    use super::OffsetDateTime;
    use super::simulated;

    const WITHIN: std::time::Duration = std::time::Duration::from_secs(30);

    fn set(by: Duration) {
        simulated::set(Some(simulated::now().unwrap() + by));
    }

    #[tokio::test(start_paused = true)]
    async fn the_age_of_a_moment_is_known_also_where_the_clock_was_set_since() {
        let (second, hour) = (Duration::SECOND, Duration::HOUR);
        simulated::set(Some(OffsetDateTime::UNIX_EPOCH + 1_000 * hour));
        let clock = Clock::default();
        let moment = clock.now();
        tokio::time::advance(std::time::Duration::from_secs(5)).await;
        assert_eq!(clock.ages(moment, WITHIN), [5 * second, 5 * second]);
        set(40 * second);
        assert_eq!(clock.ages(moment, WITHIN), [45 * second, 5 * second]);
        set(-3 * hour);
        let now = 45 * second - 3 * hour;
        assert_eq!(clock.ages(moment, WITHIN), [now, 5 * second]);
        // It was set longer ago than is asked for.
        tokio::time::advance(WITHIN).await;
        let now = now + 30 * second;
        assert_eq!(clock.ages(moment, WITHIN), [now, now]);
        simulated::set(None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_made_a_moment_ago_is_young_however_the_clock_was_set() {
        let hour = Duration::HOUR;
        for by in [Duration::ZERO, 3 * hour, -3 * hour] {
            simulated::set(Some(OffsetDateTime::UNIX_EPOCH + 1_000 * hour));
            let clock = Clock::default();
            let moment = clock.now();
            set(by);
            assert!(clock.is_young(moment, WITHIN), "{by}");
            // A process that was started since does not know that the clock was set.
            let is_told = by <= Duration::ZERO;
            assert_eq!(Clock::default().is_young(moment, WITHIN), is_told, "{by}");
            tokio::time::advance(WITHIN).await;
            assert_eq!(clock.is_young(moment, WITHIN), by < Duration::ZERO, "{by}");
        }
        simulated::set(None);
    }
}
