//! The commands of `docs/takeover.md`, in the order of the page, on a mount with the entries and the leases
//! of the archived engine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use harness::Astra;
use harness::HOUR;
use harness::Options;
use harness::Output;
use harness::Plugin;
use harness::SOON;
use harness::Server;
use harness::Storage;
use harness::TestMount;
use harness::wait_until;
use serde_json::Value;
use serde_json::json;

use super::archived::OLD_NAME;
use super::archived::OLD_VERSION;
use super::archived::Words;
use crate::setup::BINARY;
use crate::setup::VERSION;
use crate::upgrade::binary_of_version;

const PAGE: &str = include_str!("../../../docs/takeover.md");
/// The organization of the page's examples.
const SAMPLE_ORG: &str = "6ac1ee50-9a4c-4b3c-a6c8-a4a1f2d8c1a0";

/// The blocks of the page that are run.
fn blocks() -> Vec<String> {
    let parts = PAGE.split("```shell\n").skip(1);
    parts
        .map(|part| part.split("```\n").next().unwrap().to_owned())
        .collect()
}

/// The mount as the archived engine leaves it.
struct OldMount {
    mount: TestMount,
    folder: tempfile::TempDir,
    words: Words,
    leases: BTreeMap<String, String>,
}

impl OldMount {
    /// Its leases end after `life`.
    async fn new(life: Duration) -> Self {
        let options = Options {
            storage: Storage::Raft,
            raw_storage: true,
            ..Options::default()
        };
        let server = Arc::new(Server::start(options).await);
        let folder = tempfile::tempdir().unwrap();
        let old = folder.path().join(OLD_NAME);
        binary_of_version(OLD_VERSION, &old).await;
        let plugin = Plugin::install(&server, &old, OLD_NAME, OLD_VERSION);
        plugin.register(&server.api()).await;
        std::fs::copy(BINARY, folder.path().join("vault-plugin-secrets-astra")).unwrap();
        let astra = Astra::start().await;
        let mount = TestMount::enable(&server, plugin, astra, "astra").await;
        let words = Words::of(&mount.astra).await;
        let leases = words.put(&mount.stored, life).await;
        Self {
            mount,
            folder,
            words,
            leases,
        }
    }

    /// Runs a block of the page as its reader would.
    async fn try_run(&self, block: &str) -> Output {
        let plugins = self.mount.server.plugin_directory();
        let block = block
            .replace("/etc/vault/plugins", &plugins.display().to_string())
            .replace(SAMPLE_ORG, self.words.of_word("$ORG_A"));
        let variables = [
            ("NEW", VERSION),
            ("LEASE", self.leases["2 empty standard"].as_str()),
        ];
        let cli = &self.mount.cli;
        cli.script(self.folder.path(), &block, &variables).await
    }

    async fn run(&self, block: &str) -> String {
        self.try_run(block).await.ok()
    }

    /// The answer that the last command of a block prints.
    async fn answer(&self, block: &str) -> Value {
        let printed = self.run(block).await;
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error} in {printed}"))
    }

    fn is_live(&self, word: &str) -> bool {
        self.words.is_live(&self.mount.astra, word)
    }
}

#[tokio::test]
async fn the_commands_of_the_page_take_a_mount_over_and_back() {
    let old = OldMount::new(HOUR).await;
    let all = blocks();
    let [
        register,
        switch,
        look,
        irrevocable,
        dry_run,
        import,
        creds,
        back,
        finish,
        deregister,
    ] = all.as_slice()
    else {
        panic!("{} blocks", all.len());
    };
    let OldMount {
        mount,
        words,
        leases,
        ..
    } = &old;
    let entries = async || words.samples(&mount.stored).await;
    let before = entries().await;
    assert!(before.iter().all(Option::is_some));

    old.run(register).await;
    old.run(switch).await;
    let looked = old.run(look).await;
    assert!(looked.starts_with(VERSION), "{looked}");
    assert!(looked.contains("\"state\": \"open\""), "{looked}");

    // Nothing is imported, and leases are served.
    let body = json!({ "lease_id": leases["2 standard"] });
    let renewed = mount.api.write("sys/leases/renew", body).await.ok();
    assert_eq!(renewed["lease_duration"], 3_600);
    mount.revoke(&leases["2 crossed"]).await;
    assert!(
        !old.is_live("$ID_CROSSED"),
        "deleted in the organization that has it"
    );
    old.run(irrevocable).await;
    assert_eq!(entries().await, before);

    let report = old.answer(dry_run).await;
    assert_eq!(report["data"]["dry_run"], true);
    let report = old.answer(import).await;
    assert_eq!(
        (&report["data"]["problems"], &report["data"]["complete"]),
        (&json!(0), &json!(true)),
        "{report}"
    );
    assert_eq!(entries().await, before, "the old entries stay");
    let credential = mount.hold(&old.answer(creds).await);
    assert!(mount.astra.accepts(&credential.token).await);

    // An application that has not been moved.
    let asked = json!({ "org_id": words.of_word("$ORG_B"), "role_name": "api_ro_user" });
    let answer = mount.write("org/token", asked).await;
    let warning = "astra/org/token is deprecated: read astra/creds/";
    assert!(
        answer
            .warnings()
            .iter()
            .any(|text| text.starts_with(warning)),
        "{:?}",
        answer.warnings()
    );
    let minted = answer.ok();
    assert!(
        minted["lease_id"]
            .as_str()
            .unwrap()
            .starts_with("astra/org/token/")
    );
    assert!(
        mount
            .astra
            .accepts(minted["data"]["token"].as_str().unwrap())
            .await
    );

    let version = look.lines().next().unwrap();
    old.run(back).await;
    assert_eq!(old.run(version).await.trim(), OLD_VERSION);
    old.run(switch).await;
    assert_eq!(old.run(version).await.trim(), VERSION);

    let refused = old.try_run("vault write astra/import finish=true").await;
    let text = refused.refused();
    assert!(text.contains("2 tokens are stored"), "{text}");
    mount.expect_replaced_root();
    old.run(finish).await;
    assert!(!old.is_live("$ID_STANDARD") && !old.is_live("$ID_SIDECAR"));
    assert_eq!(entries().await, [None, None, None]);
    let replaced = mount.data("config/prod").await["token_client_id"]
        .as_str()
        .unwrap()
        .to_owned();
    mount.keep(&replaced, None);
    old.run(deregister).await;
    let state = mount.data("import").await;
    assert_eq!(state["state"], "finished");
    mount.revoke(&credential.lease_id).await;
    let gone = mount
        .write(
            "org/token",
            json!({ "org_id": words.of_word("$ORG_B"), "role_name": "api_ro_user" }),
        )
        .await;
    assert_eq!(gone.status, 404);
    old.mount.finish().await;
}

/// Nothing is imported, and no one asks for anything.
#[tokio::test]
async fn old_leases_end_by_themselves() {
    let old = OldMount::new(Duration::from_secs(1)).await;
    // A server reads at its start what was put into its storage past it.
    old.mount.server.restart().await;
    wait_until("the leases have ended", SOON, async || {
        let api = &old.mount.api;
        harness::leases(api, "astra/").await.is_empty() && old.mount.astra.live().is_empty()
    })
    .await;
    old.mount.finish().await;
}

/// Under the archived engine this leaves the mount tainted.
#[tokio::test]
async fn a_mount_with_old_leases_can_be_disabled() {
    let old = OldMount::new(HOUR).await;
    assert_eq!(old.mount.astra.live().len(), 3);
    old.mount.api.delete("sys/mounts/astra").await.ok();
    assert_eq!(old.mount.astra.live(), [""; 0]);
    old.mount.check_logs();
}
