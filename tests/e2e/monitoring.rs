//! docs/monitoring.md with a real Prometheus: it scrapes a real Vault with a token of one policy, and every
//! expression of the dashboard returns data.

use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use harness::Port;
use harness::READ_ONLY;
use harness::TestMount;
use harness::wait_until;
use serde_json::Value;
use serde_json::json;

use crate::setup;

/// Many scrapes on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(300);

/// The folder of `prometheus` and `promtool`; `None`, with a line that says so, where there is none.
fn programs() -> Option<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/prometheus");
    let output = Command::new(script).output().expect("scripts/prometheus");
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        println!("skipped: {}", why.trim());
        return None;
    }
    let folder = String::from_utf8(output.stdout).expect("a path");
    Some(PathBuf::from(folder.trim()))
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples")
}

/// Ends Prometheus with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn promtool(programs: &Path, arguments: &[&str], input: &str) -> String {
    let mut child = Command::new(programs.join("promtool"))
        .args(arguments)
        .current_dir(examples())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool");
    let mut stdin = child.stdin.take().expect("its input");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "promtool {arguments:?}: {text}");
    text
}

/// What the demo does: leases, a static role, rotations, a refusal.
async fn story(mount: &TestMount) {
    let first = mount.credential("reader").await;
    mount.credential("reader").await;
    let lease = first.lease_id.clone();
    mount
        .api
        .write("sys/leases/renew", json!({ "lease_id": lease }))
        .await
        .ok();
    mount.revoke(&first.lease_id).await;
    let role = json!({ "astra_roles": READ_ONLY, "rotation_period": "24h" });
    mount.write("static-roles/batch", role).await.ok();
    mount.write("rotate-role/batch", json!({})).await.ok();
}

/// As a form has it.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

async fn scrape(mount: &TestMount, token: &str) -> (u16, String) {
    let url = format!("{}/v1/{}", mount.api.address(), mount.path("metrics"));
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    let answer = client.get(url).header("X-Vault-Token", token).send().await;
    let answer = answer.expect("an answer");
    let status = answer.status().as_u16();
    (status, answer.text().await.expect("a text"))
}

#[tokio::test]
async fn prometheus_reads_the_metrics_and_the_dashboard_has_data() {
    let Some(programs) = programs() else {
        return;
    };
    let mount = setup::mount("monitoring").await;
    let rule = format!(
        "path \"{}\" {{ capabilities = [\"read\"] }}",
        mount.path("metrics")
    );
    let policy = json!({ "policy": rule });
    mount
        .api
        .write("sys/policies/acl/monitoring", policy)
        .await
        .ok();
    let token = mount.api.child_token(&["monitoring"]).await;
    assert_eq!(scrape(&mount, "").await.0, 403, "never without a token");

    story(&mount).await;
    let (status, text) = scrape(&mount, &token).await;
    assert_eq!(status, 200, "{text}");
    promtool(&programs, &["check", "metrics"], &text);
    promtool(&programs, &["check", "rules", "prometheus-rules.yml"], "");
    promtool(
        &programs,
        &["test", "rules", "prometheus-rules.test.yml"],
        "",
    );

    let folder = tempfile::tempdir().expect("a folder");
    let token_file = folder.path().join("token");
    std::fs::write(&token_file, &token).expect("the token");
    let example = std::fs::read_to_string(examples().join("prometheus.yml")).expect("the example");
    let target = mount.api.address().trim_start_matches("http://");
    let configuration = example
        // A scrape may take as long as the pause between two; on a busy machine one takes a second at times.
        .replace("15s", "5s")
        .replace("/v1/astra/", &format!("/v1/{}/", mount.name))
        .replace("/etc/prometheus/vault-token", &token_file.to_string_lossy())
        .replace("127.0.0.1:8200", target)
        .replace(
            "prometheus-rules.yml",
            &examples().join("prometheus-rules.yml").to_string_lossy(),
        );
    let file = folder.path().join("prometheus.yml");
    std::fs::write(&file, configuration).expect("the configuration");
    let port = Port::reserve();
    let address = format!("127.0.0.1:{}", port.number());
    let prometheus = Command::new(programs.join("prometheus"))
        .arg(format!("--config.file={}", file.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            folder.path().join("data").display()
        ))
        .arg(format!("--web.listen-address={address}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("prometheus");
    let _running = Running(prometheus);

    mount.until_tick().await;
    mount.until_tick().await;
    let dashboard = std::fs::read(examples().join("grafana-dashboard.json")).expect("a dashboard");
    let dashboard: Value = serde_json::from_slice(&dashboard).expect("JSON");
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    let mut expressions = 0;
    for panel in dashboard["panels"].as_array().expect("panels") {
        for target in panel["targets"].as_array().expect("targets") {
            let expression = target["expr"].as_str().expect("an expression");
            wait_until(expression, TIMEOUT, async || {
                let query = client
                    .post(format!("http://{address}/api/v1/query"))
                    .header("Content-Type", "application/x-www-form-urlencoded")
                    .body(format!("query={}", encoded(expression)))
                    .send();
                let Ok(answer) = query.await else {
                    return false;
                };
                let Ok(answer) = answer.bytes().await else {
                    return false;
                };
                let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
                answer["data"]["result"]
                    .as_array()
                    .is_some_and(|result| !result.is_empty())
            })
            .await;
            expressions += 1;
        }
    }
    assert!(expressions > 10, "{expressions} expressions");
    let batch = mount.path("static-roles/batch");
    mount.api.delete(&batch).await.ok();
    mount.finish().await;
}
