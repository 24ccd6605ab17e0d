//! A takeover on three nodes, all of it asked of nodes that are not active, and the active one killed in the
//! middle.

use std::collections::BTreeMap;

use harness::Api;
use harness::Astra;
use harness::Cluster;
use harness::HOUR;
use harness::SOON;
use harness::Stored;
use harness::wait_until;
use reqwest::Method;
use serde_json::Value;
use serde_json::json;

use super::archived;
use super::archived::OLD_NAME;
use super::archived::OLD_VERSION;
use super::archived::Words;
use crate::setup::VERSION;
use crate::upgrade::binary_of_version;

/// Three nodes with a mount as the archived engine leaves it.
struct OldCluster {
    cluster: Cluster,
    astra: Astra,
    words: Words,
    leases: BTreeMap<String, String>,
}

impl OldCluster {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let old = folder.path().join(OLD_NAME);
        binary_of_version(OLD_VERSION, &old).await;
        let (cluster, plugin) = archived::cluster(&old, true).await;
        let (api, astra) = (cluster.active().await.api(), Astra::start().await);
        plugin.enable(&api, "astra", json!({})).await;
        let words = Words::of(&astra).await;
        let leases = words.put(&Stored::new(&api, "astra"), HOUR).await;
        Self {
            cluster,
            astra,
            words,
            leases,
        }
    }

    /// A node that is not active.
    async fn standby(&self) -> Api {
        self.cluster.standbys().await[0].api()
    }

    /// The node to ask for something about leases: a standby where standbys serve that.
    async fn of_leases(&self, lease: &str) -> Api {
        let standby = self.standby().await;
        match harness::serves_leases(&standby, lease).await {
            true => standby,
            false => self.cluster.active().await.api(),
        }
    }

    /// Switches the mount to this engine. A standby that answers for itself may not know yet what was
    /// registered a moment ago, so the active node is told.
    async fn switch(&self) {
        let active = self.cluster.active().await;
        archived::register_new(active).await;
        archived::switch(&active.api(), VERSION).await;
        self.until_each("is switched", "status", |data| data["version"] == VERSION)
            .await;
    }

    /// Waits until each node that lives answers a read of `path` with what `is_it`.
    async fn until_each(&self, what: &str, path: &str, is_it: impl Fn(&Value) -> bool) {
        let path = format!("astra/{path}");
        wait_until(&format!("each node {what}"), SOON, async || {
            for node in &self.cluster.nodes {
                let read = node.api().try_request(Method::GET, &path, None).await;
                match read {
                    Ok(reply) if reply.is_ok() && is_it(&reply.body["data"]) => {}
                    _ => return false,
                }
            }
            true
        })
        .await;
    }

    async fn renew(&self, name: &str) {
        let lease = &self.leases[name];
        let api = self.of_leases(lease).await;
        let body = json!({ "lease_id": lease });
        let renewed = api.write("sys/leases/renew", body).await.ok();
        assert!(renewed["lease_duration"].as_u64() > Some(0), "{renewed}");
    }

    /// Asks a standby for a token at the path of the archived engine, and counts the mints.
    async fn org_token(&self) {
        let before = self.astra.minted();
        let asked = json!({ "org_id": self.words.of_word("$ORG_B"), "role_name": "api_ro_user" });
        let answer = self.standby().await.write("astra/org/token", asked).await;
        let token = answer.ok()["data"]["token"].take();
        assert!(self.astra.accepts(token.as_str().unwrap()).await);
        assert_eq!(self.astra.minted(), before + 1, "it is minted once");
    }
}

#[tokio::test]
async fn a_takeover_that_is_asked_of_standbys_survives_the_active_node() {
    let old = OldCluster::start().await;
    let (astra, words) = (&old.astra, &old.words);
    let stored = Stored::new(&old.cluster.active().await.api(), "astra");
    let before = words.samples(&stored).await;
    assert!(before.iter().all(Option::is_some));
    old.switch().await;
    old.until_each("sees what is there", "import", |data| {
        data["state"] == "open" && data["left"]["configs"] == 3
    })
    .await;

    // Leases are served before anything is imported.
    old.renew("2 standard").await;
    let crossed = &old.leases["2 crossed"];
    let end = json!({ "lease_id": crossed, "sync": true });
    let of_leases = old.of_leases(&old.leases["2 standard"]).await;
    of_leases.write("sys/leases/revoke", end).await.ok();
    assert!(!words.is_live(astra, "$ID_CROSSED"));

    let names = json!({
        words.fill("$ORG_A"): "prod",
        words.fill("$ORG_A:api_ro_user"): "reader",
        words.fill("$ORG_A:ghost"): "",
        "ccd123456_facd_4ad3": "",
    });
    for dry_run in [true, false] {
        let asked = json!({ "dry_run": dry_run, "names": names });
        let report = old.standby().await.write("astra/import", asked).await;
        let report = report.data();
        assert_eq!(
            (&report["problems"], &report["complete"]),
            (&json!(0), &json!(!dry_run)),
            "{report}"
        );
    }
    assert_eq!(words.samples(&stored).await, before, "old entries stay");
    old.until_each("sees the import", "import", |data| {
        data["state"] == "imported"
    })
    .await;
    old.org_token().await;
    let creds = old.standby().await.read("astra/creds/reader").await.ok();
    assert!(
        astra
            .accepts(creds["data"]["token"].as_str().unwrap())
            .await
    );

    let leader = old.cluster.active().await;
    leader.kill();
    wait_until("another node leads", SOON, async || {
        let active = old.cluster.active().await;
        let read = active.api().read("astra/import").await;
        read.is_ok() && read.data()["state"] == "imported"
    })
    .await;
    leader.restart().await;
    old.until_each("serves again", "import", |data| data["state"] == "imported")
        .await;
    old.renew("2 standard").await;
    old.org_token().await;

    let active = old.cluster.active().await.api();
    let asked = json!({ "finish": true });
    let refused = old.standby().await.write("astra/import", asked).await;
    let text = refused.refused(400);
    assert!(text.contains("2 tokens are stored"), "{text}");
    harness::revoke_prefix(&active, "astra/org/token").await;
    let asked = json!({ "finish": true });
    let finished = old.standby().await.write("astra/import", asked).await;
    assert_eq!(finished.data()["complete"], true);
    old.until_each("sees the end", "import", |data| {
        data["state"] == "finished" && data["left"]["tokens"] == 0
    })
    .await;
    let stored = Stored::new(&active, "astra");
    assert_eq!(words.samples(&stored).await, [None, None, None]);
    let asked = json!({ "org_id": words.of_word("$ORG_B"), "role_name": "api_ro_user" });
    let gone = old.standby().await.write("astra/org/token", asked).await;
    assert_eq!(gone.status, 404);

    active.delete("sys/mounts/astra").await.ok();
    assert_eq!(astra.live(), [""; 0], "nothing that was minted lives");
    for node in &old.cluster.nodes {
        harness::assert_no_secret_logged(node, astra, &[]);
    }
}
