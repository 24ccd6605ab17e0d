//! What goes wrong with schedules.

use super::MIN_PERIOD;
use super::cron::CronScheduleError;
use crate::engine::error::Classified;
use crate::engine::error::Fault;

/// Why the fields make no schedule.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// Both fields are given.
    #[error("{period}: {seconds} was given together with {schedule}: give one of the two")]
    Both {
        /// The field of the period.
        period: &'static str,
        /// The period.
        seconds: i64,
        /// The field of the cron schedule.
        schedule: &'static str,
    },
    /// The period is too short or too long.
    #[error("{field}: {seconds}s is out of range: give {MIN_PERIOD}s or more, up to 100 years")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// The period.
        seconds: i64,
    },
    /// The text is no cron schedule.
    #[error(
        "{field}: {text:?} is not a schedule: {source}; give a cron expression of five fields in UTC (minute, hour, day of \
         month, month, day of week), for instance \"0 3 * * SAT\""
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
