//! Unknown parameters, on every operation of every path: a warning where nothing was done outside of
//! storage, else a refusal before anything is done.

use serde_json::Value;
use serde_json::json;

use crate::engine::testing::AstraMount;
use crate::engine::testing::READER;
use crate::vault::Error;
use crate::vault::Operation;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Answer {
    /// It is done, and the answer says what was ignored.
    Warned,
    /// It is not done.
    Refused,
}

use Answer::Refused;
use Answer::Warned;

/// Every operation, in an order in which what each needs is there.
fn table() -> Vec<(&'static str, &'static str, Operation, Answer)> {
    vec![
        ("config", "config", Operation::Create, Warned),
        ("config", "config", Operation::Update, Warned),
        ("config", "config", Operation::Patch, Warned),
        ("config", "config", Operation::Read, Warned),
        ("config/{name}", "config/other", Operation::Create, Warned),
        ("config/{name}", "config/other", Operation::Update, Warned),
        ("config/{name}", "config/other", Operation::Patch, Warned),
        ("config/{name}", "config/other", Operation::Read, Warned),
        ("config/", "config/", Operation::List, Warned),
        ("roles/{name}", "roles/app", Operation::Create, Warned),
        ("roles/{name}", "roles/app", Operation::Update, Warned),
        ("roles/{name}", "roles/app", Operation::Patch, Warned),
        ("roles/{name}", "roles/app", Operation::Read, Warned),
        ("roles/", "roles/", Operation::List, Warned),
        ("creds/{name}", "creds/reader", Operation::Read, Refused),
        ("creds/{name}", "creds/reader", Operation::Update, Refused),
        (
            "static-roles/{name}",
            "static-roles/new",
            Operation::Create,
            Refused,
        ),
        (
            "static-roles/{name}",
            "static-roles/batch",
            Operation::Update,
            Refused,
        ),
        (
            "static-roles/{name}",
            "static-roles/batch",
            Operation::Patch,
            Refused,
        ),
        (
            "static-roles/{name}",
            "static-roles/batch",
            Operation::Read,
            Warned,
        ),
        ("static-roles/", "static-roles/", Operation::List, Warned),
        (
            "static-creds/{name}",
            "static-creds/batch",
            Operation::Read,
            Warned,
        ),
        (
            "rotate-role/{name}",
            "rotate-role/batch",
            Operation::Update,
            Refused,
        ),
        (
            "rotate-root/{name?}",
            "rotate-root",
            Operation::Update,
            Refused,
        ),
        (
            "astra-roles/{config}/",
            "astra-roles/default/",
            Operation::List,
            Warned,
        ),
        (
            "astra-roles/{config}/{role*}",
            "astra-roles/default/API RO User",
            Operation::Read,
            Warned,
        ),
        (
            "databases/{config}/",
            "databases/default/",
            Operation::List,
            Warned,
        ),
        (
            "databases/{config}/{database*}",
            "databases/default/vector_db",
            Operation::Read,
            Warned,
        ),
        (
            "tokens/{config}/",
            "tokens/default/",
            Operation::List,
            Warned,
        ),
        ("tidy", "tidy", Operation::Update, Refused),
        ("metrics", "metrics", Operation::Read, Warned),
        ("status", "status", Operation::Read, Warned),
        ("status/{name}", "status/default", Operation::Read, Warned),
        ("status/", "status/", Operation::List, Warned),
        (
            "static-roles/{name}",
            "static-roles/batch",
            Operation::Delete,
            Refused,
        ),
        ("roles/{name}", "roles/app", Operation::Delete, Refused),
        ("config/{name}", "config/other", Operation::Delete, Refused),
        ("config", "config", Operation::Delete, Refused),
    ]
}

/// What a write needs beside.
fn valid(mount: &AstraMount, path: &str) -> Value {
    match path {
        "config" => mount.config(json!({"token": &mount.astra.root_token()})),
        "config/other" => mount.config(json!({"token": &mount.another_root_token()})),
        "roles/app" => json!({"astra_roles": READER}),
        "static-roles/new" | "static-roles/batch" => {
            json!({"astra_roles": READER, "rotation_period": "24h"})
        }
        _ => json!({}),
    }
}

#[tokio::test]
async fn each_operation_of_each_path_answers_unknown_parameters() {
    let mount = AstraMount::configured().await;
    let role = json!({"astra_roles": READER});
    mount.write("roles/reader", role).await.unwrap();
    let data = valid(&mount, "static-roles/batch");
    mount.write("static-roles/batch", data).await.unwrap();
    for (_, path, operation, answer) in table() {
        let mut data = match operation {
            Operation::Read | Operation::List | Operation::Delete => json!({}),
            _ => valid(&mount, path),
        };
        data["zzz"] = 1.into();
        let (requests, keys) = (mount.all_requests(), mount.storage.keys());
        let answered = mount.call(operation.clone(), path, data).await;
        match (answer, answered) {
            (Warned, Ok(Some(response))) => assert_eq!(
                response.warnings().last().map(String::as_str),
                Some("Endpoint ignored these unrecognized parameters: [zzz]"),
                "{operation:?} {path}"
            ),
            (Refused, Err(Error::BadRequest(message))) => {
                assert_eq!(
                    message, "unrecognized parameters: [zzz]; leave them out. Nothing was done",
                    "{operation:?} {path}"
                );
                assert_eq!(mount.all_requests(), requests, "{operation:?} {path}");
                assert_eq!(mount.storage.keys(), keys, "{operation:?} {path}");
            }
            (_, Ok(response)) => panic!(
                "{operation:?} {path}: {:?}",
                response.map(|response| response.warnings().to_vec())
            ),
            (_, Err(error)) => panic!("{operation:?} {path}: {error}"),
        }
    }
}

#[tokio::test]
async fn the_table_has_every_operation_of_every_path() {
    let mount = AstraMount::configured().await;
    let mut declared: Vec<(String, Operation)> = mount
        .backend
        .routes
        .iter()
        .flat_map(|route| {
            let template = &route.pattern.template;
            route
                .operations
                .iter()
                .map(move |one| (template.clone(), one.operation.clone()))
        })
        .collect();
    let mut listed: Vec<(String, Operation)> = table()
        .into_iter()
        .map(|(template, _, operation, _)| (template.to_owned(), operation))
        .collect();
    // The archived engine's paths, whose tests are with them.
    declared.retain(|(template, _)| !["import", "org/token"].contains(&template.as_str()));
    declared.sort();
    listed.sort();
    assert_eq!(declared, listed);
}

#[tokio::test]
async fn a_role_whose_policy_is_kept_in_astra_refuses_unknown_parameters() {
    let mount = AstraMount::configured().await;
    let policy = json!({
        "resources": ["drn:astra:org:{{org_id}}:db:*"], "actions": ["db-rest"], "effect": "allow",
    });
    let refusal = mount
        .refusal("roles/own", json!({"policy": policy, "default_ttl": "15m"}))
        .await;
    assert_eq!(
        refusal,
        "unrecognized parameters: [default_ttl]; for \"default_ttl\" the nearest known one is \
         \"ttl\". Nothing was done"
    );
    assert_eq!(mount.storage.keys().len(), 2, "the mount and a config");
}

#[tokio::test]
async fn parameters_of_another_tool_are_not_taken_for_ours() {
    let mount = AstraMount::configured().await;
    let written = mount
        .write(
            "roles/typo",
            json!({"astra_roles": READER, "default_ttl": "15m", "max_lease_ttl": "1h"}),
        )
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        written.warnings(),
        [
            "Endpoint ignored these unrecognized parameters: [default_ttl max_lease_ttl]; for \
             \"default_ttl\" the nearest known one is \"ttl\", for \"max_lease_ttl\" the nearest \
             known one is \"max_ttl\""
        ]
    );
    let refusal = mount.refusal("tidy", json!({"dryrun": true})).await;
    assert_eq!(
        refusal,
        "unrecognized parameters: [dryrun]; for \"dryrun\" the nearest known one is \"dry_run\". \
         Nothing was done"
    );
}
