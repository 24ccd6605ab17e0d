//! The one way in which messages write durations.

use std::time::Duration;

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

/// The same of a duration, which may be a fraction of a second: in tenths then.
pub(crate) fn format_duration(duration: Duration) -> String {
    match i64::try_from(duration.as_secs()) {
        Ok(seconds) if duration.subsec_millis() == 0 => format_seconds(seconds),
        Ok(seconds @ 60..) => format_seconds(seconds),
        _ => format!("{:.1}s", duration.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::format_duration;
    use super::format_seconds;

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

    #[test]
    fn fractions_are_told_where_they_count() {
        for (millis, text) in [
            (0, "0s"),
            (300, "0.3s"),
            (4_320, "4.3s"),
            (30_000, "30s"),
            (90_500, "1m30s"),
        ] {
            assert_eq!(format_duration(Duration::from_millis(millis)), text);
        }
    }
}
