//! `docs/recipes.md` says of each recipe which version a test ran it with, or why it was not run; and
//! the versions are those of `tests/consumers`.

use std::collections::BTreeSet;

use crate::facts::hosts;
use crate::facts::read;
use crate::facts::versions;

/// Pinned on no line of `tests/consumers`: curl is that of the machine, and the C++ driver is inside of
/// a Python package (`scripts/consumers` compares what it calls itself).
const NOT_PINNED: [&str; 2] = ["7.88.1", "2.16.2"];

/// In one line, words separated by one space.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn says_how_it_was_run(text: &str) -> bool {
    let text = flat(text);
    text.contains("un by a test with") || text.contains("ot run here, because")
}

#[test]
fn each_recipe_says_how_it_was_run_or_why_it_was_not() {
    let page = read("docs/recipes.md");
    for section in page.split("\n## ").skip(1) {
        let title = section.lines().next().unwrap();
        assert!(says_how_it_was_run(section), "{title}");
        let prose_and_code: Vec<&str> = section.split("```").collect();
        for pair in prose_and_code.chunks_exact(2) {
            let language = pair[1].lines().next().unwrap();
            if ["python", "ts", "js", "java", "cpp"].contains(&language) {
                assert!(says_how_it_was_run(pair[0]), "{title}: code in {language}");
            }
        }
    }
    for (at, found) in flat(&page).match_indices("ot run here") {
        let rest = &flat(&page)[at + found.len()..];
        assert!(rest.starts_with(", because"), "no reason: …{}", &rest[..40]);
    }
}

#[test]
fn recipes_name_the_versions_that_are_pinned() {
    let own = |folder: &str, file: &str| read(&format!("tests/consumers/{folder}/{file}"));
    let poms = [
        "astra-db-java",
        "cassandra",
        "dsbulk",
        "java-driver-3",
        "java-driver-4",
    ];
    let pinned = poms
        .iter()
        .chain(&["java-driver-4.17"])
        .map(|folder| own(folder, "pom.xml"))
        .chain([own("python", "requirements.in"), own("npm", "package.json")])
        .flat_map(|text| versions(&text))
        .chain(["go", "grpcurl", "consul-template"].map(|folder| {
            let module = own(folder, "go.mod");
            let (_, first) = module.split_once("require ").unwrap();
            versions(first).remove(0)
        }))
        .chain([{
            let pom = own("spring-vault", "pom.xml");
            let (_, client) = pom.split_once("spring-vault-core").unwrap();
            versions(client).remove(0)
        }])
        // The format of a pom, and the version of the folder itself.
        .filter(|version| version != "4.0.0" && version != "0.0.0");
    let mut expected: BTreeSet<String> = pinned.collect();
    expected.extend(hosts().map(|(_, version, _)| version));
    expected.extend(NOT_PINNED.map(str::to_owned));
    let named: BTreeSet<String> = versions(&read("docs/recipes.md")).into_iter().collect();
    assert_eq!(named, expected);
}
