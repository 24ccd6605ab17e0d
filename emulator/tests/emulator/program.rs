//! The program.

use std::process::Stdio;

use tokio::io::AsyncBufReadExt;
use tokio::io::BufReader;
use tokio::process::Child;
use tokio::process::Command;

use crate::harness::*;

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_astra-emulator"));
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

async fn first_line(child: &mut Child) -> String {
    let stdout = child.stdout.take().unwrap();
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).await.unwrap();
    line
}

#[tokio::test]
async fn one_line_says_how_to_use_it_and_sigterm_ends_it() {
    let mut child = program().args(["--seed", "3"]).spawn().unwrap();
    let line = first_line(&mut child).await;
    let words: Vec<&str> = line.trim_end().split(' ').collect();
    assert_eq!(words[..2], ["astra-emulator", "ready"]);
    let value = |name: &str| {
        let word = words.iter().find_map(|word| word.strip_prefix(name));
        word.unwrap_or_else(|| panic!("{name} in {line}"))
    };
    let http = client().build().unwrap();
    let url = format!("{}/v2/currentOrg", value("url="));
    let response = http
        .get(url)
        .bearer_auth(value("root_token="))
        .send()
        .await
        .unwrap();
    assert_eq!(
        got(response).await,
        (200, format!(r#"{{"id":"{}"}}"#, value("org=")))
    );
    let seeds = http
        .get(format!("{}/control/seeds", value("control=")))
        .send()
        .await
        .unwrap();
    assert_eq!(seeds.status(), 200);

    let pid = child.id().unwrap().to_string();
    assert!(
        Command::new("kill")
            .arg(pid)
            .status()
            .await
            .unwrap()
            .success()
    );
    let ended = tokio::time::timeout(LONG, child.wait_with_output()).await;
    let output = ended.unwrap().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[tokio::test]
async fn tls_writes_the_ca() {
    let file = std::env::temp_dir().join(format!("astra-emulator-{}.pem", std::process::id()));
    let mut child = program().arg("--ca-file").arg(&file).spawn().unwrap();
    let line = first_line(&mut child).await;
    assert!(line.contains("url=https://127.0.0.1:"), "{line}");
    assert!(
        line.contains(&format!("ca_file={}", file.display())),
        "{line}"
    );
    let pem = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----"));
}

#[tokio::test]
async fn a_proxy_needs_the_ca_but_no_tls_of_the_api() {
    let file = std::env::temp_dir().join(format!("astra-proxy-{}.pem", std::process::id()));
    let mut child = program()
        .args(["--proxy", "--ca-file"])
        .arg(&file)
        .spawn()
        .unwrap();
    let line = first_line(&mut child).await;
    assert!(line.contains(" url=http://127.0.0.1:"), "{line}");
    assert!(line.contains(" proxy=http://127.0.0.1:"), "{line}");
    let pem = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----"));
}

#[tokio::test]
async fn other_addresses_than_loopback_are_refused() {
    let output = program()
        .args(["--listen", "0.0.0.0:0"])
        .output()
        .await
        .unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("is not a loopback address"));
    assert!(output.stdout.is_empty());
    let help = program().arg("--help").output().await.unwrap();
    assert!(help.status.success());
    assert!(String::from_utf8_lossy(&help.stdout).contains("--profile"));
}
