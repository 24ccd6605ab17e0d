//! `docs/errors.md` lists every message that an operator or a caller can get.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::messages::Message;
use crate::messages::messages;
use crate::table::spans;

/// Where messages come from.
const SOURCES: &[&str] = &[
    "src/astra",
    "src/engine",
    "src/framework/name.rs",
    "src/framework/ineffective.rs",
    "src/framework/parameters.rs",
    "src/framework/coerce",
    "src/framework/duration.rs",
    "src/framework/secret.rs",
    "src/plugin/backend.rs",
    "src/plugin/dial.rs",
    "src/plugin/error.rs",
    "src/plugin/certificate.rs",
    "src/plugin/instance.rs",
    "src/plugin/knock.rs",
    "src/plugin/session.rs",
    "src/plugin/socket.rs",
    "src/vault/error.rs",
    "src/vault/storage.rs",
    "src/vault/system.rs",
    "src/vault/codec",
];

/// Texts in these sources that are no messages, and why.
const OTHER: &[(&str, &str)] = &[
    ("404 page not found", "what a router answers, compared with"),
    ("Bearer …", "a header"),
    (
        "a list of clients",
        "what a parser expects, which errors do not repeat",
    ),
    (
        "an object with a list of clients",
        "what a parser expects, which errors do not repeat",
    ),
    (
        "the mount's id is not 12 hex digits",
        "what a parser expects, which errors do not repeat",
    ),
    (
        "Kept by Vault for …",
        "the description of a custom role in Astra",
    ),
    (
        "role …",
        "part of the description of a custom role in Astra",
    ),
    (
        "static role …",
        "part of the description of a custom role in Astra",
    ),
    ("by …", "part of a token's description in Astra"),
    (
        "cannot write to storage during setup",
        "what a host says, compared with",
    ),
    ("dns error", "what a library says, compared with"),
    ("for …", "part of a token's description in Astra"),
    (
        "marks are not base64",
        "never shown: StoreError::Damaged tells the place only",
    ),
    ("RO Svc Acct", "the name of a built-in role in Astra"),
    ("R/W Svc Acct", "the name of a built-in role in Astra"),
    ("Admin Svc Acct", "the name of a built-in role in Astra"),
    (
        "the engine's paths are defined wrong: …",
        "a mistake in the code, which every test would meet",
    ),
];

fn in_the_code() -> Vec<Message> {
    // What is said of metrics is help.
    let is_help = |message: &Message| {
        message.place.starts_with("src/engine/metrics") && !message.text.starts_with("the metrics")
    };
    let is_message = |message: &Message| {
        OTHER.iter().all(|(text, _)| *text != message.text) && !is_help(message)
    };
    SOURCES
        .iter()
        .flat_map(|source| messages(source))
        .filter(is_message)
        .collect()
}

fn document() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/errors.md"))
        .expect("docs/errors.md")
}

/// One item of the page: messages in code spans, and what is said of them.
#[derive(Debug)]
struct Entry {
    messages: Vec<String>,
    text: String,
}

impl Entry {
    /// The HTTP status, for messages that are an answer of their own.
    fn status(&self) -> Option<u16> {
        self.text.split(' ').next()?.parse().ok()
    }
}

/// The items of the page: `- ` and the messages, a blank line, and what is said of them.
fn entries(document: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    for item in document.split("\n- ").skip(1) {
        let mut paragraphs = item.split("\n\n");
        let mut paragraph = || {
            let lines = paragraphs.next().unwrap_or_default().lines();
            lines.map(str::trim).collect::<Vec<_>>().join(" ")
        };
        entries.push(Entry {
            messages: spans(&paragraph()),
            text: paragraph(),
        });
    }
    entries
}

#[test]
fn every_message_of_the_code_is_in_the_document_and_the_other_way_round() {
    let document = document();
    let documented: BTreeSet<String> = entries(&document)
        .into_iter()
        .flat_map(|entry| entry.messages)
        .collect();
    let code: BTreeMap<String, String> = in_the_code()
        .into_iter()
        .map(|message| (message.text, message.place))
        .collect();
    let missing: Vec<_> = code
        .iter()
        .filter(|(text, _)| !documented.contains(*text))
        .collect();
    let gone: Vec<_> = documented
        .iter()
        .filter(|text| !code.contains_key(*text))
        .collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "not in docs/errors.md: {missing:#?}\nno longer in the code: {gone:#?}"
    );
}

#[test]
fn the_statuses_are_those_of_the_code() {
    let document = document();
    let mut checked = 0;
    for message in in_the_code() {
        let Some(status) = message.status else {
            continue;
        };
        let entry = entries(&document)
            .into_iter()
            .find(|entry| entry.messages.contains(&message.text))
            .unwrap_or_else(|| panic!("{} is not in docs/errors.md", message.text));
        // Parts of messages have no status of their own.
        if let Some(shown) = entry.status() {
            assert_eq!(
                shown, status,
                "{}: {} has another status in docs/errors.md",
                message.place, message.text
            );
            checked += 1;
        }
    }
    assert!(checked > 40, "only {checked} statuses were compared");
}

#[test]
fn every_entry_is_complete() {
    let entries = entries(&document());
    assert!(entries.len() > 250, "{} entries", entries.len());
    for entry in entries {
        assert!(
            !entry.messages.is_empty() && entry.text.contains(": ") && entry.text.ends_with('.'),
            "{entry:?}"
        );
    }
}

#[test]
fn entries_are_found() {
    let document = "# Page\n\n- `one\n  more`, `two`\n\n  400 at `x`: why. *Do:* that.\n\n## \
        Next\n\n- `y`\n\n  Part of\n  `z`: so.\n";
    let found = entries(document);
    assert_eq!(found[0].messages, ["one more", "two"]);
    assert_eq!(
        (found[0].text.as_str(), found[0].status()),
        ("400 at `x`: why. *Do:* that.", Some(400))
    );
    assert_eq!(
        (found[1].text.as_str(), found[1].status()),
        ("Part of `z`: so.", None)
    );
}
