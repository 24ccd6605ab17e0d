//! What was aimed at, and whether it was reached.

use crate::deep::CLUSTER_CLIENTS;
use crate::deep::CROWDS;
use crate::deep::Deep;
use crate::deep::LATENCY;
use crate::plan::CLIENTS;
use crate::rounds::Figures;
use crate::rounds::Sample;
use crate::rounds::Table;
use crate::scale;
use crate::scale::Size;

/// One line of the verdict.
#[derive(Debug, Clone)]
pub(crate) struct Goal {
    pub(crate) what: String,
    pub(crate) wanted: String,
    pub(crate) result: String,
    pub(crate) met: bool,
}

/// Judges everything that was measured. What was not measured has no line.
pub(crate) fn judge(table: &Table, deep: Option<&Deep>, scale: &[scale::Figures]) -> Vec<Goal> {
    let find = |wanted: &str| {
        table
            .iter()
            .find(|(name, _)| *name == wanted)
            .map(|(_, figures)| figures)
    };
    let mut goals = Vec::new();
    if let Some((own, floor)) = find("astra").zip(find("ssh")) {
        if let Some(peer) = find("peer") {
            against_peer(&mut goals, own, peer);
        }
        against_floor(&mut goals, own, floor);
    }
    if let Some(deep) = deep {
        at_depth(&mut goals, deep);
    }
    at_scale(&mut goals, scale);
    goals
}

fn against_floor(goals: &mut Vec<Goal>, own: &Figures, floor: &Figures) {
    for (clients, wanted) in CLIENTS.into_iter().zip([0.38, 0.65, 0.70]) {
        let ratio = own.samples[&clients].per_second / floor.samples[&clients].per_second;
        goals.push(at_least(
            format!("mints/s against ssh, {clients} clients"),
            ratio,
            wanted,
        ));
    }
    let p99 = |figures: &Figures| figures.samples[&64].p99_ms;
    goals.push(below(
        "p99 at 64 clients against ssh, ms",
        p99(own),
        p99(floor),
    ));
    if let Some(size) = own.size {
        let mb = size as f64 / 1e6;
        goals.push(at_most("binary, MB".to_owned(), mb, 8.0));
    }
}

fn against_peer(goals: &mut Vec<Goal>, own: &Figures, peer: &Figures) {
    for clients in CLIENTS {
        let ratio = own.samples[&clients].per_second / peer.samples[&clients].per_second;
        goals.push(at_least(
            format!("mints/s against the peer, {clients} clients"),
            ratio,
            2.2,
        ));
    }
    let p99 = |figures: &Figures| figures.samples[&64].p99_ms;
    goals.push(below(
        "p99 at 64 clients against the peer, ms",
        p99(own),
        p99(peer),
    ));
    for clients in CLIENTS {
        let cpu = |figures: &Figures, of: fn(&Sample) -> f64| of(&figures.samples[&clients]);
        let plugin = |sample: &Sample| sample.plugin_cpu.unwrap_or(f64::NAN);
        let vault = |sample: &Sample| sample.vault_cpu;
        let ratio = cpu(own, plugin) / cpu(peer, plugin);
        goals.push(at_most(
            format!("plugin CPU against the peer, {clients} clients"),
            ratio,
            0.25,
        ));
        let ratio = cpu(own, vault) / cpu(peer, vault);
        goals.push(at_most(
            format!("Vault CPU against the peer, {clients} clients"),
            ratio,
            0.6,
        ));
    }
    let (mine, other) = (own.whole.enable_ms, peer.whole.enable_ms);
    goals.push(Goal {
        what: "secrets enable against the peer, ms".to_owned(),
        wanted: format!("≤ {other:.0}"),
        result: format!("{mine:.0}"),
        met: mine <= other,
    });
    let ratio = own.whole.revocations_per_second / peer.whole.revocations_per_second;
    goals.push(at_least(
        "prefix revoke against the peer".to_owned(),
        ratio,
        1.5,
    ));
}

fn at_depth(goals: &mut Vec<Goal>, deep: &Deep) {
    let last = *deep.rss_kb.last().expect("measured blocks") as f64;
    let first = deep.rss_kb[0] as f64;
    goals.push(at_most(
        "RSS after 100,000 mints, MB".to_owned(),
        last / 1e3,
        14.0,
    ));
    goals.push(at_most(
        "RSS after 100,000 mints against 20,000".to_owned(),
        last / first,
        1.1,
    ));
    let possible = CLUSTER_CLIENTS as f64 / LATENCY.as_secs_f64();
    let ratio = deep.cluster_per_second / possible;
    goals.push(at_least(
        "raft, 100 ms upstream: share of the possible".to_owned(),
        ratio,
        0.95,
    ));
    let few = deep.kth_mint_ms[0];
    for (crowd, ms) in CROWDS.into_iter().zip(&deep.kth_mint_ms).skip(1) {
        goals.push(at_most(
            format!("cost of a mint among {crowd} against {}", CROWDS[0]),
            ms / few,
            1.25,
        ));
    }
    goals.push(at_most(
        "restart with 100,000 live tokens, s".to_owned(),
        deep.restart.as_secs_f64(),
        1.0,
    ));
}

/// What grows with the organization, against a tenth of its size.
fn at_scale(goals: &mut Vec<Goal>, scale: &[scale::Figures]) {
    let [.., tenth, whole] = scale else { return };
    let Size { tokens, .. } = whole.size;
    for (name, value) in scale::ROWS {
        let ratio = value(whole) / value(tenth);
        let what = format!("{name}: {tokens} tokens against a tenth of all");
        goals.push(at_most(what, ratio, 1.25));
    }
}

fn at_least(what: String, result: f64, wanted: f64) -> Goal {
    Goal {
        what,
        wanted: format!("≥ {wanted:.2}"),
        result: format!("{result:.2}"),
        met: result >= wanted,
    }
}

fn at_most(what: String, result: f64, wanted: f64) -> Goal {
    Goal {
        what,
        wanted: format!("≤ {wanted:.2}"),
        result: format!("{result:.2}"),
        met: result <= wanted,
    }
}

fn below(what: &str, result: f64, other: f64) -> Goal {
    let (wanted, shown) = (format!("< {other:.1}"), format!("{result:.1}"));
    Goal {
        what: what.to_owned(),
        wanted,
        result: shown,
        met: result < other,
    }
}
