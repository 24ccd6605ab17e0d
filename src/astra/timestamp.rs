//! The API's moments in time (docs/internals/astra-api.md, "Formats").

use serde::Deserialize;
use serde::Deserializer;
use time::OffsetDateTime;
use time::UtcOffset;
use time::format_description::well_known::Rfc3339;

/// Reads RFC 3339 with any number of fractional digits.
///
/// Go's zero time (year 1) stands for "none" in the API, and so do an empty text, `null` and, since
/// no decision that deletes anything rests on it, a text that is no time at all.
pub(super) fn parse(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text.trim(), &Rfc3339)
        .ok()
        .and_then(|time| time.checked_to_offset(UtcOffset::UTC))
        .filter(|time| time.year() > 1)
}

/// Writes `time` as the API's clients do: UTC with `Z`, whole seconds, rounded up so that a token
/// never ends before the moment that was asked for.
pub(super) fn format(time: OffsetDateTime) -> Option<String> {
    let time = time.checked_to_offset(UtcOffset::UTC)?;
    let whole = time.replace_nanosecond(0).ok()?;
    let whole = match time.nanosecond() {
        0 => whole,
        _ => whole.checked_add(time::Duration::SECOND)?,
    };
    whole.format(&Rfc3339).ok()
}

/// For `#[serde(default, deserialize_with = "timestamp::lenient")]`.
pub(super) fn lenient<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<OffsetDateTime>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(value.as_str().and_then(parse))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::any;
    use proptest::proptest;
    use time::OffsetDateTime;
    use time::macros::datetime;

    use super::format;
    use super::parse;

    #[test]
    fn reads_every_recorded_form() {
        for (text, expected) in [
            (
                "2025-06-17T02:26:29.846Z",
                Some(datetime!(2025-06-17 02:26:29.846 UTC)),
            ),
            (
                "2021-01-15T18:10:10.799083554Z",
                Some(datetime!(2021-01-15 18:10:10.799083554 UTC)),
            ),
            (
                "2022-06-28T10:00:00Z",
                Some(datetime!(2022-06-28 10:00:00 UTC)),
            ),
            (
                "2022-06-28T12:00:00+02:00",
                Some(datetime!(2022-06-28 10:00:00 UTC)),
            ),
            ("0001-01-01T00:00:00Z", None),
            ("", None),
            ("soon", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[test]
    fn writes_whole_seconds_rounded_up() {
        assert_eq!(
            format(datetime!(2026-11-24 18:10:09.000000001 +1)).as_deref(),
            Some("2026-11-24T17:10:10Z")
        );
        assert_eq!(
            format(datetime!(2026-11-24 18:10:10 UTC)).as_deref(),
            Some("2026-11-24T18:10:10Z")
        );
    }

    proptest! {
        #[test]
        fn parse_never_panics(text in any::<String>()) {
            let _ = parse(&text);
        }

        #[test]
        fn what_is_written_is_read_back(seconds in 0_i64..4_000_000_000) {
            let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap();
            assert_eq!(parse(&format(time).unwrap()), Some(time));
        }
    }
}
