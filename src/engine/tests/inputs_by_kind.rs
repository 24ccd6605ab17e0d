//! For each kind of field the values that are cut, rounded or guessed elsewhere, in every field of that
//! kind: each is refused, and nothing is stored.

use serde_json::Value;
use serde_json::json;

use crate::engine::testing::AstraMount;
use crate::engine::testing::READER;
use crate::framework::FieldType;
use crate::vault::Error;
use crate::vault::Operation;

/// Paths of the archived engine, which are there only on its mounts.
const ELSEWHERE: [&str; 2] = ["import", "org/token"];

/// Values that are of no field of `kind`; `None` for a kind that no field has.
fn wrong(kind: FieldType) -> Option<Vec<Value>> {
    let long = "x".repeat(241);
    Some(match kind {
        FieldType::Bool => vec![
            json!(""),
            json!(" "),
            json!("yes"),
            json!("true "),
            json!(2),
            json!(0.5),
            json!([]),
            json!({}),
        ],
        FieldType::Int => vec![
            json!(""),
            json!(" "),
            json!("010"),
            json!("0x10"),
            json!("1.5"),
            json!("1e3"),
            json!("\u{ff11}"),
            json!(1.5),
            json!(true),
            json!(u64::MAX),
            json!([1]),
            json!({}),
        ],
        FieldType::Duration => vec![
            json!(""),
            json!(" "),
            json!("1ms"),
            json!("0.9s"),
            json!("1.9s"),
            json!("1h0.5s"),
            json!("-1s"),
            json!("1w"),
            json!("5 m"),
            json!(0.9),
            json!(1.9),
            json!(-1),
            json!(true),
            json!(i64::MAX),
            json!([60]),
            json!({}),
        ],
        FieldType::Name => vec![
            json!(""),
            json!(" "),
            json!("a..b"),
            json!("../x"),
            json!("a/b"),
            json!("\u{e4}"),
            json!("a\n"),
            json!(long),
            json!(true),
            json!(["a"]),
            json!({}),
        ],
        FieldType::String => vec![
            json!(true),
            json!(1.5),
            json!(1e21),
            json!(["a"]),
            json!({}),
        ],
        FieldType::CommaStringSlice => vec![
            json!(true),
            json!(1.5),
            json!({}),
            json!({"a": 1}),
            json!([null]),
            json!([READER, null]),
            json!([[READER]]),
        ],
        // The engine reads it: inputs_by_field has what is wrong in it.
        FieldType::Json => Vec::new(),
        _ => return None,
    })
}

#[tokio::test]
async fn no_value_is_cut_rounded_or_guessed() {
    let mount = AstraMount::configured().await;
    mount
        .write("roles/n", json!({"astra_roles": READER}))
        .await
        .unwrap();
    let stored = mount.storage.keys();
    let mut taken = Vec::new();
    let mut tried = 0;
    for route in &mount.backend.routes {
        let template = route.pattern.template.as_str();
        if ELSEWHERE.contains(&template) {
            continue;
        }
        let path = template
            .replace("{name?}", "n")
            .replace("{name}", "n")
            .replace("{config}", "default")
            .replace("{role*}", READER)
            .replace("{database*}", "vector_db");
        let captures = &route.pattern.captures;
        for field in route
            .schema
            .iter()
            .filter(|field| !captures.iter().any(|one| one == field.name))
        {
            let values =
                wrong(field.kind).unwrap_or_else(|| panic!("{:?}: add a line", field.kind));
            for declared in &route.operations {
                let operation = &declared.operation;
                let is_write = matches!(
                    operation,
                    Operation::Create | Operation::Update | Operation::Patch
                );
                if !field.is_for(operation) || !(is_write || field.query) {
                    continue;
                }
                for value in &values {
                    tried += 1;
                    let answer = mount
                        .call(operation.clone(), &path, json!({field.name: value}))
                        .await;
                    let named = format!("error converting input for field {:?}: ", field.name);
                    let is_refused = matches!(&answer, Err(Error::BadRequest(text))
                        if text.contains(&named) && text.len() < 400);
                    // A token is refused by what it looks like, not by its kind.
                    if !is_refused {
                        taken.push(format!(
                            "{operation:?} {path} {}={value}: {:?}",
                            field.name,
                            answer.err()
                        ));
                    }
                }
            }
        }
    }
    assert!(taken.is_empty(), "{}", taken.join("\n"));
    assert!(tried > 500, "{tried}");
    assert_eq!(mount.storage.keys(), stored, "nothing is stored");
}
