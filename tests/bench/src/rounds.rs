//! The rounds: every subject in turn, each on a new Vault, so that none has another's leases.

use std::collections::BTreeMap;
use std::time::Duration;
use std::time::Instant;

use harness::Options;
use harness::Process;
use harness::Server;
use harness::leases;
use serde_json::json;

use crate::Arguments;
use crate::emulator::Emulator;
use crate::load::burst;
use crate::plan::CLIENTS;
use crate::plan::Plan;
use crate::subject::Subject;

/// What is measured with one number of clients.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// CPU milliseconds per 1,000 mints; `None` where there is no plugin.
    pub(crate) plugin_cpu: Option<f64>,
    pub(crate) vault_cpu: f64,
}

/// What is measured once a round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whole {
    pub(crate) enable_ms: f64,
    pub(crate) rss_idle_kb: Option<f64>,
    pub(crate) rss_after_kb: Option<f64>,
    pub(crate) revocations_per_second: f64,
}

/// Medians of one subject.
#[derive(Debug, Clone)]
pub(crate) struct Figures {
    pub(crate) size: Option<u64>,
    pub(crate) samples: BTreeMap<usize, Sample>,
    pub(crate) whole: Whole,
}

/// The subjects by name, in the order of the table.
pub(crate) type Table = Vec<(&'static str, Figures)>;

/// Options of every server that is measured: nothing that only a test wants.
pub(crate) fn quiet() -> Options {
    Options {
        audit: false,
        log_level: "error",
        ..Options::default()
    }
}

/// Runs all rounds and takes the medians.
pub(crate) async fn run(arguments: &Arguments) -> Table {
    let mut subjects = vec![Subject::Ssh];
    subjects.extend(arguments.peer.clone().map(Subject::Peer));
    subjects.push(Subject::Astra(arguments.plugin.clone()));
    let mut samples: BTreeMap<(&str, usize), Vec<Sample>> = BTreeMap::new();
    let mut wholes: BTreeMap<&str, Vec<Whole>> = BTreeMap::new();
    for round in 1..=arguments.plan.rounds {
        for subject in &subjects {
            println!(
                "round {round} of {}: {}",
                arguments.plan.rounds,
                subject.name()
            );
            let (measured, whole) = one_round(subject, arguments).await;
            for (clients, sample) in measured {
                samples
                    .entry((subject.name(), clients))
                    .or_default()
                    .push(sample);
            }
            wholes.entry(subject.name()).or_default().push(whole);
        }
    }
    subjects
        .iter()
        .map(|subject| {
            let name = subject.name();
            let samples = CLIENTS
                .iter()
                .map(|clients| (*clients, median_sample(&samples[&(name, *clients)])));
            let figures = Figures {
                size: subject.size(),
                samples: samples.collect(),
                whole: median_whole(&wholes[name]),
            };
            (name, figures)
        })
        .collect()
}

async fn one_round(subject: &Subject, arguments: &Arguments) -> (Vec<(usize, Sample)>, Whole) {
    let Plan {
        mints, revocations, ..
    } = arguments.plan;
    let emulator = Emulator::start(&arguments.emulator);
    let server = Server::start(quiet()).await;
    let mounted = subject.mount(&server, &emulator).await;
    burst(&mounted.shot, 1, 1).await;
    let rss = |process: Option<Process>| process.map(|process| process.rss_kb() as f64);
    let rss_idle_kb = rss(mounted.plugin);

    let mut samples = Vec::new();
    for clients in CLIENTS {
        // Connections, pools and the first allocations of as many clients.
        burst(&mounted.shot, clients, mints / 10).await;
        let cpu = Cpu::now(&server, mounted.plugin);
        let burst = burst(&mounted.shot, clients, mints).await;
        let (plugin_cpu, vault_cpu) = cpu.per_thousand(&Cpu::now(&server, mounted.plugin), mints);
        let sample = Sample {
            per_second: burst.per_second(),
            p50_ms: burst.percentile_ms(0.5),
            p99_ms: burst.percentile_ms(0.99),
            plugin_cpu,
            vault_cpu,
        };
        samples.push((clients, sample));
    }
    let rss_after_kb = rss(mounted.plugin);

    revoke_all(&server, &emulator, subject, mounted.prefix).await;
    burst(&mounted.shot, 16, revocations).await;
    let begin = Instant::now();
    revoke_all(&server, &emulator, subject, mounted.prefix).await;
    let revocations_per_second = revocations as f64 / begin.elapsed().as_secs_f64();
    let enable_ms = mounted.enable.as_secs_f64() * 1e3;
    (
        samples,
        Whole {
            enable_ms,
            rss_idle_kb,
            rss_after_kb,
            revocations_per_second,
        },
    )
}

/// Revokes every lease below `prefix` and waits until the last one is gone.
///
/// Asynchronously, as the command line does: Vault revokes with many workers.
pub(crate) async fn revoke_all(
    server: &Server,
    emulator: &Emulator,
    subject: &Subject,
    prefix: &str,
) {
    let api = server.api();
    let path = format!("sys/leases/revoke-prefix/{}", prefix.trim_end_matches('/'));
    api.write(&path, json!({ "sync": false })).await.ok();
    let deadline = Instant::now() + Duration::from_secs(300);
    loop {
        // The cheapest witness: Astra, or where it has no part, Vault.
        let gone = match subject {
            Subject::Ssh => leases(&api, prefix).await.is_empty(),
            _ => emulator.live_tokens().await == 0,
        };
        if gone {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{prefix} still has leases after five minutes"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Processor time used so far, in microseconds.
pub(crate) struct Cpu {
    plugin: Option<u64>,
    vault: u64,
}

impl Cpu {
    pub(crate) fn now(server: &Server, plugin: Option<Process>) -> Self {
        Self {
            plugin: plugin.map(Process::cpu_us_of_live_threads),
            vault: server.process().cpu_us_of_live_threads(),
        }
    }

    /// Milliseconds per 1,000 mints between two moments, of plugin and Vault.
    pub(crate) fn per_thousand(&self, later: &Self, mints: usize) -> (Option<f64>, f64) {
        let rate = |from: u64, to: u64| to.saturating_sub(from) as f64 / mints as f64;
        let plugin = self
            .plugin
            .zip(later.plugin)
            .map(|(from, to)| rate(from, to));
        (plugin, rate(self.vault, later.vault))
    }
}

/// The value in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub(crate) fn median_of<T>(items: &[T], value: impl Fn(&T) -> f64) -> f64 {
    median(items.iter().map(value).collect())
}

fn median_if_any<T>(items: &[T], value: impl Fn(&T) -> Option<f64>) -> Option<f64> {
    let values: Vec<f64> = items.iter().filter_map(value).collect();
    (!values.is_empty()).then(|| median(values))
}

fn median_sample(samples: &[Sample]) -> Sample {
    Sample {
        per_second: median_of(samples, |sample| sample.per_second),
        p50_ms: median_of(samples, |sample| sample.p50_ms),
        p99_ms: median_of(samples, |sample| sample.p99_ms),
        plugin_cpu: median_if_any(samples, |sample| sample.plugin_cpu),
        vault_cpu: median_of(samples, |sample| sample.vault_cpu),
    }
}

fn median_whole(wholes: &[Whole]) -> Whole {
    Whole {
        enable_ms: median_of(wholes, |whole| whole.enable_ms),
        rss_idle_kb: median_if_any(wholes, |whole| whole.rss_idle_kb),
        rss_after_kb: median_if_any(wholes, |whole| whole.rss_after_kb),
        revocations_per_second: median_of(wholes, |whole| whole.revocations_per_second),
    }
}
