//! A fact that several documents need stands in one place, and where it has to be repeated it is the
//! same: versions, hosts that were tested, the rights of the root token.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use crate::table::rows;
use crate::table::spans;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(super) fn read(path: &str) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn names(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect()
}

/// The versions in a text: three numbers with dots between.
pub(super) fn versions(text: &str) -> Vec<String> {
    let is_version = |word: &&str| {
        let parts: Vec<&str> = word.split('.').collect();
        parts.len() == 3 && parts.iter().all(|part| part.parse::<u32>().is_ok())
    };
    text.split(|letter: char| !letter.is_ascii_digit() && letter != '.')
        .map(|word| word.trim_matches('.'))
        .filter(is_version)
        .map(str::to_owned)
        .collect()
}

/// The newest of some versions.
fn newest(versions: &[String]) -> String {
    let numbers = |version: &&String| -> Vec<u32> {
        version
            .split('.')
            .map(|part| part.parse().unwrap())
            .collect()
    };
    versions.iter().max_by_key(numbers).unwrap().clone()
}

/// A host: its name, the version that `scripts/test` runs, and all that can be had.
pub(super) fn hosts() -> [(&'static str, String, BTreeSet<String>); 2] {
    let module = read("tests/vault/go.mod");
    let (_, vault) = module.split_once("hashicorp/vault v").unwrap();
    let vault = versions(vault).remove(0);
    let others = names("tests/vault");
    let others = others.iter().flat_map(|name| versions(name));
    let all = others.chain([vault.clone()]).collect();
    let bao: Vec<String> = names("tests/openbao")
        .iter()
        .filter_map(|name| name.strip_suffix(".txt").map(str::to_owned))
        .collect();
    [
        ("Vault", vault, all),
        ("OpenBao", newest(&bao), bao.into_iter().collect()),
    ]
}

/// The row of README's matrix that begins with `name`.
fn matrix(name: &str) -> Vec<String> {
    let rows = rows(&read("README.md"));
    let row = rows.iter().find(|row| row[0] == name);
    versions(&row.unwrap_or_else(|| panic!("README.md has no row {name}"))[1])
}

#[test]
fn the_matrix_has_the_hosts_that_were_run_and_no_others() {
    let page = read("docs/hosts.md");
    for (name, tested, all) in hosts() {
        let shown = matrix(name);
        assert_eq!(shown[0], tested, "{name}: scripts/test runs that one");
        assert!(page.contains(&format!("{name} {tested}")), "docs/hosts.md");
        let run: BTreeSet<String> = rows(&page)
            .iter()
            .filter(|row| row[0] == name && row.len() == 4)
            .flat_map(|row| versions(&row[1]).into_iter().take(1))
            .collect();
        let shown: BTreeSet<String> = shown.into_iter().collect();
        assert_eq!(shown, run, "{name}: README.md and docs/hosts.md");
        assert!(
            shown.is_subset(&all),
            "{name}: {shown:?} were run, and scripts have {all:?}"
        );
    }
}

/// All documents, and the examples that belong to them.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["", "docs", "docs/internals", "docs/examples"] {
        for name in names(folder) {
            if name.ends_with(".md") || name.ends_with(".yaml") {
                found.push(Path::new(folder).join(name));
            }
        }
    }
    found
}

#[test]
fn documents_name_this_version_of_the_plugin() {
    let version = env!("CARGO_PKG_VERSION");
    let mut named = 0;
    for path in documents() {
        if path.ends_with("CHANGELOG.md") {
            continue;
        }
        let text = read(path.to_str().unwrap());
        for beginning in [
            "vault-plugin-secrets-astra_",
            "vault-plugin-secrets-astra-",
            "vault-plugin-secrets-astra-v",
            "vault-plugin-secrets-astra:",
            "-version=v",
            "Version ",
        ] {
            for (at, _) in text.match_indices(beginning) {
                let rest = &text[at + beginning.len()..];
                let rest = rest.split(['_', '/', ' ', '\n', '`', '"']).next().unwrap();
                let Some(other) = versions(rest)
                    .into_iter()
                    .next()
                    .filter(|_| rest.starts_with(|letter: char| letter.is_ascii_digit()))
                else {
                    continue;
                };
                // The archived Go engine has versions of its own.
                if !other.starts_with("0.") {
                    continue;
                }
                assert_eq!(other, version, "{}: {beginning}{rest}", path.display());
                named += 1;
            }
        }
    }
    assert!(named > 10, "only {named} versions were found");
}

/// The rights in `docs/security.md`, "The root token".
fn rights() -> BTreeSet<String> {
    let page = read("docs/security.md");
    let (_, section) = page.split_once("\n## The root token\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    rows(section)
        .iter()
        .flat_map(|row| spans(&row[1]))
        .collect()
}

#[test]
fn the_role_that_the_guide_makes_has_the_rights_of_the_list() {
    let page = read("docs/configure.md");
    let (_, role) = page.split_once("\"actions\": [").unwrap();
    let (actions, _) = role.split_once(']').unwrap();
    let actions: BTreeSet<String> = actions
        .split(',')
        .map(|action| action.trim().trim_matches('"').to_owned())
        .collect();
    assert_eq!(actions, rights());
}

#[test]
fn the_rights_of_the_root_token_are_listed_once() {
    // Messages and facts about the service name them too.
    let may = ["docs/security.md", "docs/errors.md"];
    let own = rights();
    let own = own
        .iter()
        .filter(|right| right.starts_with("org-token-") || right.ends_with("-write"));
    let own: Vec<&String> = own.collect();
    assert!(own.len() >= 3, "{own:?}");
    for path in documents() {
        let name = path.to_str().unwrap();
        if may.contains(&name) || name.starts_with("docs/internals/") {
            continue;
        }
        let text = read(name);
        // Blocks show what is typed.
        let prose: String = text.split("```").step_by(2).collect();
        for right in &own {
            assert!(
                !prose.contains(&format!("`{right}`")),
                "{name} names {right}: link to docs/security.md, \"The root token\""
            );
        }
    }
}

#[test]
fn the_values_for_both_charts_differ_in_names_only() {
    let values = |host: &str| {
        let text = read(&format!("docs/examples/helm-{host}-values.yaml"));
        let (head, body) = text.split_once("\nserver:\n").unwrap();
        assert!(head.contains("NOT RUN"), "{head}");
        body.to_owned()
    };
    let (vault, bao) = (values("vault"), values("openbao"));
    let renamed = vault
        .replace("/vault/data", "/openbao/data")
        .replace("libexec/vault", "libexec/openbao");
    assert_eq!(renamed, bao);
}

#[test]
fn the_site_has_every_page() {
    let summary = read("docs/SUMMARY.md");
    let listed: BTreeSet<String> = summary
        .split("](")
        .skip(1)
        .filter_map(|rest| Some(format!("docs/{}", rest.split_once(')')?.0)))
        .collect();
    let pages = documents()
        .into_iter()
        .filter(|path| path.starts_with("docs") && path.extension().is_some_and(|end| end == "md"));
    let pages: BTreeSet<String> = pages
        .map(|path| path.to_str().unwrap().to_owned())
        .filter(|name| name != "docs/SUMMARY.md")
        .collect();
    assert_eq!(listed, pages);
}

#[test]
fn versions_are_found_in_text() {
    assert_eq!(versions("1.21.0, v1.12.0 and 1.5."), ["1.21.0", "1.12.0"]);
    assert_eq!(newest(&["2.6.10".into(), "2.6.9".into()]), "2.6.10");
}
