//! Figures that need many tokens, or several nodes. Of this repository's engine only.

use std::time::Duration;
use std::time::Instant;

use harness::Cluster;
use harness::Server;

use crate::Arguments;
use crate::emulator::Emulator;
use crate::load::burst;
use crate::rounds::median_of;
use crate::rounds::quiet;
use crate::rounds::revoke_all;
use crate::subject::Subject;

/// How many tokens live when the cost of one more is measured.
pub(crate) const CROWDS: [usize; 3] = [10, 1_000, 100_000];
/// Leases that live while memory is measured, and how often as many are minted.
const LEASES: usize = 20_000;
const BLOCKS: usize = 5;
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
    /// Resident memory of the new process after that: it has listed all tokens, in kB.
    pub(crate) rss_listed_kb: u64,
    /// Mints per second of a raft cluster with [`CLUSTER_CLIENTS`] and [`LATENCY`].
    pub(crate) cluster_per_second: f64,
    /// What the same cluster manages of `ssh`'s one-time passwords, which wait for no upstream.
    pub(crate) cluster_floor_per_second: f64,
}

/// Measures all of it as often as planned; takes several minutes.
pub(crate) async fn run(arguments: &Arguments) -> Deep {
    let mut rounds = Vec::new();
    for round in 1..=arguments.plan.rounds {
        println!("deep round {round} of {}", arguments.plan.rounds);
        rounds.push(one_round(arguments).await);
    }
    let rss = |block: usize| median_of(&rounds, |deep| deep.rss_kb[block] as f64) as u64;
    Deep {
        rss_kb: (0..BLOCKS).map(rss).collect(),
        kth_mint_ms: (0..CROWDS.len())
            .map(|crowd| median_of(&rounds, |deep| deep.kth_mint_ms[crowd]))
            .collect(),
        rss_listed_kb: median_of(&rounds, |deep| deep.rss_listed_kb as f64) as u64,
        restart: Duration::from_secs_f64(median_of(&rounds, |deep| deep.restart.as_secs_f64())),
        cluster_per_second: median_of(&rounds, |deep| deep.cluster_per_second),
        cluster_floor_per_second: median_of(&rounds, |deep| deep.cluster_floor_per_second),
    }
}

async fn one_round(arguments: &Arguments) -> Deep {
    let subject = Subject::Astra(arguments.plugin.clone());
    println!("memory over 100,000 mints with 20,000 live leases");
    let rss_kb = memory(arguments, &subject).await;
    println!("  RSS in kB after each 20,000: {rss_kb:?}");
    println!("the cost of one mint among up to 100,000 live tokens");
    let (kth_mint_ms, restart, rss_listed_kb) = crowd(arguments, &subject).await;
    println!(
        "  median ms of a mint among {CROWDS:?}: {kth_mint_ms:.2?}; restart {restart:.2?}, with \
         {rss_listed_kb} kB after"
    );
    println!(
        "a raft cluster of three nodes, upstream latency {} ms",
        LATENCY.as_millis()
    );
    let (cluster_per_second, cluster_floor_per_second) = cluster(arguments, &subject).await;
    println!(
        "  {cluster_per_second:.0} mints/s with {CLUSTER_CLIENTS} clients; ssh \
         {cluster_floor_per_second:.0}"
    );
    Deep {
        rss_kb,
        kth_mint_ms,
        restart,
        rss_listed_kb,
        cluster_per_second,
        cluster_floor_per_second,
    }
}

async fn memory(arguments: &Arguments, subject: &Subject) -> Vec<u64> {
    let emulator = Emulator::start(&arguments.emulator);
    let server = Server::start(quiet()).await;
    let mounted = subject.mount(&server, &emulator).await;
    let plugin = mounted.plugin.expect("a plugin");
    let mut rss = Vec::new();
    // What the first revocation of many leases needs at once is no growth: it comes before the first figure.
    burst(&mounted.shot, 16, LEASES / 10).await;
    for _ in 0..BLOCKS {
        revoke_all(&server, &emulator, subject, mounted.prefix).await;
        burst(&mounted.shot, 16, LEASES).await;
        rss.push(plugin.rss_kb());
    }
    rss
}

async fn crowd(arguments: &Arguments, subject: &Subject) -> (Vec<f64>, Duration, u64) {
    const PROBES: usize = 200;
    let emulator = Emulator::start(&arguments.emulator);
    let server = Server::start(quiet()).await;
    let mounted = subject.mount(&server, &emulator).await;
    // What is slow only at first is not the crowd's doing.
    burst(&mounted.shot, 1, PROBES).await;
    revoke_all(&server, &emulator, subject, mounted.prefix).await;
    let (mut live, mut latencies) = (0, Vec::new());
    for crowd in CROWDS {
        burst(&mounted.shot, 16, crowd.saturating_sub(live)).await;
        latencies.push(burst(&mounted.shot, 1, PROBES).await.percentile_ms(0.5));
        live = crowd + PROBES;
    }
    let before = mounted.plugin.expect("a plugin");
    before.kill();
    let restart = until_back(&server, "reader").await;
    let after = mounted.process_now(&server).expect("a new plugin");
    assert_ne!(after, before);
    (latencies, restart, after.rss_kb())
}

/// How long it takes until a credential of `role` can be read again; says why if it takes very long.
pub(crate) async fn until_back(server: &Server, role: &str) -> Duration {
    const TIMEOUT: Duration = Duration::from_secs(120);
    let (api, begin) = (server.api(), Instant::now());
    loop {
        let reply = api.read(&format!("astra/creds/{role}")).await;
        if reply.is_ok() {
            return begin.elapsed();
        }
        if begin.elapsed() > TIMEOUT {
            println!("not back after {TIMEOUT:?}: {}", reply.body);
            return begin.elapsed();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Mints per second of the engine, and of `ssh`, with three nodes.
async fn cluster(arguments: &Arguments, subject: &Subject) -> (f64, f64) {
    let emulator = Emulator::start(&arguments.emulator);
    let cluster = Cluster::start(3, quiet()).await;
    let active: &Server = cluster.active().await;
    let Subject::Astra(binary) = subject else {
        panic!("only for the engine itself")
    };
    for standby in cluster.standbys().await {
        harness::Plugin::install(standby, binary, "astra", "");
    }
    let mounted = subject.mount(active, &emulator).await;
    emulator
        .set_latency_ms(u64::try_from(LATENCY.as_millis()).expect("a short time"))
        .await;
    let floor = Subject::Ssh.mount(active, &emulator).await;
    // One lease at a time: what storage takes for it that is written to three nodes.
    let alone = burst(&floor.shot, 1, 200).await.percentile_ms(0.5);
    println!("  ssh with one client: {alone:.1} ms");
    let mut rates = Vec::new();
    for shot in [&mounted.shot, &floor.shot] {
        burst(shot, CLUSTER_CLIENTS, 640).await;
        rates.push(burst(shot, CLUSTER_CLIENTS, 6_400).await.per_second());
    }
    (rates[0], rates[1])
}
