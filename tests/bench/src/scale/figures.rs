//! What was measured of each size, beside each other.

use std::fmt::Write;
use std::time::Duration;

use super::MintCost;
use super::Size;
use super::tick::Tick;

/// The figures of one size.
#[derive(Debug, Clone)]
pub(crate) struct Figures {
    pub(crate) size: Size,
    /// How long the emulator takes to list the first organization's tokens for a client that parses
    /// nothing.
    pub(crate) list: Duration,
    /// How long that list is, in MB.
    pub(crate) list_mb: f64,
    pub(crate) mint: MintCost,
    /// A tick that counts the tokens of each config, for metrics.
    pub(crate) counting: Tick,
    /// A tick with nothing to do.
    pub(crate) quiet: Tick,
    /// The tick after the plugin was killed: each config lists, clears up, compares and counts.
    pub(crate) recovering: Tick,
    /// From an orderly restart to the first credential.
    pub(crate) reloaded: Duration,
    /// From `kill -9` to the first credential.
    pub(crate) killed: Duration,
    /// From then to the first credential of another config of the organization.
    pub(crate) second: Duration,
    /// Resident memory of the plugin before it was killed, and the most it had.
    pub(crate) rss_mb: f64,
    pub(crate) peak_mb: f64,
    /// The same of the new process, after its first tick.
    pub(crate) rss_listed_mb: f64,
    pub(crate) peak_listed_mb: f64,
}

/// A figure: what it is, and how to read it.
type Row = (&'static str, fn(&Figures) -> f64);

/// The figures that are to stay the same, by the names that goals have.
pub(crate) const ROWS: [Row; 13] = [
    ("a mint, ms", |one| one.mint.ms),
    ("a mint, plugin CPU ms/1,000", |one| one.mint.plugin_cpu),
    ("a mint, Vault CPU ms/1,000", |one| one.mint.vault_cpu),
    ("a tick with nothing to do, s", |one| one.quiet.engine_s),
    ("a tick that counts, s", |one| one.counting.engine_s),
    ("first credential after a reload, s", |one| {
        one.reloaded.as_secs_f64()
    }),
    ("first credential after kill -9, s", |one| {
        one.killed.as_secs_f64()
    }),
    ("that of another config then, s", |one| {
        one.second.as_secs_f64()
    }),
    ("the tick after kill -9, s", |one| one.recovering.engine_s),
    ("RSS, MB", |one| one.rss_mb),
    ("most RSS, MB", |one| one.peak_mb),
    ("RSS after kill -9 and a tick, MB", |one| one.rss_listed_mb),
    ("most RSS then, MB", |one| one.peak_listed_mb),
];

/// The figures of all sizes, one column each, and the last as a multiple of the one before.
pub(crate) fn table(all: &[Figures]) -> String {
    let [.., tenth, whole] = all else {
        return String::new();
    };
    let mut text = String::from("\n| |");
    for Figures { size, .. } in all {
        let Size {
            tokens,
            configs,
            roles,
        } = size;
        let _ = write!(text, " {tokens} tokens, {configs} configs, {roles} roles |");
    }
    text.push_str(" ratio of the last two |\n|---|");
    text.push_str(&"---:|".repeat(all.len() + 1));
    let extra: [Row; 2] = [
        ("the list, MB", |one| one.list_mb),
        ("the list, read by a client that parses nothing, s", |one| {
            one.list.as_secs_f64()
        }),
    ];
    for (name, value) in extra.iter().chain(&ROWS) {
        let _ = write!(text, "\n| {name} |");
        for figures in all {
            let _ = write!(text, " {:.3} |", value(figures));
        }
        let _ = write!(text, " {:.2} |", value(whole) / value(tenth));
    }
    text.push('\n');
    for figures in all {
        for (name, tick) in [
            ("counts", &figures.counting),
            ("has nothing to do", &figures.quiet),
            ("follows kill -9", &figures.recovering),
        ] {
            let tokens = figures.size.tokens;
            let _ = write!(text, "\n{tokens} tokens, the tick that {name}: {tick}");
        }
    }
    text.push('\n');
    text
}
