//! Cron schedules: five fields, UTC.

use std::cmp::Ordering;
use std::fmt;

use croner::Cron;
use croner::errors::CronError;
use croner::parser::CronParser;
use croner::parser::Seconds;
use croner::parser::Year;
use croner::time::CivilDate;
use croner::time::CivilDateTime;
use croner::time::CivilTime;
use croner::time::CronDateTime;
use croner::time::Resolution;
use croner::time::Weekday;
use serde::Deserialize;
use serde::Serialize;
use time::Date;
use time::Month;
use time::OffsetDateTime;
use time::PrimitiveDateTime;
use time::Time;

/// How many fields there are: minute, hour, day of month, month, day of week.
const FIELDS: usize = 5;

/// When a rotation happens, as a cron expression whose times are UTC.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct CronSchedule {
    text: String,
    /// Large, so not in place.
    cron: Box<Cron>,
}

/// Why a text is no schedule.  The caller's fault.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CronScheduleError {
    /// Not five fields.
    #[error("it has {0} fields")]
    FieldCount(usize),
    /// A field makes no sense.
    #[error("{0}")]
    Field(String),
    /// No date ever matches, as with the 30th of February.
    #[error("it never happens")]
    Never,
}

impl CronSchedule {
    /// The schedule that `text` describes.
    pub fn parse(text: &str) -> Result<Self, CronScheduleError> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        if fields.len() != FIELDS {
            return Err(CronScheduleError::FieldCount(fields.len()));
        }
        let text = fields.join(" ");
        if let Some(other) = text.chars().find(|char| !is_known(*char)) {
            return Err(CronScheduleError::Field(format!(
                "{other:?} does not belong into a cron expression"
            )));
        }
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build();
        let cron = parser
            .parse(&text)
            .map_err(|error| CronScheduleError::Field(reason(error)))?;
        let schedule = Self {
            text,
            cron: Box::new(cron),
        };
        match schedule.next_after(OffsetDateTime::UNIX_EPOCH) {
            Some(_) => Ok(schedule),
            None => Err(CronScheduleError::Never),
        }
    }

    /// The first scheduled time later than `time`; `None` where there is none before the year 5000.
    pub fn next_after(&self, time: OffsetDateTime) -> Option<OffsetDateTime> {
        let time = Utc(time.to_offset(time::UtcOffset::UTC));
        let next = self.cron.find_next_occurrence(&time, false).ok()?;
        next.0.replace_nanosecond(0).ok()
    }

    /// The expression, with single spaces.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Letters are for names of months and weekdays, and for `L` and `W`.
fn is_known(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, ' ' | '*' | ',' | '-' | '/' | '?' | '#')
}

fn reason(error: CronError) -> String {
    match error {
        CronError::InvalidPattern(text)
        | CronError::IllegalCharacters(text)
        | CronError::ComponentError(text) => text.trim_end_matches('.').to_owned(),
        other => other.to_string().trim_end_matches('.').to_owned(),
    }
}

impl PartialEq for CronSchedule {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Display for CronSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<CronSchedule> for String {
    fn from(schedule: CronSchedule) -> Self {
        schedule.text
    }
}

impl TryFrom<String> for CronSchedule {
    type Error = CronScheduleError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

/// An instant on the wall clock of UTC, where every time happens exactly once.
#[derive(Clone)]
struct Utc(OffsetDateTime);

impl CronDateTime for Utc {
    fn to_civil(&self) -> CivilDateTime {
        let (year, month, day) = self.0.to_calendar_date();
        let (hour, minute, second) = self.0.to_hms();
        // What `time` counts is always a date and a time of day.
        CivilDateTime::new(
            CivilDate::from_parts_unchecked(year, u8::from(month).into(), day.into()),
            CivilTime::from_parts_unchecked(hour.into(), minute.into(), second.into()),
        )
    }

    fn civil_weekday(&self) -> Weekday {
        Weekday::from_days_from_sunday(self.0.weekday().number_days_from_sunday().into())
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let narrow = |number: u32| u8::try_from(number).unwrap_or(u8::MAX);
        let month = Month::try_from(narrow(civil.month())).map_err(|_| CronError::InvalidDate)?;
        let date = Date::from_calendar_date(civil.year(), month, narrow(civil.day()))
            .map_err(|_| CronError::InvalidDate)?;
        let time = Time::from_hms(
            narrow(civil.hour()),
            narrow(civil.minute()),
            narrow(civil.second()),
        )
        .map_err(|_| CronError::InvalidTime)?;
        let utc = PrimitiveDateTime::new(date, time).assume_utc();
        Ok(Resolution::Single(Self(utc)))
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        self.0
            .checked_add(time::Duration::seconds(seconds))
            .map(Self)
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    fn next(text: &str, after: OffsetDateTime) -> OffsetDateTime {
        CronSchedule::parse(text)
            .unwrap()
            .next_after(after)
            .unwrap()
    }

    #[test]
    fn the_next_time_is_later_and_in_utc() {
        let noon = datetime!(2026-11-23 12:00:00.5 UTC);
        assert_eq!(next("* * * * *", noon), datetime!(2026-11-23 12:01 UTC));
        assert_eq!(next("0 12 * * *", noon), datetime!(2026-11-24 12:00 UTC));
        assert_eq!(
            next("0 12 * * *", datetime!(2026-11-23 12:00 UTC)),
            datetime!(2026-11-24 12:00 UTC)
        );
        assert_eq!(next("30 3 * * SAT", noon), datetime!(2026-11-28 03:30 UTC));
        assert_eq!(next("0 0 29 2 *", noon), datetime!(2028-02-29 00:00 UTC));
        assert_eq!(
            next("0 12 * * *", datetime!(2026-11-23 14:30 +3)),
            datetime!(2026-11-23 12:00 UTC)
        );
        assert_eq!(next("0 0 1 1 *", noon), datetime!(2027-01-01 00:00 UTC));
        assert_eq!(next(" 0  4 *\t* 7 ", noon), datetime!(2026-11-29 04:00 UTC));
    }

    #[test]
    fn what_is_no_schedule_is_refused_with_the_reason() {
        use CronScheduleError::FieldCount;
        use CronScheduleError::Never;
        assert_eq!(CronSchedule::parse("").unwrap_err(), FieldCount(0));
        assert_eq!(CronSchedule::parse("@daily").unwrap_err(), FieldCount(1));
        assert_eq!(CronSchedule::parse("0 0 * *").unwrap_err(), FieldCount(4));
        assert_eq!(
            CronSchedule::parse("0 0 0 * * *").unwrap_err(),
            FieldCount(6)
        );
        assert_eq!(CronSchedule::parse("0 0 30 2 *").unwrap_err(), Never);
        for bad in [
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
            "a * * * *",
            "*/0 * * * *",
            "5-1 * * * *",
            "* * * * \u{fc}",
        ] {
            assert!(
                matches!(
                    CronSchedule::parse(bad),
                    Err(CronScheduleError::Field(reason)) if !reason.is_empty()
                ),
                "{bad}"
            );
        }
    }

    #[test]
    fn it_is_stored_as_text() {
        let schedule = CronSchedule::parse("0 3 * * SAT").unwrap();
        let stored = serde_json::to_string(&schedule).unwrap();
        assert_eq!(stored, "\"0 3 * * SAT\"");
        let loaded: CronSchedule = serde_json::from_str(&stored).unwrap();
        assert_eq!(loaded, schedule);
        assert!(serde_json::from_str::<CronSchedule>("\"never\"").is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = CronSchedule::parse(&text);
        }

        #[test]
        fn nothing_like_a_schedule_makes_it_panic(text in "[0-9*,/?#LWA-Z -]{1,6}( \
            [0-9*,/?#LWMONJA-]{1,5}){4}") {
            let _ = CronSchedule::parse(&text);
        }

        #[test]
        fn each_time_is_later_than_the_one_before(minute in 0..60u8, hour in 0..24u8, from in 0..4_000_000_000i64) {
            let schedule = CronSchedule::parse(&format!("{minute} {hour} * * *")).unwrap();
            let from = OffsetDateTime::from_unix_timestamp(from).unwrap();
            let first = schedule.next_after(from).unwrap();
            let second = schedule.next_after(first).unwrap();
            prop_assert!(first > from && first - from <= time::Duration::DAY);
            prop_assert_eq!(second - first, time::Duration::DAY);
            prop_assert_eq!((first.hour(), first.minute(), first.second()), (hour, minute, 0));
        }
    }
}
