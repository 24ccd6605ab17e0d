//! Both directions of the switch with the archived engine itself, under live leases, on three nodes. It is no
//! part of this project: `ARCHIVED_ENGINE` names its binary, and without one there is nothing to run.

use std::path::PathBuf;

use harness::Api;
use harness::Astra;
use harness::Cluster;
use harness::SOON;
use harness::leases;
use harness::revoke_prefix;
use harness::wait_until;
use serde_json::Value;
use serde_json::json;

use super::archived;
use super::archived::OLD_VERSION;
use crate::setup::VERSION;

/// A cluster whose mount can be run by either engine.
struct Deployment {
    cluster: Cluster,
    astra: Astra,
    /// Two organizations: id and root token.
    organizations: [(String, String); 2],
}

impl Deployment {
    async fn start(old: PathBuf) -> Self {
        let (cluster, plugin) = archived::cluster(&old, false).await;
        let astra = Astra::start_lenient().await;
        let active = cluster.active().await;
        archived::register_new(active).await;
        let api = active.api();
        let settings = json!({ "config": { "plugin_version": OLD_VERSION } });
        plugin.enable(&api, "astra", settings).await;
        let seeds = astra.emulator.seeds().organizations;
        let organizations =
            [&seeds[0], &seeds[2]].map(|org| (org.id.clone(), org.root_token.clone()));
        Self {
            cluster,
            astra,
            organizations,
        }
    }

    async fn api(&self) -> Api {
        self.cluster.active().await.api()
    }

    async fn switch(&self, version: &str) {
        archived::switch(&self.api().await, version).await;
        for node in &self.cluster.nodes {
            wait_until("the node runs the version", SOON, async || {
                // The archived engine has no `status`.
                let status = node.api().read("astra/status").await;
                status.is_ok() == (version == VERSION)
            })
            .await;
        }
    }

    /// Configs and roles of the archived engine, and three leases in each organization.
    async fn use_the_old(&self) {
        let api = self.api().await;
        let role_id = &self.astra.emulator.seeds().roles[harness::READ_ONLY];
        let modes = ["standard", "sidecar"];
        for ((org_id, root), mode) in self.organizations.iter().zip(modes) {
            let config = json!({
                "org_id": org_id, "astra_token": root, "url": self.astra.url(),
                "logical_name": mode, "caller_mode": mode,
            });
            api.write("astra/config", config).await.ok();
            let role = json!({
                "org_id": org_id, "role_name": "reader", "role_id": role_id, "ttl": "1h",
                "max_ttl": "8h",
            });
            api.write("astra/role", role).await.ok();
        }
        for number in 0..3 {
            let [(standard, _), (sidecar, _)] = &self.organizations;
            let asked = json!({
                "org_id": standard, "role_name": "reader", "logical_name": format!("app{number}"),
            });
            api.write("astra/org/token", asked).await.ok();
            let path = format!("astra/org/token?org_id={sidecar}&role_name=reader");
            api.read(&path).await.ok();
        }
    }

    /// The leases that there are, each of which must be renewed.
    async fn renew_all(&self) -> Vec<String> {
        let api = self.api().await;
        let all = leases(&api, "astra/").await;
        for lease in &all {
            let body = json!({ "lease_id": lease });
            api.write("sys/leases/renew", body).await.ok();
        }
        assert_eq!(self.astra.live().len(), all.len(), "a token for each lease");
        all
    }

    async fn revoke(&self, lease: &str) {
        let before = self.astra.live().len();
        let body = json!({ "lease_id": lease, "sync": true });
        self.api().await.write("sys/leases/revoke", body).await.ok();
        assert_eq!(
            self.astra.live().len(),
            before - 1,
            "the token of {lease} ends"
        );
    }

    async fn import(&self, asked: Value) -> Value {
        let standby = self.cluster.standbys().await[0].api();
        standby.write("astra/import", asked).await.data()
    }
}

#[tokio::test]
#[ignore = "needs the archived engine: ARCHIVED_ENGINE=/path/to/its/binary"]
async fn leases_live_and_end_under_whichever_engine_runs() {
    let old = std::env::var_os("ARCHIVED_ENGINE").expect("ARCHIVED_ENGINE");
    let all = Deployment::start(old.into()).await;
    all.use_the_old().await;
    let before = all.renew_all().await;
    println!("{} leases of the archived engine", before.len());
    assert_eq!(before.len(), 6);

    all.switch(VERSION).await;
    all.renew_all().await;
    // Nothing is imported yet. With one client for all organizations, it has minted in one of them only.
    all.revoke(&before[0]).await;
    all.revoke(&before[1]).await;
    let [(standard, _), _] = &all.organizations;
    let names = json!({ standard: "prod", format!("{standard}:reader"): "reader" });
    let report = all.import(json!({ "names": names })).await;
    assert_eq!(
        (&report["problems"], &report["complete"]),
        (&json!(0), &json!(true)),
        "{report}"
    );
    println!("crossed: {}", report["tokens"]["in_another_organization"]);
    let api = all.api().await;
    let mut minted = Vec::new();
    for _ in 0..3 {
        let answer = api.read("astra/creds/reader").await.ok();
        minted.push(answer["lease_id"].as_str().unwrap().to_owned());
    }
    println!("under this engine: 6 renewed, 2 revoked, 3 minted");

    all.switch(OLD_VERSION).await;
    let held = all.renew_all().await;
    assert_eq!(held.len(), 7);
    all.revoke(&minted[0]).await;
    println!("back under the archived engine: 7 renewed, 1 of this engine's revoked");

    all.switch(VERSION).await;
    assert_eq!(all.renew_all().await.len(), 6);
    revoke_prefix(&api, "astra/org/token").await;
    let left = all.renew_all().await;
    minted.remove(0);
    minted.sort();
    assert_eq!(left, minted, "those of creds/");
    let finished = all.import(json!({ "finish": true })).await;
    assert_eq!(finished["complete"], true);
    revoke_prefix(&api, "astra/").await;
    println!("finished: {} live tokens", all.astra.live().len());
    assert_eq!(all.astra.live(), [""; 0]);
    for node in &all.cluster.nodes {
        harness::assert_no_secret_logged(node, &all.astra, &[]);
    }
}
