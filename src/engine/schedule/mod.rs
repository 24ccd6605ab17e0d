//! When a root token or a static role's token is replaced: each so many seconds, or by a cron
//! schedule.  Configs and static roles share the two fields.

mod cron;
mod error;
mod fields;

use serde::Deserialize;
use serde::Serialize;
use time::Duration;
use time::OffsetDateTime;

pub(super) use cron::CronSchedule;
pub(super) use fields::declare;
pub(super) use fields::read;
pub(super) use fields::show;
pub(super) use fields::shown;

/// The shortest period: the host's ticks, on which rotations ride, are about a minute apart.
pub(super) const MIN_PERIOD: u64 = 60;
/// The longest period, 100 years: whatever is longer is a mistake, and sums of times stay in range.
pub(super) const MAX_PERIOD: u64 = 100 * 365 * 86_400;

/// When to rotate.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Schedule {
    /// So many seconds after the last rotation.
    Period(u64),
    /// At times of day, week and month, in UTC.
    Cron(CronSchedule),
}

/// How much longer than two rotations a token lasts in Astra: rotation may fail all that time before
/// anyone loses access, but a token that everyone has forgotten does end.
const RESERVE: Duration = Duration::days(90);

/// How long a tick may take to replace what is due: the host calls it about once a minute, and it ends
/// within another.
pub(super) const TICK_REACH: Duration = Duration::minutes(2);

/// When a token that is in use since `since` and that Astra ends at `end` is to be replaced at the
/// latest: a quarter of its life before its end but at most a day, or `reserve` before where that is
/// more, and not in the first half of its life.  A token of a short life is replaced in its first half
/// too: no later than a tick needs, at the next one if it must be.
pub(super) fn before_end(
    since: OffsetDateTime,
    end: OffsetDateTime,
    reserve: Duration,
) -> OffsetDateTime {
    let life = (end - since).max(Duration::ZERO);
    let quarter = (life / 4_i32).min(Duration::DAY);
    let margin = quarter.max(reserve).min(life / 2_i32);
    end - margin.max(TICK_REACH).min(life)
}

/// The earlier of two times, where both are known.
pub(super) fn earlier(
    one: Option<OffsetDateTime>,
    other: Option<OffsetDateTime>,
) -> Option<OffsetDateTime> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// How many times of a cron schedule are looked at for the shortest time between two of them.
const GAPS: usize = 100;

impl Schedule {
    /// The first scheduled time after `time`; `None` where a cron schedule has run out.
    pub(crate) fn next_after(&self, time: OffsetDateTime) -> Option<OffsetDateTime> {
        match self {
            Self::Period(seconds) => {
                let period = Duration::seconds(i64::try_from(*seconds).unwrap_or(i64::MAX));
                time.checked_add(period)
            }
            Self::Cron(cron) => cron.next_after(time),
        }
    }

    /// When the next rotation is due after one at `rotated_at`, for a schedule that was set at `set_at`.
    ///
    /// A period counts from the last rotation, whenever it was set.  A cron schedule names the times
    /// at which a rotation suits, so one that was set only now does not make up for times before.
    pub(crate) fn due_at(
        &self,
        rotated_at: OffsetDateTime,
        set_at: OffsetDateTime,
    ) -> Option<OffsetDateTime> {
        match self {
            Self::Period(_) => self.next_after(rotated_at),
            Self::Cron(_) => self.next_after(rotated_at.max(set_at)),
        }
    }

    /// When Astra is to end a token that is minted at `now` and lives on for `overlap` after its
    /// rotation, in whole seconds: 90 days after the second rotation from now would have been due.
    pub(crate) fn token_end(&self, now: OffsetDateTime, overlap: Duration) -> OffsetDateTime {
        let interval = self
            .next_after(now)
            .map_or(Duration::ZERO, |next| next - now);
        let longest = Duration::seconds(i64::try_from(MAX_PERIOD).unwrap_or(i64::MAX));
        let life = interval
            .saturating_mul(2)
            .saturating_add(overlap)
            .saturating_add(RESERVE)
            .min(longest);
        whole(now).saturating_add(life)
    }

    /// The shortest time between two rotations, in seconds, as far as the next hundred after `now`
    /// tell.
    pub(crate) fn shortest_gap(&self, now: OffsetDateTime) -> u64 {
        match self {
            Self::Period(seconds) => *seconds,
            Self::Cron(cron) => {
                let times =
                    std::iter::successors(cron.next_after(now), |time| cron.next_after(*time))
                        .take(GAPS)
                        .collect::<Vec<_>>();
                let gaps = times.iter().zip(times.iter().skip(1));
                gaps.map(|(one, next)| (*next - *one).whole_seconds())
                    .filter_map(|seconds| u64::try_from(seconds).ok())
                    .min()
                    .unwrap_or(MAX_PERIOD)
            }
        }
    }
}

/// `time` in whole seconds.
pub(super) fn whole(time: OffsetDateTime) -> OffsetDateTime {
    time.replace_nanosecond(0).unwrap_or(time)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn cron(text: &str) -> Schedule {
        Schedule::Cron(CronSchedule::parse(text).unwrap())
    }

    #[test]
    fn a_period_counts_from_the_last_rotation() {
        let last = datetime!(2026-11-23 12:00 UTC);
        let next = Schedule::Period(3600).next_after(last);
        assert_eq!(next, Some(datetime!(2026-11-23 13:00 UTC)));
        assert!(Schedule::Period(MAX_PERIOD).next_after(last).is_some());
    }

    #[test]
    fn a_new_cron_schedule_makes_up_for_nothing() {
        let rotated = datetime!(2026-01-01 12:00 UTC);
        let set = datetime!(2026-11-23 12:00 UTC);
        let due = cron("0 3 * * *").due_at(rotated, set);
        assert_eq!(due, Some(datetime!(2026-11-24 03:00 UTC)));
        let due = cron("0 3 * * *").due_at(set, rotated);
        assert_eq!(due, Some(datetime!(2026-11-24 03:00 UTC)));
        let due = Schedule::Period(3600).due_at(rotated, set);
        assert_eq!(due, Some(datetime!(2026-01-01 13:00 UTC)));
    }

    #[test]
    fn the_shortest_gap_is_found() {
        let now = datetime!(2026-11-23 12:00 UTC);
        assert_eq!(Schedule::Period(90).shortest_gap(now), 90);
        assert_eq!(cron("0 3 * * *").shortest_gap(now), 86_400);
        assert_eq!(cron("0,10 3 * * *").shortest_gap(now), 600);
        assert_eq!(
            cron("0 0 29 2 *").shortest_gap(now),
            4 * 365 * 86_400 + 86_400
        );
    }

    #[test]
    fn a_tick_comes_between_due_and_end() {
        let since = datetime!(2026-11-23 12:00 UTC);
        let due = |life: i64, reserve: i64| {
            let [life, reserve] = [life, reserve].map(Duration::seconds);
            (before_end(since, since + life, reserve) - since).whole_seconds()
        };
        // (life, reserve, due): a quarter before the end, the reserve, two minutes, at once.
        for (life, reserve, wanted) in [
            (1_000, 0, 750),
            (1_000, 400, 600),
            (1_000, 900, 500),
            (240, 0, 120),
            (130, 0, 10),
            (96, 0, 0),
            (96, 50, 0),
            (0, 0, 0),
            (-5, 0, -5),
            (40 * 86_400, 0, 39 * 86_400),
        ] {
            assert_eq!(due(life, reserve), wanted, "{life} {reserve}");
        }
    }

    #[test]
    fn both_kinds_are_stored() {
        for schedule in [Schedule::Period(60), cron("0 3 * * SAT")] {
            let text = serde_json::to_string(&schedule).unwrap();
            assert_eq!(serde_json::from_str::<Schedule>(&text).unwrap(), schedule);
        }
    }
}
