//! The fields `rotation_period` and `rotation_schedule`.

use serde_json::Map;
use serde_json::Value;

use super::CronSchedule;
use super::MAX_PERIOD;
use super::MIN_PERIOD;
use super::Schedule;
use super::error::ScheduleError;
use crate::framework::Field;
use crate::framework::Fields;

const PERIOD: &str = "rotation_period";
const SCHEDULE: &str = "rotation_schedule";

/// The two fields.
pub(crate) fn declare() -> [Field; 2] {
    [
        Field::duration(
            PERIOD,
            "Time from one rotation to the next, at least a minute. Not together with \
             rotation_schedule. 0 means none.",
        ),
        Field::string(
            SCHEDULE,
            "Times of rotations in UTC, as a cron expression of five fields: minute, hour, day of \
             month, month, day of week. Not together with rotation_period.",
        ),
    ]
}

/// What a read shows of them.
pub(crate) fn shown() -> [Field; 2] {
    [
        Field::int(
            PERIOD,
            "Seconds from one rotation to the next. 0 means none.",
        )
        .required(),
        Field::string(SCHEDULE, "Times of rotations in UTC, as a cron expression.").required(),
    ]
}

/// What the sent fields make of the `stored` schedule: setting one of the two replaces the other.
pub(crate) fn read(
    fields: &Fields,
    stored: Option<&Schedule>,
) -> Result<Option<Schedule>, ScheduleError> {
    let sent = fields.sent();
    let period = sent.seconds(PERIOD).filter(|seconds| *seconds != 0);
    let text = sent.string(SCHEDULE).filter(|text| !text.trim().is_empty());
    match (period, text) {
        (Some(seconds), Some(_)) => Err(ScheduleError::Both {
            period: PERIOD,
            seconds,
            schedule: SCHEDULE,
        }),
        (Some(seconds), None) => period_of(seconds).map(Some),
        (None, Some(text)) => cron_of(&text).map(Some),
        // Sent empty, a field takes back what it once set and leaves the other alone.
        (None, None) => Ok(stored
            .filter(|stored| match stored {
                Schedule::Period(_) => !fields.was_sent(PERIOD),
                Schedule::Cron(_) => !fields.was_sent(SCHEDULE),
            })
            .cloned()),
    }
}

/// Shows the schedule as the two fields: one is empty.
pub(crate) fn show(schedule: Option<&Schedule>, data: &mut Map<String, Value>) {
    let (period, text) = match schedule {
        Some(Schedule::Period(seconds)) => (*seconds, ""),
        Some(Schedule::Cron(cron)) => (0, cron.as_str()),
        None => (0, ""),
    };
    data.insert(PERIOD.to_owned(), period.into());
    data.insert(SCHEDULE.to_owned(), text.into());
}

fn period_of(seconds: i64) -> Result<Schedule, ScheduleError> {
    u64::try_from(seconds)
        .ok()
        .filter(|seconds| (MIN_PERIOD..=MAX_PERIOD).contains(seconds))
        .map(Schedule::Period)
        .ok_or(ScheduleError::OutOfRange {
            field: PERIOD,
            seconds,
        })
}

fn cron_of(text: &str) -> Result<Schedule, ScheduleError> {
    CronSchedule::parse(text)
        .map(Schedule::Cron)
        .map_err(|source| ScheduleError::NotCron {
            field: SCHEDULE,
            text: text.to_owned(),
            source,
        })
}
