//! For each field of each path a wrong value, with the exact answer.

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;

use crate::engine::testing::AstraMount;
use crate::engine::testing::READER;
use crate::vault::Error;
use crate::vault::Operation;

/// The path as it is declared, the field, the request with a wrong value of it, and the answer.
struct Line {
    template: &'static str,
    field: &'static str,
    operation: Operation,
    path: String,
    data: Value,
    answer: String,
}

/// Paths of the archived engine, which are there only on its mounts; their inputs are tested with them
/// (`src/engine/takeover/tests`).
const ELSEWHERE: [&str; 2] = ["import", "org/token"];

/// A name that is none, in the path or in a field.
const NO_NAME: &str = "a b";

/// What is told of a name that is none.
const RULE: &str = "\"a b\" is not a name: use letters of English, digits and \"_\", and between them also \"-\" and single \".\", 240 characters at most";

fn no_name(field: &str) -> String {
    format!("{field}: {RULE}")
}

/// The answer for a name in a field of the body.
fn no_name_in(field: &str) -> String {
    mistyped(field, RULE)
}

/// The answer for a value that does not convert.
fn mistyped(field: &str, what: &str) -> String {
    format!("Field validation failed: error converting input for field \"{field}\": {what}")
}

fn no_bool(field: &str) -> String {
    mistyped(field, "\"maybe\" is not true or false")
}

fn no_text(field: &str) -> String {
    mistyped(field, "{} is not text")
}

fn no_duration(field: &str) -> String {
    mistyped(
        field,
        "\"soon\" is not a duration, in seconds or as text such as 90s, 1h30m or 7d: a number is missing; write for instance 90s, \
         30m, 1h30m or 7d",
    )
}

/// Collects lines for one path.
struct Lines {
    template: &'static str,
    operation: Operation,
    path: &'static str,
    /// What is sent besides.
    base: Value,
    lines: Vec<Line>,
}

impl Lines {
    fn of(template: &'static str, operation: Operation, path: &'static str, base: Value) -> Self {
        let lines = Vec::new();
        Self {
            template,
            operation,
            path,
            base,
            lines,
        }
    }

    /// The value `wrong` in `field`, with the base's other fields.
    fn wrong(mut self, field: &'static str, wrong: Value, answer: impl Into<String>) -> Self {
        let mut data = self.base.clone();
        data[field] = wrong;
        self.lines.push(Line {
            template: self.template,
            field,
            operation: self.operation.clone(),
            path: self.path.to_owned(),
            data,
            answer: answer.into(),
        });
        self
    }

    fn bools(mut self, fields: &[&'static str]) -> Self {
        for field in fields {
            self = self.wrong(field, json!("maybe"), no_bool(field));
        }
        self
    }

    fn texts(mut self, fields: &[&'static str]) -> Self {
        for field in fields {
            self = self.wrong(field, json!({}), no_text(field));
        }
        self
    }

    /// A field that is a part of the path, which names what does not exist.
    fn nothing(self, field: &'static str) -> Self {
        let path = self.path;
        self.pushed(field, path, "nothing".to_owned())
    }

    /// A field that is a part of the path: `path` has a wrong one.
    fn captured(self, field: &'static str, path: &str) -> Self {
        self.pushed(field, path, no_name(field))
    }

    fn pushed(mut self, field: &'static str, path: &str, answer: String) -> Self {
        self.lines.push(Line {
            template: self.template,
            field,
            operation: self.operation.clone(),
            path: path.to_owned(),
            data: self.base.clone(),
            answer,
        });
        self
    }
}

fn config(template: &'static str, path: &'static str) -> Lines {
    let no_token = "token: an application token begins with \"AstraCS:\"; a client id, a client secret or a JSON document is not one";
    Lines::of(template, Operation::Update, path, json!({}))
        .wrong("token", json!("secret"), no_token)
        .wrong(
            "url",
            json!("http://astra.example.com"),
            "url: the URL \"http://astra.example.com\" must begin with \"https://\": the root token would travel in clear; plain \"http://\" is accepted only for a loopback address",
        )
        .wrong(
            "org_id",
            json!("mine"),
            "org_id: the token belongs to organization ORG, not to mine: leave org_id out or give the token's own",
        )
        .wrong(
            "ca_cert",
            json!("/etc/ca.pem"),
            "ca_cert: it looks like the name of a file: write ca_cert=@FILE, so that the file's content is sent",
        )
        .wrong("request_timeout", json!("soon"), no_duration("request_timeout"))
        .wrong(
            "request_timeout",
            json!(0),
            "request_timeout: 0 is out of range: give a number from 1 to 60",
        )
        .wrong(
            "max_concurrent_requests",
            json!(0),
            "max_concurrent_requests: 0 is out of range: give a number from 1 to 1000",
        )
        .wrong(
            "rotation_period",
            json!("1s"),
            "rotation_period: 1s is out of range: give 1m or more, up to 100 years",
        )
        .wrong(
            "rotation_schedule",
            json!("daily"),
            "rotation_schedule: \"daily\" is not a schedule: it has 1 fields; give a cron expression of five fields in UTC (minute, hour, day of month, month, day of week), for instance \"0 3 * * SAT\"",
        )
        .bools(&["verify", "allow_token_admin", "disable_automated_rotation", "force"])
}

/// The fields that roles and static roles have in common.
fn granting(lines: Lines, id: &str) -> Lines {
    let needs = |field: &str| {
        format!("{field} needs database_id: give the id of the database, or leave {field} out")
    };
    lines
        .wrong("config", json!(NO_NAME), no_name_in("config"))
        .wrong("config", json!("none"), "config \"none\" does not exist: write it first, with token=… at config/none")
        .wrong(
            "astra_roles",
            json!("Not a Role"),
            "astra_roles: the organization has no role \"Not a Role\"; the nearest names are \"Token Writer\", \"API RO User\", \"Nothing\"",
        )
        .wrong("policy", json!("[]"), "astra_roles and policy are both given: give one of astra_roles, policy and access")
        .wrong("access", json!("admin"), "astra_roles and access are both given: give one of astra_roles, policy and access")
        .wrong("database_id", json!("mine"), "database_id: the organization of config \"default\" has no database \"mine\"; it has \"vector_db\" (ID), \"classic_db\" (OTHER): give the id of a database of this organization, or use the config of the other one (list databases/default shows all)")
        .wrong("region", json!("mars"), needs("region"))
        .wrong("keyspace", json!("app"), needs("keyspace"))
        .wrong("secure_connect_bundle", json!(true), needs("secure_connect_bundle"))
        .texts(&["description"])
        .bools(&["secure_connect_bundle"])
        .with(json!({"astra_roles": READER, "database_id": id}))
        .wrong("region", json!("mars"), "region: database \"vector_db\" (ID) has no region \"mars\": it has \"europe-west1\", \"us-east1\"")
        .wrong("keyspace", json!("other"), "keyspace: database \"vector_db\" (ID) has no keyspace \"other\": it has \"app\", \"default_keyspace\"")
        .with(json!({}))
        .wrong("policy", json!("[]"), "policy: it is a list, not a JSON object: an Astra policy has the lists resources and actions, the text effect, which is \"allow\", and optionally the text description")
        .wrong("access", json!("all"), "access: \"all\" is unknown: give read-only, read-write or admin")
        .wrong("access", json!("admin"), "access: admin is for one database, and database_id is empty: give database_id, or use astra_roles or policy instead")
}

impl Lines {
    /// From here on with other values besides.
    fn with(mut self, base: Value) -> Self {
        let rotation = self.base.get("rotation_period").cloned();
        self.base = base;
        if let Some(rotation) = rotation {
            self.base["rotation_period"] = rotation;
        }
        self
    }

    fn named(mut self, path: &'static str, operation: Operation) -> Self {
        self.path = path;
        self.operation = operation;
        self
    }
}

fn roles(id: &str) -> Lines {
    let base = json!({"astra_roles": READER});
    let lines = Lines::of("roles/{name}", Operation::Create, "roles/n", base.clone())
        .captured("name", "roles/a b")
        .wrong("ttl", json!("soon"), no_duration("ttl"))
        .wrong(
            "max_ttl",
            json!("-1s"),
            mistyped("max_ttl", "cannot provide negative value '-1'"),
        )
        .wrong(
            "max_active",
            json!(-1),
            "max_active: -1 is out of range: give a number from 1 to 1000000, or 0 for no limit",
        )
        .bools(&["require_reason"]);
    granting(lines, id)
        .with(json!({}))
        .named("roles/n", Operation::Delete)
        .bools(&["force"])
}

fn static_roles(id: &str) -> Lines {
    let base = json!({"astra_roles": READER, "rotation_period": "24h"});
    let lines = Lines::of("static-roles/{name}", Operation::Create, "static-roles/n", base)
        .captured("name", "static-roles/a b")
        .wrong("overlap", json!("24h"), "overlap: 24h is not less than the time between two rotations, 24h: shorten overlap or rotate less often")
        .wrong("rotation_period", json!("1s"), "rotation_period: 1s is out of range: give 1m or more, up to 100 years")
        .wrong("rotation_schedule", json!("0 3 * * *"), "rotation_period: 24h was given together with rotation_schedule: give one of the two");
    let mut lines = granting(lines, id).named("static-roles/n", Operation::Delete);
    lines.base = json!({});
    lines.bools(&["force"])
}

/// All lines.
fn table(id: &str) -> Vec<Line> {
    let reading = |template, path| Lines::of(template, Operation::Read, path, json!({}));
    let listing = |template, path| Lines::of(template, Operation::List, path, json!({}));
    let writing = |template, path| Lines::of(template, Operation::Update, path, json!({}));
    [
        config("config", "config"),
        config("config/{name}", "config/default").captured("name", "config/a b"),
        writing("rotate-root/{name?}", "rotate-root").captured("name", "rotate-root/a b"),
        roles(id),
        writing("creds/{name}", "creds/ci")
            .captured("name", "creds/a b")
            .wrong("ttl", json!("soon"), no_duration("ttl"))
            .texts(&["reason"]),
        static_roles(id),
        reading("static-creds/{name}", "static-creds/n").captured("name", "static-creds/a b"),
        writing("rotate-role/{name}", "rotate-role/n").captured("name", "rotate-role/a b"),
        listing("astra-roles/{config}/", "").captured("config", "astra-roles/a b/"),
        reading("astra-roles/{config}/{role*}", "astra-roles/default/absent")
            .captured("config", "astra-roles/a b/absent")
            .nothing("role"),
        listing("databases/{config}/", "").captured("config", "databases/a b/"),
        reading(
            "databases/{config}/{database*}",
            "databases/default/nothing",
        )
        .captured("config", "databases/a b/nothing")
        .nothing("database"),
        listing("tokens/{config}/", "tokens/default/")
            .captured("config", "tokens/a b/")
            .wrong(
                "limit",
                json!(0),
                "limit: 0 is out of range: give a number from 1 to 10000",
            )
            .texts(&["after"]),
        writing("tidy", "tidy")
            .wrong("config", json!(NO_NAME), no_name_in("config"))
            .bools(&["dry_run"]),
        reading("status/{name}", "status/none").captured("name", "status/a b"),
    ]
    .into_iter()
    .flat_map(|lines| lines.lines)
    .collect()
}

#[tokio::test]
async fn each_field_of_each_path_has_its_answer() {
    let mount = AstraMount::configured().await;
    let role = json!({"astra_roles": READER, "ttl": "5m"});
    mount.write("roles/ci", role).await.unwrap();
    let seeds = mount.astra.seeds();
    let org = &seeds.organizations[0].id;
    let id = seeds.databases["vector_db"].id.clone();
    let other = &seeds.databases["classic_db"].id;
    let stored = mount.storage.keys();
    let mut others = Vec::new();
    for line in table(&id) {
        let sent = format!("{:?} {} {}", line.operation, line.path, line.data);
        let answer = mount.call(line.operation, &line.path, line.data).await;
        let answer = match answer {
            Ok(None) => "nothing".to_owned(),
            Ok(Some(response)) => format!("accepted: {:?}", response.warnings()),
            Err(Error::BadRequest(text)) => text
                .replace(org, "ORG")
                .replace(&id, "ID")
                .replace(other, "OTHER"),
            Err(error) => format!("no 400: {error:?}"),
        };
        if answer != line.answer {
            others.push(format!("{sent}\n   is: {answer}\n  not: {}", line.answer));
        }
    }
    assert!(others.is_empty(), "{}", others.join("\n"));
    assert_eq!(mount.storage.keys(), stored, "nothing is stored");
}

#[tokio::test]
async fn the_table_has_every_field_of_every_path() {
    let mount = AstraMount::configured().await;
    let declared: BTreeSet<(String, &str)> = mount
        .backend
        .routes
        .iter()
        .filter(|route| !ELSEWHERE.contains(&route.pattern.template.as_str()))
        .flat_map(|route| {
            let fields = route.schema.iter();
            fields.map(|field| (route.pattern.template.clone(), field.name))
        })
        .collect();
    let listed: BTreeSet<(String, &str)> = table("")
        .into_iter()
        .map(|line| (line.template.to_owned(), line.field))
        .collect();
    assert_eq!(declared, listed);
}
