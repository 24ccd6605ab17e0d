//! Vault Agent with the template of `docs/examples`.

use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::json;
use tokio::process::Command;
use tokio::time::timeout;

use harness::READ_ONLY;
use harness::SOON;
use harness::TestMount;
use harness::wait_until;

use crate::recipes::commands::Shell;
use crate::recipes::commands::blocks;
use crate::setup;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples")
}

/// Runs the agent of the example once, with the template that is in `folder`; false where the agent is
/// older than the way to log in that the example uses.
async fn run_agent(mount: &TestMount, folder: &Path) -> bool {
    let config = "vault-agent.hcl";
    std::fs::copy(examples().join(config), folder.join(config)).unwrap();
    std::fs::write(folder.join("vault-token"), &mount.cli.token).unwrap();
    let agent = Command::new(&mount.cli.binary)
        .args(["agent", "-config=vault-agent.hcl", "-exit-after-auth"])
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder)
        .env("VAULT_ADDR", &mount.cli.address)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(SOON, agent).await.unwrap().unwrap();
    let log = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    if log.contains("Unknown auth method \"token_file\"") {
        println!("the agent of this host cannot log in with a token from a file");
        return false;
    }
    assert!(output.status.success(), "{log}");
    true
}

#[tokio::test]
async fn the_agent_template_fills_the_environment_of_an_application() {
    // The template reads the mount where the documents have it.
    let mount = setup::mount("astra").await;
    let id = mount.astra.emulator.seeds().databases["vector_db"]
        .id
        .clone();
    let role = json!({ "astra_roles": READ_ONLY, "database_id": id, "keyspace": "app" });
    mount.write("roles/app", role).await.ok();

    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(
        examples().join("vault-agent.ctmpl"),
        folder.path().join("vault-agent.ctmpl"),
    )
    .unwrap();
    if !run_agent(&mount, folder.path()).await {
        return;
    }

    let file = std::fs::read_to_string(folder.path().join("astra.env")).unwrap();
    let lines: Vec<(&str, &str)> = file
        .lines()
        .filter_map(|line| line.split_once('='))
        .collect();
    let names: Vec<&str> = lines.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names,
        [
            "ASTRA_DB_ID",
            "ASTRA_DB_REGION",
            "ASTRA_DB_KEYSPACE",
            "ASTRA_DB_API_ENDPOINT",
            "ASTRA_DB_APPLICATION_TOKEN"
        ]
    );
    let values: Vec<&str> = lines.iter().map(|(_, value)| *value).collect();
    assert_eq!(values[..3], [id.as_str(), "us-east1", "app"]);
    assert!(
        mount.astra.accepts(values[4]).await,
        "the application's token works"
    );
    the_recipe_gives_an_environment(&mount, values[4]).await;

    mount
        .cli
        .ok(&["lease", "revoke", "-sync", "-prefix", "astra/creds/app"])
        .await;
    assert!(!mount.astra.accepts(values[4]).await);
    mount.finish().await;
}

/// The block of the page, and the agent's end; its token is another one than `before`.
async fn the_recipe_gives_an_environment(mount: &TestMount, before: &str) {
    let shell = Shell::new(mount);
    let folder = shell.folder.path().join("docs/examples");
    std::fs::create_dir_all(&folder).unwrap();
    for file in ["vault-agent.hcl", "vault-agent.ctmpl"] {
        std::fs::copy(examples().join(file), folder.join(file)).unwrap();
    }
    let block = blocks("Vault Agent")[0];
    let script = format!(
        "trap 'kill $(jobs -p)' EXIT\n{block}\nprintf 'token=%s\\n' \"$ASTRA_DB_APPLICATION_TOKEN\""
    );
    let printed = timeout(SOON, shell.run(&script)).await.unwrap();
    let mut tokens = printed
        .lines()
        .filter_map(|line| line.strip_prefix("token="));
    let token = tokens.next_back().unwrap();
    assert_ne!(token, before);
    assert!(mount.astra.accepts(token).await);
}

/// What a refused renewal looks like to those who read an agent's log.
#[tokio::test]
async fn a_refused_renewal_reads_well_in_the_agents_log() {
    let mount = setup::mount("agent-refused").await;
    // The agent asks for the renewal when two thirds of this have passed, and on a busy machine late.
    let role = json!({ "astra_roles": READ_ONLY, "ttl": "60s", "max_ttl": "1h" });
    mount.write("roles/app", role).await.ok();
    let folder = tempfile::tempdir().unwrap();
    let template = format!(
        "{{{{ with secret \"{}\" }}}}{{{{ .Data.client_id }}}}{{{{ end }}}}",
        mount.path("creds/app")
    );
    std::fs::write(folder.path().join("vault-agent.ctmpl"), template).unwrap();
    if !run_agent(&mount, folder.path()).await {
        return;
    }
    let file = folder.path().join("astra.env");
    std::fs::remove_file(&file).unwrap();
    let log = folder.path().join("agent.log");
    let output = std::fs::File::create(&log).unwrap();
    let mut agent = Command::new(&mount.cli.binary)
        .args(["agent", "-config=vault-agent.hcl"])
        .current_dir(folder.path())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder.path())
        .env("VAULT_ADDR", &mount.cli.address)
        .stdin(Stdio::null())
        .stdout(output.try_clone().unwrap())
        .stderr(output)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    wait_until("the agent has a credential", SOON, async || file.exists()).await;
    mount.api.delete(&mount.path("roles/app")).await.ok();
    let expected = "role \"app\" does not exist any more, so its leases are not extended";
    let text = || std::fs::read_to_string(&log).unwrap().replace('\\', "");
    wait_until("the renewal is refused", SOON, async || {
        text().contains(expected)
    })
    .await;
    let text = text();
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| line.contains(expected))
        .collect();
    for line in lines {
        let printed_by_go = ["&logical.Response", "%!w", "<nil>"];
        assert!(
            !printed_by_go.iter().any(|word| line.contains(word)),
            "{line}"
        );
    }
    agent.kill().await.unwrap();
    harness::revoke_prefix(&mount.api, &mount.path("creds/")).await;
    mount.finish().await;
}

#[tokio::test]
async fn a_template_takes_the_token_of_a_static_role() {
    let mount = setup::mount("agent-static").await;
    let role = json!({ "astra_roles": READ_ONLY, "rotation_period": "24h" });
    mount.write("static-roles/batch", role).await.ok();
    let folder = tempfile::tempdir().unwrap();
    let template = format!(
        "{{{{ with secret \"{}\" }}}}{{{{ .Data.token }}}} {{{{ .Data.ttl }}}} {{{{ \
         .Data.last_vault_rotation }}}}{{{{ end }}}}",
        mount.path("static-creds/batch")
    );
    std::fs::write(folder.path().join("vault-agent.ctmpl"), template).unwrap();
    if !run_agent(&mount, folder.path()).await {
        return;
    }
    let file = std::fs::read_to_string(folder.path().join("astra.env")).unwrap();
    let words: Vec<&str> = file.split(' ').collect();
    let [token, ttl, rotated] = words[..] else {
        panic!("{file}");
    };
    assert!(mount.astra.accepts(token).await);
    assert!((1..=86_400).contains(&ttl.parse::<u64>().unwrap()), "{ttl}");
    assert!(rotated.ends_with('Z'), "{rotated}");
    mount
        .api
        .delete(&mount.path("static-roles/batch"))
        .await
        .ok();
    mount.finish().await;
}
