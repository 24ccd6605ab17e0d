//! Duration texts against Go's reading of them.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::duration_text::format_seconds;

#[test]
fn texts_as_go_reads_them() {
    for (text, seconds) in [
        ("0", 0),
        ("3600", 3_600),
        ("+5", 5),
        ("-5", -5),
        ("1h", 3_600),
        ("1h30m", 5_400),
        ("1m1h", 3_660),
        ("1.5h", 5_400),
        ("7d", 604_800),
        ("-7d", -604_800),
        ("-1.5h", -5_400),
        (".5m", 30),
        ("1.s", 1),
        ("2000000us", 2),
        ("2000000\u{b5}s", 2),
        ("2000000\u{3bc}s", 2),
        ("100000000000ns", 100),
        ("2000ms", 2),
        ("0.5m1.5s0.5s", 32),
        ("9223372036", 9_223_372_036),
        ("-9223372036", -9_223_372_036),
        ("106751d", 9_223_286_400),
        ("2562047h", 9_223_369_200),
    ] {
        assert_eq!(parse_seconds(text), Ok(seconds), "{text}");
    }
}

#[test]
fn other_texts_are_refused() {
    let unknown = |unit: &str| DurationError::UnknownUnit(unit.to_owned());
    for (text, error) in [
        ("1w", unknown("w")),
        ("1d12h", unknown("d")),
        ("1.5d", unknown("d")),
        ("5D", unknown("D")),
        ("1H", unknown("H")),
        ("1h 30m", unknown("h ")),
        ("0.5s", DurationError::TooShort),
        ("0.999999999s", DurationError::TooShort),
        ("-1ns", DurationError::TooShort),
        ("1.9s", DurationError::NotWhole),
        ("-1.9s", DurationError::NotWhole),
        ("1500ms", DurationError::NotWhole),
        ("1h1ns", DurationError::NotWhole),
        ("", DurationError::MissingNumber),
        ("1.5", DurationError::MissingUnit),
        ("1h30", DurationError::MissingUnit),
        ("-", DurationError::MissingNumber),
        ("--5", DurationError::MissingNumber),
        (" 5", DurationError::MissingNumber),
        ("d", DurationError::MissingNumber),
        ("h", DurationError::MissingNumber),
        (".s", DurationError::MissingNumber),
        ("1h-30m", unknown("h-")),
        ("\u{661}s", DurationError::MissingNumber),
        ("9223372037", DurationError::TooLong),
        ("-9223372037", DurationError::TooLong),
        ("106752d", DurationError::TooLong),
        ("2562048h", DurationError::TooLong),
        (
            "99999999999999999999999999999999999999999999999999d",
            DurationError::TooLong,
        ),
        (
            "99999999999999999999999999999999999999999999999999s",
            DurationError::TooLong,
        ),
    ] {
        assert_eq!(parse_seconds(text), Err(error), "{text}");
    }
}

proptest! {
    #[test]
    fn seconds_survive_their_text(seconds in -9_223_372_036_i64..=9_223_372_036) {
        prop_assert_eq!(parse_seconds(&format_seconds(seconds)), Ok(seconds));
        prop_assert_eq!(parse_seconds(&seconds.to_string()), Ok(seconds));
    }

    #[test]
    fn beyond_the_limit_is_an_error(seconds in 9_223_372_037_i64..) {
        prop_assert_eq!(parse_seconds(&format_seconds(seconds)), Err(DurationError::TooLong));
        prop_assert_eq!(parse_seconds(&seconds.to_string()), Err(DurationError::TooLong));
    }

    #[test]
    fn no_text_panics(text in "[-+]?([0-9]{0,40}[.]?[0-9]{0,40}(ns|us|µs|ms|s|m|h|d|w|x)?){0,4}", noise: String) {
        for text in [text, noise] {
            if let Ok(seconds) = parse_seconds(&text) {
                prop_assert!(seconds.unsigned_abs() <= 9_223_372_036);
            }
        }
    }

    #[test]
    fn parts_add_up(hours in 0_i64..100_000, minutes in 0_i64..10_000, seconds in 0_i64..10_000) {
        let text = format!("{hours}h{minutes}m{seconds}s");
        prop_assert_eq!(parse_seconds(&text), Ok(hours * 3_600 + minutes * 60 + seconds));
    }
}
