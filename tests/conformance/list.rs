//! The list itself: each of its lines is a test here, or has its place in `tests/README.md`.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::Path;

const README: &str = include_str!("../README.md");

/// The modules and their sources.
const MODULES: [(&str, &str); 10] = [
    ("start", include_str!("start.rs")),
    ("tls", include_str!("tls.rs")),
    ("services", include_str!("services.rs")),
    ("setup", include_str!("setup.rs")),
    ("requests", include_str!("requests.rs")),
    ("leases", include_str!("leases.rs")),
    ("nodes", include_str!("nodes.rs")),
    ("faults", include_str!("faults.rs")),
    ("container", include_str!("container.rs")),
    ("logs", include_str!("logs.rs")),
];

/// These lines need a real server.
const END_TO_END: RangeInclusive<u32> = 68..=73;
const LAST: u32 = 78;

/// The lines that a module tests: `async fn c16_…` is for line 16.
fn tested(source: &str) -> BTreeSet<u32> {
    let names = source.split("#[tokio::test]\nasync fn c").skip(1);
    names
        .filter_map(|rest| rest.get(..2)?.parse().ok())
        .collect()
}

/// Number and place of each line in the README.
fn listed() -> Vec<(u32, &'static str)> {
    let (_, list) = README.split_once("\n## The list").expect("no list");
    let list = list.split("\n## ").next().unwrap_or_default();
    let rows = list.lines().filter_map(|line| {
        let mut cells = line.strip_prefix('|')?.strip_suffix('|')?.split('|');
        let number = cells.next()?.trim().parse().ok()?;
        Some((number, cells.next_back()?.trim()))
    });
    rows.collect()
}

#[test]
fn every_line_has_a_place() {
    let numbers: Vec<u32> = listed().into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, (1..=LAST).collect::<Vec<_>>());
}

#[test]
fn every_line_is_tested_where_the_list_says() {
    for (number, place) in listed()
        .into_iter()
        .filter(|(number, _)| !END_TO_END.contains(number))
    {
        let module = place.split(';').next().unwrap_or_default();
        match MODULES.iter().find(|(name, _)| *name == module) {
            Some((_, source)) => assert!(
                tested(source).contains(&number),
                "line {number} is not in {module}"
            ),
            None => assert!(place.contains('`'), "line {number} is nowhere: {place}"),
        }
        named_tests_exist(number, place);
    }
}

/// A place outside of the modules is written as a file and a test, both in backquotes.
fn named_tests_exist(number: u32, place: &str) {
    let quoted: Vec<&str> = place.split('`').skip(1).step_by(2).collect();
    for pair in quoted.chunks(2) {
        let [file, test] = pair else {
            panic!("line {number}: a file and a test, please: {place}");
        };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let source =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(
            source.contains(&format!("fn {test}(")),
            "line {number}: {file} has no {test}"
        );
    }
}

#[test]
fn every_test_is_in_the_list() {
    for (module, source) in MODULES {
        for number in tested(source) {
            let place = listed().into_iter().find(|(line, _)| *line == number);
            let place = place.map_or("nowhere", |(_, place)| place);
            assert!(
                place.starts_with(module),
                "line {number} is tested in {module}, the list says {place}"
            );
        }
    }
}
