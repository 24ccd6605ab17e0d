//! What goes wrong with schedules.

use super::cron::CronScheduleError;
use crate::engine::error::Classified;
use crate::engine::error::Fault;
use crate::framework::format_seconds;

/// Why the fields make no schedule.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScheduleError {
    /// Both fields are given.
    #[error("{period}: {} was given together with {schedule}: give one of the \
        two", format_seconds(*.seconds))]
    Both {
        /// The field of the period.
        period: &'static str,
        /// The period.
        seconds: i64,
        /// The field of the cron schedule.
        schedule: &'static str,
    },
    /// The period is too short or too long.
    #[error("{field}: {} is out of range: give 1m or more, up to 100 \
        years", format_seconds(*.seconds))]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// The period.
        seconds: i64,
    },
    /// The text is no cron schedule.
    #[error(
        "{field}: {text:?} is not a schedule: {source}; give a cron expression of five fields in \
         UTC (minute, hour, day of month, month, day of week), for instance \"0 3 * * SAT\""
    )]
    NotCron {
        /// The field.
        field: &'static str,
        /// The text.
        text: String,
        /// What is wrong with it.
        source: CronScheduleError,
    },
}

impl Classified for ScheduleError {
    fn fault(&self) -> Fault {
        Fault::Caller
    }
}
