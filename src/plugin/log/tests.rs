//! A host parses every line, and a wrong one crashes it.

use std::sync::Arc;

use parking_lot::Mutex;
use proptest::prelude::*;
use serde_json::Map;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tracing::Level;
use tracing_subscriber::layer::SubscriberExt as _;

use super::HostLayer;
use super::Line;

fn check(line: &[u8]) -> Map<String, Value> {
    assert!(line.len() < 64 << 10);
    assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
    assert_eq!(line.last(), Some(&b'\n'));
    let object: Map<String, Value> = serde_json::from_slice(line).unwrap();
    let level = object["@level"].as_str().unwrap();
    assert!(["trace", "debug", "info", "warn", "error"].contains(&level));
    assert!(object["@message"].is_string() && object["@module"].is_string());
    let timestamp = object["@timestamp"].as_str().unwrap();
    let (_, fraction) = timestamp.split_once('.').unwrap();
    assert_eq!(fraction.len(), "000000Z".len(), "{timestamp}");
    assert!(
        OffsetDateTime::parse(timestamp, &Rfc3339).is_ok(),
        "{timestamp}"
    );
    object
}

/// What `log` writes, each line checked.
fn lines(log: impl FnOnce()) -> Vec<Map<String, Value>> {
    let written = Arc::new(Mutex::new(Vec::new()));
    let layer = HostLayer::new({
        let written = Arc::clone(&written);
        move |line: &[u8]| written.lock().push(line.to_vec())
    });
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
    let written = written.lock();
    written.iter().map(|line| check(line)).collect()
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<String>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(|text| Value::from(text.repeat(5000))),
        any::<f64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        Just(Value::Null),
    ]
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        Just("@level".to_owned()),
        Just("@message".to_owned()),
        Just("@timestamp".to_owned()),
        Just("@@timestamp".to_owned()),
        Just("r#@level".to_owned()),
        Just("@".to_owned()),
    ]
}

proptest! {
    #[test]
    fn every_line_can_be_read(
        message in prop_oneof![any::<String>(), "[\\x00-\\x1f]{1,9}".prop_map(|text| text.repeat(20_000))],
        module in any::<String>(),
        fields in proptest::collection::vec((name(), value()), 0..6),
    ) {
        let mut line = Line::new(Level::WARN, &module, message.clone());
        fields.iter().for_each(|(name, value)| line.field(name, value.clone()));
        let object = check(&line.into_bytes());
        prop_assert_eq!(&object["@level"], "warn");
        let read = object["@message"].as_str().unwrap();
        prop_assert!(message.starts_with(read));
        prop_assert!(read == message || object["truncated"] == true);
    }
}

#[test]
fn events_carry_the_fields_of_their_spans() {
    let lines = lines(|| {
        let outer = tracing::info_span!("outer", mount = "example/", kind = "outer");
        let _outer = outer.enter();
        let inner = tracing::debug_span!("inner", kind = "inner", late = tracing::field::Empty);
        let _inner = inner.enter();
        inner.record("late", 7);
        tracing::warn!(count = 3, ratio = f64::NAN, r#type = true, error = ?Some("x"), "it \
            {}", "happened");
        tracing::trace!(kind = "own", "again");
    });
    let [first, second] = lines.as_slice() else {
        panic!("{lines:?}")
    };
    assert_eq!(first["@level"], "warn");
    assert_eq!(first["@message"], "it happened");
    assert_eq!(first["mount"], "example/");
    assert_eq!(first["kind"], "inner");
    assert_eq!(first["late"], 7);
    assert_eq!(first["count"], 3);
    assert_eq!(first["ratio"], "NaN");
    assert_eq!(first["type"], true);
    assert_eq!(first["error"], r#"Some("x")"#);
    assert_eq!(second["@level"], "trace");
    assert_eq!(second["kind"], "own");
}

#[test]
fn a_message_that_is_no_text_becomes_one() {
    let lines = lines(|| {
        tracing::info!(message = 7);
        tracing::info!(mount = "x");
        tracing::info!("@level" = 5, "plain");
    });
    assert_eq!(lines[0]["@message"], "7");
    assert_eq!(lines[1]["@message"], "");
    assert_eq!(lines[2]["@level"], "info");
    assert_eq!(lines[2]["field_level"], 5);
}
