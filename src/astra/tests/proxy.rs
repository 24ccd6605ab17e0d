//! A proxy that does not answer is named.

use std::process::Command;

use super::client;
use super::config;
use super::soon;

/// Set in the process that has a proxy in its environment, which no test may change in its own.
const INSIDE: &str = "ASTRA_TEST_INSIDE";

#[test]
fn a_proxy_that_is_down_is_named() {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program)
        .args(["--exact", "astra::tests::proxy::with_a_proxy", "--ignored"])
        .env(INSIDE, "1")
        .env("HTTPS_PROXY", "http://user:secret@127.0.0.1:1")
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("1 passed"), "{printed}");
}

#[tokio::test]
#[ignore = "for the process that a_proxy_that_is_down_is_named starts"]
async fn with_a_proxy() {
    if std::env::var_os(INSIDE).is_none() {
        return;
    }
    let client = client(config("https://api.astra.datastax.com"));
    let error = client.current_org(soon()).await.unwrap_err().to_string();
    let named = "https://api.astra.datastax.com (through the proxy http://127.0.0.1:1)";
    assert!(error.contains(named), "{error}");
    assert!(!error.contains("secret"), "{error}");
}
