//! Every example of `docs/api.md`, in the order of the page, against a real Vault: with the API, and
//! again as the command that stands beside it.  What varies from run to run (ids, times, secrets, and
//! what is written as `…`) is compared by its form, everything else by its value.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;

use harness::TestMount;

use crate::setup;

const PAGE: &str = include_str!("../../docs/api.md");
/// What the page calls the database that its examples use.
const SAMPLE_DATABASE: &str = "7c1d4b9e-0d2a-4d61-8e0f-1b6f0a3c5d21";
const SAMPLE_URL: &str = "https://api.astra.datastax.com";
/// Numbers that depend on the moment.
const MOMENTS: &[&str] = &["root_age", "ttl"];

/// One request of the page.
struct Example {
    /// The words of the command after `vault`.
    command: Vec<String>,
    method: Method,
    path: String,
    payload: Option<Value>,
    response: Option<Value>,
}

/// The fenced blocks of `page`: their language and text.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut is_inside = false;
    for line in page.lines() {
        match line.strip_prefix("```") {
            Some(language) => {
                if !is_inside {
                    found.push((language.to_owned(), String::new()));
                }
                is_inside = !is_inside;
            }
            None if is_inside => {
                let (_, text) = found.last_mut().unwrap();
                text.push_str(line);
                text.push('\n');
            }
            None => {}
        }
    }
    found
}

/// The examples, with what stands for the mount's own values replaced.
fn examples(mount: &TestMount) -> Vec<Example> {
    let database = mount.astra.emulator.seeds().databases["vector_db"]
        .id
        .clone();
    let page = PAGE
        .replace(SAMPLE_DATABASE, &database)
        .replace("/v1/astra/", &format!("/v1/{}/", mount.name))
        .replace(" astra/", &format!(" {}/", mount.name))
        .replace(" \"astra/", &format!(" \"{}/", mount.name))
        .replace("\"astra/creds/", &format!("\"{}/creds/", mount.name));
    let blocks = blocks(&page);
    let json = |index: usize| -> Option<Value> {
        let (language, text) = blocks.get(index)?;
        (language == "json").then(|| {
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in\n{text}"))
        })
    };
    let mut examples = Vec::new();
    for (index, (language, text)) in blocks.iter().enumerate() {
        if language != "shell-session" {
            continue;
        }
        let (command, curl) = text.split_once('\n').expect("a command and a curl");
        let command = words(command);
        let (method, path, has_payload) = request(curl);
        assert_eq!(command, expected_command(&method, &path, has_payload));
        // The block after a request is its response, unless it is the payload of the next.
        let is_payload = blocks
            .get(index + 2)
            .is_some_and(|(_, next)| next.contains("@payload.json"));
        examples.push(Example {
            command,
            method,
            path,
            payload: has_payload.then(|| json(index - 1).expect("a payload before the request")),
            response: json(index + 1).filter(|_| !is_payload),
        });
    }
    for payload in examples
        .iter_mut()
        .filter_map(|example| example.payload.as_mut())
    {
        if payload.get("token").is_some() {
            payload["token"] = mount.astra.root_token().into();
            payload["url"] = mount.astra.url().into();
        }
    }
    examples
}

/// The words of a `vault` command; quotes keep a word together.
fn words(command: &str) -> Vec<String> {
    let command = command.strip_prefix("$ vault ").expect("a command");
    let mut words = Vec::new();
    for (index, part) in command.split('"').enumerate() {
        match index % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

/// The command that sends the same request.
fn expected_command(method: &Method, path: &str, has_payload: bool) -> Vec<String> {
    let verb = match method.as_str() {
        "GET" => "read",
        "POST" if has_payload => "write",
        "POST" => "write -force",
        "LIST" => "list",
        "PATCH" => "patch",
        "DELETE" => "delete",
        other => panic!("{other} has no command"),
    };
    let payload = has_payload.then_some("@payload.json".to_owned());
    verb.split(' ')
        .map(str::to_owned)
        .chain([path.replace("%20", " ")])
        .chain(payload)
        .collect()
}

/// Method, path and whether there is a body, of a `curl` command.
fn request(text: &str) -> (Method, String, bool) {
    let text = text.replace("\\\n", " ");
    let words: Vec<&str> = text.split_whitespace().collect();
    assert_eq!(words[..2], ["$", "curl"], "{text}");
    assert!(
        text.contains("--header \"X-Vault-Token: $VAULT_TOKEN\""),
        "{text}"
    );
    let after = |option: &str| {
        let at = words.iter().position(|word| *word == option)?;
        words.get(at + 1).copied()
    };
    let method = Method::from_bytes(after("--request").unwrap_or("GET").as_bytes()).unwrap();
    assert_eq!(
        method == Method::PATCH,
        text.contains("Content-Type: application/merge-patch+json"),
        "{text}"
    );
    let url = words.last().unwrap();
    let path = url
        .strip_prefix("$VAULT_ADDR/v1/")
        .expect("a URL at the end");
    let has_payload = match after("--data") {
        Some(data) => data == "@payload.json",
        None => false,
    };
    (method, path.to_owned(), has_payload)
}

/// What `sample` and `actual` differ in, as paths into the document.
fn differences(sample: &Value, actual: &Value, at: &str, found: &mut Vec<String>) {
    let differs =
        |found: &mut Vec<String>| found.push(format!("{at}: {actual}, the page has {sample}"));
    match (sample, actual) {
        (Value::Object(sample), Value::Object(actual)) => {
            for (key, value) in sample.iter().filter(|(key, _)| *key != "…") {
                let exact = actual.get_key_value(key);
                let same = exact.or_else(|| actual.iter().find(|(other, _)| is_alike(key, other)));
                match same {
                    Some((other, found_value)) => {
                        differences(value, found_value, &format!("{at}.{other}"), found)
                    }
                    None => found.push(format!("{at}.{key} is missing")),
                }
            }
            if !sample.contains_key("…") {
                for key in actual.keys() {
                    if !sample.keys().any(|other| is_alike(other, key)) {
                        found.push(format!("{at}.{key} is not on the page"));
                    }
                }
            }
        }
        (Value::Array(sample), Value::Array(actual)) => {
            let fixed: Vec<&Value> = sample.iter().filter(|item| *item != "…").collect();
            if fixed.len() == sample.len() && sample.len() != actual.len()
                || fixed.len() > actual.len()
            {
                return differs(found);
            }
            for item in fixed {
                let is_there = actual.iter().any(|other| {
                    let mut within = Vec::new();
                    differences(item, other, at, &mut within);
                    within.is_empty()
                });
                if !is_there {
                    found.push(format!("{at}: {item} is missing"));
                }
            }
        }
        (Value::String(sample), Value::String(actual)) if is_alike(sample, actual) => {}
        (Value::Number(_), Value::Number(_))
            if MOMENTS.iter().any(|name| at.ends_with(name)) && !at.contains(".roles") => {}
        _ if sample == actual => {}
        _ => differs(found),
    }
}

/// Whether `actual` is what the page shows, or of the same form where that varies.
fn is_alike(sample: &str, actual: &str) -> bool {
    if let Some((before, after)) = sample.split_once('…') {
        return actual.len() >= before.len() + after.len()
            && actual.starts_with(before)
            && actual.ends_with(after);
    }
    let is_client_id =
        |text: &str| text.len() == 24 && text.chars().all(|char| char.is_ascii_alphabetic());
    sample == actual
        || sample == SAMPLE_URL && actual.starts_with("http://127.0.0.1:")
        || is_client_id(sample) && is_client_id(actual)
        || is_uuid(sample) && is_uuid(actual)
        || is_time(sample) && is_time(actual)
}

fn has_form(text: &str, form: &str) -> bool {
    text.len() == form.len()
        && text
            .chars()
            .zip(form.chars())
            .all(|(char, form)| match form {
                '0' => char.is_ascii_digit(),
                'x' => char.is_ascii_hexdigit(),
                _ => char == form,
            })
}

fn is_uuid(text: &str) -> bool {
    has_form(text, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx")
}

fn is_time(text: &str) -> bool {
    has_form(text.get(..19).unwrap_or_default(), "0000-00-00T00:00:00") && text.ends_with('Z')
}

#[tokio::test]
async fn every_example_of_the_page_does_what_the_page_shows() {
    let mount = setup::mount("api-page").await;
    // The page rotates the root token once.
    mount.expect_replaced_root();
    let examples = examples(&mount);
    assert!(examples.len() > 25, "{} examples", examples.len());
    for example in examples {
        let Example {
            method,
            path,
            payload,
            response,
            ..
        } = example;
        let reply = mount.api.request(method.clone(), &path, payload).await;
        let what = format!("{method} {path}");
        if reply.body["lease_id"]
            .as_str()
            .is_some_and(|id| !id.is_empty())
        {
            mount.hold(&reply.body);
        }
        let Some(sample) = response else {
            assert_eq!((reply.status, &reply.body), (204, &Value::Null), "{what}");
            continue;
        };
        let is_refusal = sample.get("errors").is_some();
        assert_eq!(
            reply.status,
            if is_refusal { 400 } else { 200 },
            "{what}: {}",
            reply.body
        );
        let mut found = Vec::new();
        // Vault's envelope has more than the page repeats.
        for (key, value) in sample.as_object().unwrap() {
            differences(value, &reply.body[key], key, &mut found);
        }
        if sample.get("warnings").is_none() {
            assert_eq!(reply.warnings(), Vec::<String>::new(), "{what}");
        }
        assert_eq!(found, Vec::<String>::new(), "{what}");
    }
    // As the last refusal says.  The root token that rotation made ends with its config.
    harness::revoke_prefix(&mount.api, &mount.path("creds/")).await;
    mount.api.delete(&mount.path("roles/reader")).await.ok();
    mount.api.delete(&mount.path("config")).await.ok();
    mount.finish().await;
}

#[tokio::test]
async fn every_command_of_the_page_does_the_same() {
    let mount = setup::mount("api-page-typed").await;
    mount.expect_replaced_root();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("payload.json");
    for example in examples(&mount) {
        let mut command = example.command;
        if command[0] == "patch" && !mount.server.host.has_patch_command() {
            let body = example.payload;
            mount.api.request(example.method, &example.path, body).await;
            continue;
        }
        if let Some(payload) = example.payload {
            std::fs::write(&file, payload.to_string()).unwrap();
            *command.last_mut().unwrap() = format!("@{}", file.display());
        }
        command.insert(1, "-format=json".to_owned());
        let arguments: Vec<&str> = command.iter().map(String::as_str).collect();
        let output = mount.cli.run(&arguments).await;
        let Some(sample) = example.response else {
            output.ok();
            continue;
        };
        if sample.get("errors").is_some() {
            output.refused();
            continue;
        }
        let printed = output.ok();
        // What has warnings alone prints them only.
        if sample.get("data").is_none_or(Value::is_null) {
            continue;
        }
        let printed: Value = serde_json::from_str(&printed).unwrap();
        if printed["lease_id"]
            .as_str()
            .is_some_and(|id| !id.is_empty())
        {
            mount.hold(&printed);
        }
        // A list prints its keys only.
        let (sample, printed) = match command[0].as_str() {
            "list" => (&sample["data"]["keys"], &printed),
            _ => (&sample["data"], &printed["data"]),
        };
        let mut found = Vec::new();
        differences(sample, printed, "data", &mut found);
        assert_eq!(found, Vec::<String>::new(), "{arguments:?}");
    }
    harness::revoke_prefix(&mount.api, &mount.path("creds/")).await;
    mount.api.delete(&mount.path("roles/reader")).await.ok();
    mount.api.delete(&mount.path("config")).await.ok();
    mount.finish().await;
}

/// The sections of the page: method and path of each table row, with the section's text.
fn sections() -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for section in PAGE.split("\n## ").skip(1) {
        for line in section.lines().filter(|line| line.starts_with("| `")) {
            let mut cells = line.split('`');
            let (method, path) = (cells.nth(1).unwrap(), cells.nth(1).unwrap());
            found.push((method.to_owned(), path.to_owned(), section.to_owned()));
        }
    }
    found
}

#[tokio::test]
async fn the_page_has_every_path_operation_and_field() {
    let mount = setup::mount("api-page-paths").await;
    let document = mount.openapi().await;
    let prefix = format!("/{}/", mount.name);
    let mut expected = BTreeSet::new();
    let mut fields = Vec::new();
    let paths = document["paths"].as_object().unwrap();
    for (path, item) in paths.iter().filter(|(path, _)| path.starts_with(&prefix)) {
        let mine = path.strip_prefix(&prefix).unwrap();
        let page_path = format!("/astra/{}", mine.trim_end_matches('/'))
            .replace('{', ":")
            .replace('}', "");
        for method in ["get", "post", "patch", "delete"] {
            let Some(operation) = item.get(method) else {
                continue;
            };
            let is_list = mine.ends_with('/');
            let verb = if is_list { "LIST" } else { method };
            expected.insert((verb.to_uppercase(), page_path.clone()));
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            for (field, _) in schema["properties"].as_object().into_iter().flatten() {
                fields.push((page_path.clone(), field.clone()));
            }
        }
    }
    let lists_patch = mount.openapi_lists_patch().await;
    let shown: BTreeSet<(String, String)> = sections()
        .into_iter()
        .map(|(method, path, _)| (method, path))
        .filter(|(method, _)| lists_patch || method != "PATCH")
        .collect();
    assert_eq!(shown, expected);
    assert!(fields.len() > 30, "only {} fields", fields.len());
    for (path, field) in fields {
        let is_described = sections().iter().any(|(method, other, text)| {
            method == "POST" && *other == path && text.contains(&format!("\n- `{field}` `("))
        });
        assert!(is_described, "{field} of {path} is not on the page");
    }
    mount.finish().await;
}
