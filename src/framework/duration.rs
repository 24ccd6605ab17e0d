//! Durations as Vault's users write them.

/// The longest duration that a host can carry: nanoseconds in 64 bits.
const LIMIT: u128 = i64::MAX as u128;

const SECOND: u128 = 1_000_000_000;

/// Why a text is no duration.  The caller's fault.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DurationError {
    /// A number without a unit inside a longer text.
    #[error("a unit is missing; write for instance 90s, 30m, 1h30m or 7d")]
    MissingUnit,
    /// More than about 292 years.
    #[error("it is longer than 292 years")]
    TooLong,
    /// A unit that does not exist.
    #[error("the unit {0:?} is unknown; use ns, us, ms, s, m or h, or whole days as in 7d")]
    UnknownUnit(String),
    /// No number where one belongs.
    #[error("a number is missing; write for instance 90s, 30m, 1h30m or 7d")]
    MissingNumber,
}

/// The whole seconds of `text`, rest cut off: digits alone are seconds, `7d` is days, all else is Go's
/// syntax such as `1h30m` or `-1.5h`.  An empty text is `None`.
pub fn parse_seconds(text: &str) -> Result<Option<i64>, DurationError> {
    if text.is_empty() {
        return Ok(None);
    }
    let (negative, magnitude) = match text.strip_prefix(['-', '+']) {
        Some(magnitude) => (text.starts_with('-'), magnitude),
        None => (false, text),
    };
    let nanoseconds = match (
        whole(magnitude),
        magnitude.strip_suffix('d').and_then(whole),
    ) {
        (Some(seconds), _) => seconds?.checked_mul(SECOND).ok_or(DurationError::TooLong)?,
        (None, Some(days)) => days?
            .checked_mul(86_400 * SECOND)
            .ok_or(DurationError::TooLong)?,
        (None, None) => units(magnitude)?,
    };
    if nanoseconds > LIMIT {
        return Err(DurationError::TooLong);
    }
    let seconds = i64::try_from(nanoseconds / SECOND).map_err(|_| DurationError::TooLong)?;
    Ok(Some(if negative { -seconds } else { seconds }))
}

/// The shortest text for whole seconds: `90s` is `1m30s`, an hour is `1h`.
pub fn format_seconds(seconds: i64) -> String {
    let magnitude = seconds.unsigned_abs();
    let mut text = String::from(if seconds < 0 { "-" } else { "" });
    for (amount, unit) in [
        (magnitude / 3_600, 'h'),
        (magnitude / 60 % 60, 'm'),
        (magnitude % 60, 's'),
    ] {
        if amount > 0 || (unit == 's' && magnitude == 0) {
            text.push_str(&amount.to_string());
            text.push(unit);
        }
    }
    text
}

/// Digits alone; `None` where there is anything else.
fn whole(text: &str) -> Option<Result<u128, DurationError>> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| number(text))
}

fn number(digits: &str) -> Result<u128, DurationError> {
    match digits {
        "" => Ok(0),
        _ => match digits.parse() {
            Ok(number) if number <= LIMIT => Ok(number),
            _ => Err(DurationError::TooLong),
        },
    }
}

/// A sequence of decimal numbers with units, in nanoseconds.
fn units(text: &str) -> Result<u128, DurationError> {
    let mut total: u128 = 0;
    let mut rest = text;
    if rest.is_empty() {
        return Err(DurationError::MissingNumber);
    }
    while !rest.is_empty() {
        let (integer, tail) = digits(rest);
        let (fraction, tail) = match tail.strip_prefix('.') {
            Some(tail) => digits(tail),
            None => ("", tail),
        };
        if integer.is_empty() && fraction.is_empty() {
            return Err(DurationError::MissingNumber);
        }
        let end = tail
            .find(|letter: char| letter == '.' || letter.is_ascii_digit())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let scale = match unit {
            "" => return Err(DurationError::MissingUnit),
            "ns" => 1,
            // Both code points that look like a Greek mu.
            "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
            "ms" => 1_000_000,
            "s" => SECOND,
            "m" => 60 * SECOND,
            "h" => 3_600 * SECOND,
            other => return Err(DurationError::UnknownUnit(other.to_owned())),
        };
        let whole = number(integer)?
            .checked_mul(scale)
            .ok_or(DurationError::TooLong)?;
        total = total
            .checked_add(whole + part(fraction, scale))
            .ok_or(DurationError::TooLong)?;
        rest = tail;
    }
    Ok(total)
}

fn digits(text: &str) -> (&str, &str) {
    let end = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

/// The nanoseconds of a decimal fraction of `scale`.
fn part(fraction: &str, scale: u128) -> u128 {
    let mut numerator: u128 = 0;
    let mut denominator: u128 = 1;
    // An hour has 3.6e12 nanoseconds: what follows the 18th digit is below any of them.
    for digit in fraction.bytes().take(18) {
        numerator = numerator * 10 + u128::from(digit - b'0');
        denominator *= 10;
    }
    numerator * scale / denominator
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
            ("1.9s", 1),
            ("-1.9s", -1),
            (".5m", 30),
            ("1.s", 1),
            ("1500ms", 1),
            ("2000000us", 2),
            ("2000000\u{b5}s", 2),
            ("2000000\u{3bc}s", 2),
            ("100000000000ns", 100),
            ("0.9999999999s", 0),
            ("9223372036", 9_223_372_036),
            ("-9223372036", -9_223_372_036),
            ("106751d", 9_223_286_400),
            ("2562047h", 9_223_369_200),
        ] {
            assert_eq!(parse_seconds(text), Ok(Some(seconds)), "{text}");
        }
        assert_eq!(parse_seconds(""), Ok(None));
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

    #[test]
    fn texts_have_no_zero_parts() {
        for (seconds, text) in [
            (0, "0s"),
            (90, "1m30s"),
            (3_600, "1h"),
            (5_400, "1h30m"),
            (86_400, "24h"),
            (108_000, "30h"),
            (3_601, "1h1s"),
            (-90, "-1m30s"),
        ] {
            assert_eq!(format_seconds(seconds), text);
        }
    }

    proptest! {
        #[test]
        fn seconds_survive_their_text(seconds in -9_223_372_036_i64..=9_223_372_036) {
            prop_assert_eq!(parse_seconds(&format_seconds(seconds)), Ok(Some(seconds)));
            prop_assert_eq!(parse_seconds(&seconds.to_string()), Ok(Some(seconds)));
        }

        #[test]
        fn beyond_the_limit_is_an_error(seconds in 9_223_372_037_i64..) {
            prop_assert_eq!(parse_seconds(&format_seconds(seconds)), Err(DurationError::TooLong));
            prop_assert_eq!(parse_seconds(&seconds.to_string()), Err(DurationError::TooLong));
        }

        #[test]
        fn no_text_panics(text in "[-+]?([0-9]{0,40}[.]?[0-9]{0,40}(ns|us|µs|ms|s|m|h|d|w|x)?){0,4}", noise: String) {
            for text in [text, noise] {
                if let Ok(Some(seconds)) = parse_seconds(&text) {
                    prop_assert!(seconds.unsigned_abs() <= 9_223_372_036);
                }
            }
        }

        #[test]
        fn parts_add_up(hours in 0_i64..100_000, minutes in 0_i64..10_000, seconds in 0_i64..10_000) {
            let text = format!("{hours}h{minutes}m{seconds}s");
            prop_assert_eq!(parse_seconds(&text), Ok(Some(hours * 3_600 + minutes * 60 + seconds)));
        }
    }
}
