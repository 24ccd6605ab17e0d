//! What `tests/fuzz` calls to reach texts that requests reach only in the midst of others.  Only in
//! builds with the feature `fuzzing`.

use time::OffsetDateTime;

use super::intent::Tag;
use super::schedule::CronSchedule;
use super::schedule::Schedule;

/// The tag at the start of a token's description, as it would be written again.
pub fn tag(description: &str) -> Option<String> {
    Tag::parse(description).map(|tag| tag.to_string())
}

/// The first time after `now` at which a cron schedule is due, and its shortest gap in seconds.
pub fn cron(text: &str, now: OffsetDateTime) -> Option<(OffsetDateTime, u64)> {
    let schedule = Schedule::Cron(CronSchedule::parse(text).ok()?);
    Some((schedule.next_after(now)?, schedule.shortest_gap(now)))
}
