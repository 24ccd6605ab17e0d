//! Figures that need many tokens, or several nodes. Of this repository's engine only.

use std::time::Duration;
use std::time::Instant;

use harness::Cluster;
use harness::Server;

use crate::Arguments;
use crate::emulator::Emulator;
use crate::load::burst;
use crate::rounds::quiet;
use crate::rounds::revoke_all;
use crate::subject::Subject;

/// How many tokens live when the cost of one more is measured.
pub(crate) const CROWDS: [usize; 3] = [10, 1_000, 100_000];
/// What the emulated Astra takes for each answer while the cluster is measured.
pub(crate) const LATENCY: Duration = Duration::from_millis(100);
/// Clients in the cluster measurement.
pub(crate) const CLUSTER_CLIENTS: usize = 64;

/// The results.
#[derive(Debug, Clone)]
pub(crate) struct Deep {
    /// Resident memory after 20,000, 40,000, … 100,000 mints with 20,000 live leases, in kB.
    pub(crate) rss_kb: Vec<u64>,
    /// Median latency of a mint with one client beside each of [`CROWDS`], in milliseconds.
    pub(crate) kth_mint_ms: Vec<f64>,
    /// From the death of the plugin to the next credential, with 100,000 live tokens.
    pub(crate) restart: Duration,
    /// Mints per second of a raft cluster with [`CLUSTER_CLIENTS`] and [`LATENCY`].
    pub(crate) cluster_per_second: f64,
}

/// Measures all of it; takes a few minutes.
pub(crate) async fn run(arguments: &Arguments) -> Deep {
    let subject = Subject::Astra(arguments.plugin.clone());
    println!("memory over 100,000 mints");
    let rss_kb = memory(arguments, &subject).await;
    println!("  RSS in kB after each 20,000: {rss_kb:?}");
    println!("the cost of one mint among up to 100,000 live tokens");
    let (kth_mint_ms, restart) = crowd(arguments, &subject).await;
    println!("  median ms of a mint among {CROWDS:?}: {kth_mint_ms:.2?}; restart {restart:.2?}");
    println!(
        "a raft cluster of three nodes, upstream latency {} ms",
        LATENCY.as_millis()
    );
    let cluster_per_second = cluster(arguments, &subject).await;
    println!("  {cluster_per_second:.0} mints/s with {CLUSTER_CLIENTS} clients");
    Deep {
        rss_kb,
        kth_mint_ms,
        restart,
        cluster_per_second,
    }
}

async fn memory(arguments: &Arguments, subject: &Subject) -> Vec<u64> {
    let emulator = Emulator::start(&arguments.emulator);
    let server = Server::start(quiet()).await;
    let stage = subject.mount(&server, &emulator).await;
    let plugin = stage.plugin.expect("a plugin");
    let mut rss = Vec::new();
    for block in 0..5 {
        if block > 0 {
            revoke_all(&server, &emulator, subject, stage.prefix).await;
        }
        burst(&stage.shot, 16, 20_000).await;
        rss.push(plugin.rss_kb());
    }
    rss
}

async fn crowd(arguments: &Arguments, subject: &Subject) -> (Vec<f64>, Duration) {
    const PROBES: usize = 200;
    let emulator = Emulator::start(&arguments.emulator);
    let server = Server::start(quiet()).await;
    let stage = subject.mount(&server, &emulator).await;
    // What is slow only at first is not the crowd's doing.
    burst(&stage.shot, 1, PROBES).await;
    revoke_all(&server, &emulator, subject, stage.prefix).await;
    let (mut live, mut latencies) = (0, Vec::new());
    for crowd in CROWDS {
        burst(&stage.shot, 16, crowd.saturating_sub(live)).await;
        latencies.push(burst(&stage.shot, 1, PROBES).await.percentile_ms(0.5));
        live = crowd + PROBES;
    }
    let before = stage.plugin.expect("a plugin");
    before.kill();
    let restart = until_back(&server).await;
    assert_ne!(stage.process_now(&server), Some(before));
    (latencies, restart)
}

/// How long it takes until a credential can be read again; says why if it takes very long.
async fn until_back(server: &Server) -> Duration {
    const PATIENCE: Duration = Duration::from_secs(60);
    let (api, begin) = (server.api(), Instant::now());
    loop {
        let reply = api.read("astra/creds/reader").await;
        if reply.is_ok() {
            return begin.elapsed();
        }
        if begin.elapsed() > PATIENCE {
            println!("not back after {PATIENCE:?}: {}", reply.body);
            return begin.elapsed();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn cluster(arguments: &Arguments, subject: &Subject) -> f64 {
    let emulator = Emulator::start(&arguments.emulator);
    let cluster = Cluster::start(3, quiet()).await;
    let active: &Server = cluster.active().await;
    let Subject::Astra(binary) = subject else {
        panic!("only for the engine itself")
    };
    for standby in cluster.standbys().await {
        harness::Plugin::install(standby, binary, "astra", "");
    }
    let stage = subject.mount(active, &emulator).await;
    emulator
        .set_latency_ms(u64::try_from(LATENCY.as_millis()).expect("a short time"))
        .await;
    burst(&stage.shot, CLUSTER_CLIENTS, 640).await;
    burst(&stage.shot, CLUSTER_CLIENTS, 6_400)
        .await
        .per_second()
}
