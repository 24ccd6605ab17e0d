//! Texts with a syntax of their own: durations, cron schedules, tags, tokens, URLs, times.

use time::OffsetDateTime;
use vault_plugin_secrets_astra::astra::BaseUrl;
use vault_plugin_secrets_astra::astra::client_id;
use vault_plugin_secrets_astra::astra::fuzzing::retry_after;
use vault_plugin_secrets_astra::astra::fuzzing::timestamp;
use vault_plugin_secrets_astra::engine::fuzzing::cron;
use vault_plugin_secrets_astra::engine::fuzzing::tag;
use vault_plugin_secrets_astra::framework::format_seconds;
use vault_plugin_secrets_astra::framework::parse_seconds;

/// The bytes are the text, which every reader gets.
pub fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Ok(seconds) = parse_seconds(&text) {
        let written = format_seconds(seconds);
        assert_eq!(parse_seconds(&written), Ok(seconds), "{written}");
    }
    let now = OffsetDateTime::UNIX_EPOCH;
    if let Some((next, gap)) = cron(&text, now) {
        assert!(next > now && gap >= 60, "{next} {gap}");
    }
    if let Some(written) = tag(&text) {
        assert_eq!(tag(&written).as_ref(), Some(&written));
    }
    if let Ok(id) = client_id(&text) {
        assert_eq!(id.len(), 24);
    }
    if let Ok(url) = BaseUrl::parse(&text) {
        let again = BaseUrl::parse(url.as_str());
        assert_eq!(again.as_ref().map(BaseUrl::as_str), Ok(url.as_str()));
        assert!(url.is_loopback() || url.as_str().starts_with("https://"));
    }
    let _ = timestamp(&text);
    let _ = retry_after(&text);
}
