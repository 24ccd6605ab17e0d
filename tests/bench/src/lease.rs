//! What a lease costs at its mint, at a renewal and at its end: how many of them one active node
//! carries follows from it.

use std::fmt::Write;
use std::time::Instant;

use harness::Cluster;
use harness::Options;
use harness::Plugin;
use harness::Process;
use harness::Server;
use serde_json::json;

use crate::Arguments;
use crate::emulator::Emulator;
use crate::load::Shot;
use crate::load::burst;
use crate::rounds::Cpu;
use crate::rounds::quiet;
use crate::rounds::revoke_all;
use crate::subject::Mounted;
use crate::subject::Subject;

/// Leases that are minted, renewed and revoked.
const LEASES: usize = 10_000;
/// Clients at the same time.
const CLIENTS: usize = 64;

/// One kind of request.
#[derive(Debug, Clone, Copy)]
struct Cost {
    per_second: f64,
    /// Processor time per 1,000, in milliseconds; Vault's is that of the active node.
    plugin_cpu: f64,
    vault_cpu: f64,
}

/// What was measured of one host.
pub(crate) struct LeaseCosts {
    host: &'static str,
    mint: Cost,
    renewal: Cost,
    revocation: Cost,
    /// How much the active node's Vault grew for each lease, in kB.
    vault_kb: f64,
}

/// Measures one server with its storage in memory, and a cluster of three with integrated storage.
pub(crate) async fn run(arguments: &Arguments) -> [LeaseCosts; 2] {
    println!("what a lease costs");
    let subject = Subject::Astra(arguments.plugin.clone());
    let emulator = Emulator::start(&arguments.emulator);
    let server = Server::start(quiet()).await;
    let mounted = subject.mount(&server, &emulator).await;
    let alone = measure(
        "one server, storage in memory",
        &server,
        &emulator,
        &mounted,
    )
    .await;
    drop((server, emulator));

    let emulator = Emulator::start(&arguments.emulator);
    // Vault's default: with less the nodes of a busy machine take each other for dead.
    let options = Options { ..quiet() };
    let cluster = Cluster::start(3, options).await;
    let active: &Server = cluster.active().await;
    for standby in cluster.standbys().await {
        Plugin::install(standby, &arguments.plugin, "astra", "");
    }
    let mounted = subject.mount(active, &emulator).await;
    let cluster = measure("three nodes, raft", active, &emulator, &mounted).await;
    [alone, cluster]
}

async fn measure(
    host: &'static str,
    server: &Server,
    emulator: &Emulator,
    mounted: &Mounted,
) -> LeaseCosts {
    // Only its kind matters here.
    let subject = Subject::Astra(std::path::PathBuf::new());
    let revoke_all = async || revoke_all(server, emulator, &subject, mounted.prefix).await;
    // What is slow, or grows, only at first.
    burst(&mounted.shot, CLIENTS, LEASES / 5).await;
    revoke_all().await;

    let rss_kb = server.process().rss_kb();
    let meter = Meter::start(server, mounted.plugin);
    burst(&mounted.shot, CLIENTS, LEASES).await;
    let mint = meter.stop(server, LEASES);
    let grown_kb = server.process().rss_kb().saturating_sub(rss_kb);
    let renewals = renewals(server).await;
    let meter = Meter::start(server, mounted.plugin);
    burst(&renewals, CLIENTS, LEASES).await;
    let renewal = meter.stop(server, LEASES);
    let meter = Meter::start(server, mounted.plugin);
    revoke_all().await;
    let costs = LeaseCosts {
        host,
        mint,
        renewal,
        revocation: meter.stop(server, LEASES),
        vault_kb: grown_kb as f64 / LEASES as f64,
    };
    println!("{}", costs.rows());
    costs
}

/// The renewal of one more lease.
async fn renewals(server: &Server) -> Shot {
    let minted = server.api().read("astra/creds/reader").await.ok();
    let body = json!({ "lease_id": minted["lease_id"] });
    Shot {
        address: server.address(),
        token: server.root_token().to_owned(),
        method: "PUT",
        path: "/v1/sys/leases/renew".to_owned(),
        body: Some(body.to_string()),
    }
}

/// Time and processor time from a moment on.
struct Meter {
    begin: Instant,
    cpu: Cpu,
    plugin: Option<Process>,
}

impl Meter {
    fn start(server: &Server, plugin: Option<Process>) -> Self {
        Self {
            begin: Instant::now(),
            cpu: Cpu::now(server, plugin),
            plugin,
        }
    }

    fn stop(&self, server: &Server, count: usize) -> Cost {
        let per_second = count as f64 / self.begin.elapsed().as_secs_f64();
        let now = Cpu::now(server, self.plugin);
        let (plugin_cpu, vault_cpu) = self.cpu.per_thousand(&now, count);
        Cost {
            per_second,
            plugin_cpu: plugin_cpu.unwrap_or(f64::NAN),
            vault_cpu,
        }
    }
}

/// All of it, one line for each kind of request.
pub(crate) fn table(all: &[LeaseCosts]) -> String {
    let mut text = String::from(
        "\n| host | request | per second | plugin CPU ms/1,000 | Vault CPU ms/1,000 | Vault kB per \
         lease |\n|---|---|---:|---:|---:|---:|\n",
    );
    all.iter().for_each(|costs| text.push_str(&costs.rows()));
    text
}

impl LeaseCosts {
    fn rows(&self) -> String {
        let mut text = String::new();
        for (name, cost, kb) in [
            ("mint", self.mint, format!("{:.1}", self.vault_kb)),
            ("renewal", self.renewal, "–".to_owned()),
            ("revocation", self.revocation, "–".to_owned()),
        ] {
            let _ = writeln!(
                text,
                "| {} | {name} | {:.0} | {:.0} | {:.0} | {kb} |",
                self.host, cost.per_second, cost.plugin_cpu, cost.vault_cpu
            );
        }
        text
    }
}
