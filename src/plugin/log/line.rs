//! One log line in the host's JSON form.

use serde_json::Map;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use tracing::Level;

/// Hosts read lines through a buffer of 64 KiB and take a longer one apart.
const CAP: usize = 60 << 10;

/// How much of a text is kept if the line is too long.  JSON escapes can make six bytes out of one.
const HEAD: usize = 4 << 10;

/// Exactly six digits: with any other number the host does not recognise the line.
const TIMESTAMP: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

/// A line in the making.
///
/// The keys `@level`, `@message` and `@timestamp` are always strings and no field can take their
/// place: any other type crashes the host.
pub(crate) struct Line {
    level: &'static str,
    module: String,
    message: String,
    timestamp: String,
    fields: Map<String, Value>,
}

impl Line {
    /// A line of now.
    pub(crate) fn new(level: Level, module: &str, message: String) -> Self {
        Self {
            level: word(level),
            module: module.to_owned(),
            message,
            timestamp: timestamp(OffsetDateTime::now_utc()),
            fields: Map::new(),
        }
    }

    /// Adds a field; names that the host reserves are changed.
    pub(crate) fn field(&mut self, name: &str, value: Value) {
        let name = name.strip_prefix("r#").unwrap_or(name);
        let name = match name.trim_start_matches('@') {
            "" => "field".to_owned(),
            plain if plain.len() < name.len() => format!("field_{plain}"),
            plain => plain.to_owned(),
        };
        self.fields.insert(name, value);
    }

    /// The text, one line with its end.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        let Self {
            level,
            module,
            message,
            timestamp,
            fields,
        } = self;
        let whole = render(fields, level, &module, &message, &timestamp);
        if whole.len() <= CAP {
            return whole;
        }
        let mut cut = Map::new();
        cut.insert("truncated".to_owned(), true.into());
        render(cut, level, head(&module), head(&message), &timestamp)
    }
}

fn render(
    mut object: Map<String, Value>,
    level: &str,
    module: &str,
    message: &str,
    timestamp: &str,
) -> Vec<u8> {
    for (key, text) in [
        ("@level", level),
        ("@module", module),
        ("@message", message),
        ("@timestamp", timestamp),
    ] {
        object.insert(key.to_owned(), text.into());
    }
    let mut line = Value::Object(object).to_string();
    line.push('\n');
    line.into_bytes()
}

fn head(text: &str) -> &str {
    let end = (0..=HEAD.min(text.len()))
        .rev()
        .find(|end| text.is_char_boundary(*end));
    end.and_then(|end| text.get(..end)).unwrap_or_default()
}

fn word(level: Level) -> &'static str {
    match level {
        Level::TRACE => "trace",
        Level::DEBUG => "debug",
        Level::INFO => "info",
        Level::WARN => "warn",
        Level::ERROR => "error",
    }
}

fn timestamp(now: OffsetDateTime) -> String {
    now.to_offset(time::UtcOffset::UTC)
        .format(TIMESTAMP)
        .unwrap_or_else(|_| "1970-01-01T00:00:00.000000Z".to_owned())
}
