//! Loops among files and folders that use each other.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

type Graph<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// The files and folders that use each other in a loop: one sorted list for each loop.
///
/// In each folder its files and folders are compared, a folder with all that is below it.
pub(crate) fn cycles(uses: &Graph<'_>) -> BTreeSet<Vec<String>> {
    let folders: BTreeSet<&str> = uses.keys().flat_map(|file| parents(file)).collect();
    let mut found = BTreeSet::new();
    for folder in folders {
        let mut graph = Graph::new();
        for (user, used) in uses {
            let Some(from) = child_of(folder, user) else {
                continue;
            };
            let to = used.iter().filter_map(|used| child_of(folder, used));
            graph
                .entry(from)
                .or_default()
                .extend(to.filter(|to| *to != from));
        }
        found.extend(loops(&graph));
    }
    found
}

/// The folders that `file` is in, at any depth.
fn parents(file: &str) -> impl Iterator<Item = &str> {
    file.match_indices('/')
        .filter_map(|(end, _)| file.get(..end))
}

/// The file or folder directly in `folder` that `file` is, or is in.
fn child_of<'a>(folder: &str, file: &'a str) -> Option<&'a str> {
    let inside = file.strip_prefix(folder)?.strip_prefix('/')?;
    let length = inside.find('/').unwrap_or(inside.len());
    file.get(..folder.len() + 1 + length)
}

/// Groups in which every member reaches every other.
fn loops(graph: &Graph<'_>) -> Vec<Vec<String>> {
    let reach: BTreeMap<&str, BTreeSet<&str>> = graph
        .keys()
        .map(|from| (*from, reachable(graph, from)))
        .collect();
    let mut groups: BTreeSet<Vec<String>> = BTreeSet::new();
    for (from, targets) in &reach {
        let back = |to: &&&str| {
            reach
                .get(**to)
                .is_some_and(|targets| targets.contains(from))
        };
        let group: Vec<String> = targets
            .iter()
            .filter(back)
            .map(ToString::to_string)
            .collect();
        if !group.is_empty() {
            groups.insert(group);
        }
    }
    groups.into_iter().collect()
}

fn reachable<'a>(graph: &Graph<'a>, from: &str) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    let mut next: Vec<&str> = graph.get(from).into_iter().flatten().copied().collect();
    while let Some(node) = next.pop() {
        if seen.insert(node) {
            next.extend(graph.get(node).into_iter().flatten());
        }
    }
    seen
}
