//! The tables as text.

use std::fmt::Write;

use crate::goals::Goal;
use crate::plan::CLIENTS;
use crate::rounds::Table;

/// The measurements, one line per number of clients and subject.
pub(crate) fn table(table: &Table) -> String {
    if table.is_empty() {
        return String::new();
    }
    let mut text = String::from(
        "\n| clients | engine | mints/s | p50 ms | p99 ms | plugin CPU ms/1,000 | Vault CPU \
         ms/1,000 |\n|---:|---|---:|---:|---:|---:|---:|\n",
    );
    for clients in CLIENTS {
        for (name, figures) in table {
            let sample = &figures.samples[&clients];
            let plugin = sample
                .plugin_cpu
                .map_or("–".to_owned(), |cpu| format!("{cpu:.0}"));
            let _ = writeln!(
                text,
                "| {clients} | {name} | {:.0} | {:.2} | {:.2} | {plugin} | {:.0} |",
                sample.per_second, sample.p50_ms, sample.p99_ms, sample.vault_cpu,
            );
        }
    }
    text.push_str(
        "\n| engine | secrets enable ms | RSS idle kB | RSS after kB | binary MB | prefix revoke/s \
         |\n|---|---:|---:|---:|---:|---:|\n",
    );
    let number = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.0}"));
    for (name, figures) in table {
        let size = figures
            .size
            .map_or("–".to_owned(), |size| format!("{:.1}", size as f64 / 1e6));
        let whole = &figures.whole;
        let _ = writeln!(
            text,
            "| {name} | {:.0} | {} | {} | {size} | {:.0} |",
            whole.enable_ms,
            number(whole.rss_idle_kb),
            number(whole.rss_after_kb),
            whole.revocations_per_second,
        );
    }
    text
}

/// Goals beside results, and which of them were missed.
pub(crate) fn goals(goals: &[Goal]) -> String {
    let mut text = String::from("| goal | wanted | result | |\n|---|---:|---:|---|\n");
    for goal in goals {
        let verdict = if goal.met { "met" } else { "MISSED" };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {verdict} |",
            goal.what, goal.wanted, goal.result
        );
    }
    let missed: Vec<&str> = goals
        .iter()
        .filter(|goal| !goal.met)
        .map(|goal| goal.what.as_str())
        .collect();
    if missed.is_empty() {
        let _ = write!(text, "\nall {} goals met", goals.len());
    } else {
        let _ = write!(
            text,
            "\n{} of {} goals missed: {}",
            missed.len(),
            goals.len(),
            missed.join("; ")
        );
    }
    text
}
