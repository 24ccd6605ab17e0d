//! Logs: lines 66 and 67.

use serde_json::Value;
use serde_json::json;

use crate::host::Host;
use crate::host::Launch;
use crate::host::internal;
use crate::host::lease_request;
use crate::host::now;
use crate::host::request;
use crate::upstream::Upstream;

/// The longest line that a host reads in one piece.
const LINE_LIMIT: usize = 64 << 10;

/// Asserts that a host reads `line` as a log entry; some mistakes would end the whole server.
pub(crate) fn check_line(line: &str) {
    assert!(
        line.len() < LINE_LIMIT,
        "{} bytes: {}…",
        line.len(),
        &line[..200]
    );
    let entry: Value =
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
    let entry = entry
        .as_object()
        .unwrap_or_else(|| panic!("no object: {line:?}"));
    let text = |key: &str| {
        let value = entry.get(key).and_then(Value::as_str);
        value.unwrap_or_else(|| panic!("{key} is no string: {line:?}"))
    };
    let level = text("@level");
    assert!(
        ["trace", "debug", "info", "warn", "error"].contains(&level),
        "{line:?}"
    );
    assert!(!text("@message").is_empty(), "{line:?}");
    check_timestamp(text("@timestamp"));
    // Twice the same key would make the checks above meaningless.
    for key in ["@level", "@message", "@timestamp"] {
        assert_eq!(line.matches(&format!("\"{key}\":")).count(), 1, "{line:?}");
    }
}

/// `2006-01-02T15:04:05.000000Z07:00` in Go's notation: exactly six digits of a fraction.
fn check_timestamp(stamp: &str) {
    use time::format_description::well_known::Rfc3339;
    time::OffsetDateTime::parse(stamp, &Rfc3339)
        .unwrap_or_else(|error| panic!("{stamp:?}: {error}"));
    let (_, fraction) = stamp
        .split_once('.')
        .unwrap_or_else(|| panic!("{stamp:?} has no fraction"));
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    assert_eq!(digits, 6, "{stamp:?}");
}

/// Texts that have broken loggers before.
fn nasty() -> Vec<String> {
    vec![
        "line\nbreak\r\nand \u{2028}".to_owned(),
        "quote\" back\\slash \u{0} \u{1b}[31m".to_owned(),
        "\"@level\":7,\"@message\":null".to_owned(),
        "[ERROR] panic: fatal error: \t".to_owned(),
        "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 \u{202e}".to_owned(),
        "long".repeat(50_000),
        String::new(),
    ]
}

#[tokio::test]
async fn c66_every_line_on_stderr_is_one_that_a_host_can_read() {
    let upstream = Upstream::start().await;
    let mut host = Host::launch(Launch::new().with("ASTRA_PLUGIN_LOG_LEVEL", "trace")).await;
    let mount = host.mount().await;
    upstream.configure(&mount).await;
    upstream.write_role(&mount, "reader").await;
    for text in nasty() {
        let mut odd = request(
            "read",
            "creds/reader",
            json!({"reason": text, "@level": 3, text.as_str(): text}),
        );
        odd.display_name = text.clone();
        odd.id = text.clone();
        odd.mount_point = text.clone();
        mount.client().send(odd).await;
        mount
            .client()
            .send(request("read", &text, Value::Null))
            .await;
        mount
            .client()
            .send(request(&text, &text, json!({text.as_str(): 1})))
            .await;
        let role = request(
            "update",
            "roles/odd",
            json!({"astra_roles": text, "config": text}),
        );
        mount.client().send(role).await;
        let config = request(
            "update",
            "config/odd",
            json!({"token": text, "url": text, "ca_cert": text}),
        );
        mount.client().send(config).await;
        mount.client().invalidate(&text).await.unwrap();
    }
    upstream.break_answers();
    mount.rollback().await;
    mount.read("creds/reader").await;
    mount.services.storage.set_mode(crate::host::Mode::Missing);
    mount.rollback().await;
    assert!(
        !host.process.stderr.lines().is_empty(),
        "nothing was logged"
    );
    // Every line is checked at the end.
    host.finish().await;
}

#[tokio::test]
async fn c67_no_secret_is_logged_at_trace_level() {
    let upstream = Upstream::start().await;
    let launch = Launch::new()
        .with("ASTRA_PLUGIN_LOG_LEVEL", "trace")
        .with("RUST_LOG", "trace");
    let mut host = Host::launch(launch).await;
    let mount = host.mount().await;
    let mut secrets = upstream.root_secrets();
    upstream.configure(&mount).await;
    upstream.write_role(&mount, "reader").await;

    // Root tokens that are refused, for every reason.
    let marked = format!(
        "AstraCS:{}:{}",
        "markedMarkedMarkedMarked",
        "5ec2e7".repeat(10) + "abcd"
    );
    for token in [
        json!(marked),
        json!("5ec2e7-unusual"),
        json!([marked, {"a": "5ec2e7"}]),
        json!({"t": marked}),
    ] {
        let mut data = upstream.config();
        data["token"] = token;
        let reply = mount
            .client()
            .send(request("update", "config/marked", data))
            .await;
        assert!(reply.is_error());
    }
    secrets.push("5ec2e7".to_owned());

    let credential = mount.read("creds/reader").await;
    let other = mount
        .write("creds/reader", json!({"reason": "a test"}))
        .await;
    for reply in [&credential, &other] {
        for key in ["token", "client_secret"] {
            secrets.push(reply.data()[key].as_str().unwrap().to_owned());
        }
    }
    let fields =
        json!({"astra_roles": upstream.role_name(), "rotation_period": "1h", "overlap": "1m"});
    assert!(!mount.write("static-roles/kept", fields).await.is_error());
    assert!(!mount.write("rotate-role/kept", json!({})).await.is_error());
    mount.read("static-creds/kept").await.data();
    assert!(!mount.write("rotate-root", json!({})).await.is_error());
    for path in ["config", "status", "static-roles/kept"] {
        mount.read(path).await.data();
    }
    for path in [
        "tokens/default/",
        "astra-roles/default/",
        "databases/default/",
    ] {
        mount.list(path).await.data();
    }

    // A host sends the data back with the lease.
    let lease = credential.lease();
    for operation in ["renew", "revoke", "revoke"] {
        let mut again = lease_request(operation, "creds/reader", lease.returned(now(), 60));
        again.data = Value::Object(credential.data()).to_string();
        assert!(!mount.client().send(again).await.is_error());
    }
    mount
        .client()
        .send(internal("help", "", Value::Null))
        .await
        .data();

    // Failures quote what they failed on.
    upstream.break_answers();
    assert!(mount.read("creds/reader").await.is_error());
    mount.revoke("creds/reader", &other.lease()).await;
    mount.rollback().await;
    upstream.forget_faults();
    mount.services.storage.put(
        "v1/config/default",
        format!("{{\"version\":1,\"token\":\"{}\",", secrets[0]),
    );
    mount
        .client()
        .invalidate("v1/config/default")
        .await
        .unwrap();
    assert!(mount.read("config").await.is_error());

    host.shutdown().await;
    host.process.stderr.end().await;
    let logged = host.process.stderr.text();
    assert!(!logged.is_empty(), "nothing was logged");
    secrets.extend(upstream.secrets());
    for secret in secrets {
        assert!(!logged.contains(&secret), "a secret was logged: {logged}");
    }
}
