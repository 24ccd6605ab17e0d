//! The recorded budget, and whether it is kept.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Deserialize;

use crate::count::Cost;

/// Where it is recorded, from the repository's root.
const FILE: &str = "tests/allocations/budget.json";
/// A figure below this share of its budget has become so good that the budget must follow.
const TOO_GENEROUS: f64 = 0.9;

/// Limits by the name of what is measured.
#[derive(Deserialize)]
pub(crate) struct Budget(BTreeMap<String, Limits>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    allocations: Option<u64>,
    bytes: Option<u64>,
    peak_bytes: Option<u64>,
}

/// One measured figure after the other.
pub(crate) struct Line {
    name: &'static str,
    figures: Vec<(&'static str, u64)>,
}

impl Line {
    pub(crate) fn new(name: &'static str, cost: Cost) -> Self {
        let figures = vec![("allocations", cost.allocations), ("bytes", cost.bytes)];
        Self { name, figures }
    }

    pub(crate) fn peak(name: &'static str, bytes: u64) -> Self {
        let figures = vec![("peak_bytes", bytes)];
        Self { name, figures }
    }
}

impl Budget {
    pub(crate) fn load() -> Self {
        let path = format!("{}/{FILE}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn limit(&self, name: &str, figure: &str) -> Option<u64> {
        let limits = self.0.get(name)?;
        match figure {
            "allocations" => limits.allocations,
            "bytes" => limits.bytes,
            _ => limits.peak_bytes,
        }
    }
}

/// The table, and what is wrong.
pub(crate) fn judge(lines: &[Line], budget: &Budget) -> (String, Vec<String>) {
    let mut table = String::from("| request | figure | measured | budget |\n|---|---|---:|---:|\n");
    let mut failures = Vec::new();
    for Line { name, figures } in lines {
        for (figure, measured) in figures {
            let Some(limit) = budget.limit(name, figure) else {
                failures.push(format!("{FILE} has no \"{figure}\" of \"{name}\""));
                continue;
            };
            let _ = writeln!(table, "| {name} | {figure} | {measured} | {limit} |");
            // What is alive at one moment depends on how an answer arrives, so only much is too much.
            let may_be_low = *figure == "peak_bytes";
            if *measured > limit {
                failures.push(format!(
                    "{name}: {measured} {figure}, the budget is {limit}. Find what was added; if \
                     it is worth its cost, raise the figure in {FILE} and say why in the commit"
                ));
            } else if !may_be_low && (*measured as f64) < limit as f64 * TOO_GENEROUS {
                failures.push(format!(
                    "{name}: {measured} {figure}, the budget of {limit} is far too generous. Lower \
                     it in {FILE} to a few per cent above, so that it stays so"
                ));
            }
        }
    }
    (table, failures)
}
