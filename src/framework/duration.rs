//! Durations as Vault's users write them.

#[cfg(test)]
mod tests;

/// The longest duration that a host can carry: nanoseconds in 64 bits.
const LIMIT: u128 = i64::MAX as u128;

const SECOND: u128 = 1_000_000_000;

/// Why a text is no duration.  The caller's fault.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DurationError {
    /// A number without a unit inside a longer text.
    #[error("a unit is missing; write for instance 90s, 30m, 1h30m or 7d")]
    MissingUnit,
    /// More than nothing and less than a second, which would become 0: to hosts that means no limit.
    #[error("it is shorter than a second")]
    TooShort,
    /// A part of a second beside whole ones.
    #[error("it is not a whole number of seconds")]
    NotWhole,
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

/// The seconds of `text`: digits alone are seconds, `7d` is days, all else is Go's syntax such as `1h30m`
/// or `-1.5h`.
pub fn parse_seconds(text: &str) -> Result<i64, DurationError> {
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
    match nanoseconds {
        nanoseconds if nanoseconds > LIMIT => return Err(DurationError::TooLong),
        1..SECOND => return Err(DurationError::TooShort),
        nanoseconds if nanoseconds % SECOND != 0 => return Err(DurationError::NotWhole),
        _ => {}
    }
    let seconds = i64::try_from(nanoseconds / SECOND).map_err(|_| DurationError::TooLong)?;
    Ok(if negative { -seconds } else { seconds })
}

/// Why `seconds`, a number that is not whole or that 64 bits do not hold, is no duration.
pub(super) fn no_whole_seconds(seconds: Option<f64>) -> DurationError {
    match seconds.map(f64::abs) {
        Some(seconds) if seconds < 1.0 => DurationError::TooShort,
        Some(seconds) if seconds.fract() != 0.0 => DurationError::NotWhole,
        _ => DurationError::TooLong,
    }
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
