//! What grows with an organization: the same figures at three sizes, each on a new Vault and a new
//! emulator.

mod figures;
mod fill;
mod tick;

use std::time::Duration;
use std::time::Instant;

use harness::Server;
use serde_json::json;

pub(crate) use figures::Figures;
pub(crate) use figures::ROWS;
pub(crate) use figures::table;

use crate::Arguments;
use crate::deep::until_back;
use crate::emulator::Emulator;
use crate::load::burst;
use crate::rounds::Cpu;
use crate::rounds::quiet;
use fill::Filled;

/// How large a mount and its first organization are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// Live tokens of the first organization.
    pub(crate) tokens: usize,
    /// Configs, by turns of three organizations.
    pub(crate) configs: usize,
    /// Roles, by turns of the configs.
    pub(crate) roles: usize,
}

/// Each ten times the one before.
pub(crate) const SIZES: [Size; 3] = [
    Size {
        tokens: 10_000,
        configs: 2,
        roles: 50,
    },
    Size {
        tokens: 100_000,
        configs: 20,
        roles: 500,
    },
    Size {
        tokens: 1_000_000,
        configs: 200,
        roles: 5_000,
    },
];

/// Mints of which the median is taken.
const PROBES: usize = 2_000;

/// What of the memory is for configs and what for roles: few of both, then many of each.
const PARTS: [Size; 3] = [
    Size {
        tokens: 0,
        configs: 2,
        roles: 50,
    },
    Size {
        tokens: 0,
        configs: 200,
        roles: 200,
    },
    Size {
        tokens: 0,
        configs: 2,
        roles: 5_000,
    },
];

/// Measures all sizes; takes about a quarter of an hour and 4 GB.
pub(crate) async fn run(arguments: &Arguments) -> Vec<Figures> {
    for size in PARTS {
        memory(arguments, size).await;
    }
    let mut all = Vec::new();
    for size in SIZES {
        let Size {
            tokens,
            configs,
            roles,
        } = size;
        println!("{tokens} live tokens, {configs} configs, {roles} roles");
        all.push(of_size(arguments, size).await);
    }
    all
}

/// Prints what a mount of this size holds in memory.
async fn memory(arguments: &Arguments, size: Size) {
    let emulator = Emulator::start_strict(&arguments.emulator);
    let server = Server::start(quiet()).await;
    let mount = fill::mount(&server, &emulator, &arguments.plugin, size).await;
    let written = mount.plugin.process(&server);
    let written_mb = mb(written.rss_kb());
    written.kill();
    until_back(&server, &mount.role(0)).await;
    mount.mint_with_each_config(&server).await;
    let read_mb = mb(mount.plugin.process(&server).rss_kb());
    let Size { configs, roles, .. } = size;
    println!(
        "RSS with {configs} configs, {roles} roles and few tokens: {written_mb:.1} MB; a new process \
         that has minted from each config: {read_mb:.1} MB"
    );
}

async fn of_size(arguments: &Arguments, size: Size) -> Figures {
    let emulator = Emulator::start_strict(&arguments.emulator);
    let server = Server::start(quiet()).await;
    let mount = fill::mount(&server, &emulator, &arguments.plugin, size).await;
    let (list, list_mb) = emulator.list_tokens(&mount.root_token).await;
    let mint = mint(&server, &mount).await;

    // Reading metrics lets the tick count the tokens of each config.
    let counting = tick::next(&server, &emulator).await;
    println!("  a tick that counts the tokens of each config: {counting}");
    let quiet = tick::next(&server, &emulator).await;
    println!("  a tick with nothing to do: {quiet}");
    let process = mount.plugin.process(&server);
    let (rss_kb, peak_kb) = (process.rss_kb(), process.peak_rss_kb());

    let reloaded = reload(&server).await;
    println!("  first credential after a reload: {reloaded:.2?}");
    mount.mint_with_each_config(&server).await;
    mount.plugin.process(&server).kill();
    let killed = until_back(&server, &mount.role(0)).await;
    let second = until_back(&server, &mount.role(FIRST_ORGANIZATION)).await;
    println!("  first credential after kill -9: {killed:.2?}; of the next config {second:.2?}");
    let recovering = tick::next(&server, &emulator).await;
    println!("  the tick after that: {recovering}");
    let process = mount.plugin.process(&server);
    let invariants = emulator.invariants().await;
    for none in ["foreign_deletes", "orphans", "violations"] {
        assert_eq!(invariants[none], 0, "{invariants}");
    }
    Figures {
        size,
        list,
        list_mb,
        mint,
        counting,
        quiet,
        recovering,
        reloaded,
        killed,
        second,
        rss_mb: mb(rss_kb),
        peak_mb: mb(peak_kb),
        rss_listed_mb: mb(process.rss_kb()),
        peak_listed_mb: mb(process.peak_rss_kb()),
    }
}

/// So many configs further comes the next one of the same organization, where there is one.
const FIRST_ORGANIZATION: usize = fill::ORGANIZATIONS;

/// What a mint costs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MintCost {
    /// Median with one client.
    pub(crate) ms: f64,
    /// Processor time per 1,000, in milliseconds.
    pub(crate) plugin_cpu: f64,
    pub(crate) vault_cpu: f64,
}

async fn mint(server: &Server, mount: &Filled) -> MintCost {
    let shot = mount.creds(server);
    burst(&shot, 1, PROBES / 10).await;
    let plugin = Some(mount.plugin.process(server));
    let before = Cpu::now(server, plugin);
    let burst = burst(&shot, 1, PROBES).await;
    let (plugin_cpu, vault_cpu) = before.per_thousand(&Cpu::now(server, plugin), PROBES);
    let cost = MintCost {
        ms: burst.percentile_ms(0.5),
        plugin_cpu: plugin_cpu.expect("a plugin"),
        vault_cpu,
    };
    println!("  a mint: {cost:.2?}");
    cost
}

/// An orderly restart of the plugin; from its end to the first credential.
async fn reload(server: &Server) -> Duration {
    let body = json!({ "plugin": fill::PLUGIN });
    let path = "sys/plugins/reload/backend";
    server.api().write(path, body).await.ok();
    let begin = Instant::now();
    until_back(server, &fill::role_name(0)).await;
    begin.elapsed()
}

fn mb(kb: u64) -> f64 {
    kb as f64 / 1e3
}
