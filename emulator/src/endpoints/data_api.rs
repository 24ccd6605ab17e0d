//! The commands of the Data API on a keyspace and on a collection: as much as shows that a client
//! and its token work. Filters compare members for equality, no more.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::endpoints::call::Call;
use crate::ids;
use crate::reply::Reply;
use crate::state::collections::Collection;
use crate::state::collections::Keyspace;

type Object = Map<String, Value>;

/// Operators of filters begin with it.
const OPERATOR: char = '$';

/// The answer to a command on a keyspace.
pub(super) fn on_keyspace(
    call: &mut Call<'_>,
    keyspace: Keyspace,
    body: &Object,
) -> Result<Value, Reply> {
    let (command, arguments) = command(call, body)?;
    let named = |name: &str| arguments.get(name).and_then(Value::as_str);
    let collections = &mut call.state.records.collections;
    Ok(match command.as_str() {
        "findCollections" => {
            let explain = arguments.get("options").and_then(|own| own.get("explain"));
            let explain = explain.and_then(Value::as_bool).unwrap_or_default();
            let names: Vec<Value> = collections
                .names(&keyspace)
                .into_iter()
                .map(|name| match explain {
                    true => json!({"name": name, "options": {}}),
                    false => name.into(),
                })
                .collect();
            json!({"status": {"collections": names}})
        }
        "listTables" => json!({"status": {"tables": []}}),
        "createCollection" | "deleteCollection" => {
            let Some(name) = named("name") else {
                return Err(call.deviation("command", &format!("{command} needs a name")));
            };
            match command.as_str() {
                "createCollection" => collections.create(keyspace, name),
                _ => collections.delete(&keyspace, name),
            }
            json!({"status": {"ok": 1}})
        }
        _ => json!({"status": {"ok": 1}}),
    })
}

/// The answer to a command on a collection.
pub(super) fn on_collection(
    call: &mut Call<'_>,
    keyspace: &Keyspace,
    name: &str,
    body: &Object,
) -> Result<Value, Reply> {
    let (command, arguments) = command(call, body)?;
    let mut new_id = || ids::uuid(&mut call.state.rng);
    let Some(collection) = call.state.records.collections.get_mut(keyspace, name) else {
        // Inferred from the Data API's other answers.
        let message = format!("Collection does not exist, collection name: {name}");
        return Ok(failure("COLLECTION_NOT_EXIST", &message));
    };
    let filter = match filter(&arguments) {
        Ok(filter) => filter,
        Err(name) => {
            let message = format!("the emulator compares members for equality only, not {name}");
            return Ok(failure("UNSUPPORTED_FILTER_OPERATION", &message));
        }
    };
    Ok(match command.as_str() {
        "insertOne" | "insertMany" => {
            let documents = match (arguments.get("document"), arguments.get("documents")) {
                (Some(Value::Object(one)), None) => vec![one.clone()],
                (None, Some(Value::Array(many))) => {
                    many.iter().filter_map(Value::as_object).cloned().collect()
                }
                _ => return Err(call.deviation("command", "an insert needs its documents")),
            };
            let asked = arguments
                .get("options")
                .and_then(|own| own.get("returnDocumentResponses"))
                .and_then(Value::as_bool)
                .unwrap_or_default();
            insert(collection, documents, asked, &mut new_id)
        }
        "findOne" => json!({"data": {"document": collection.find(&filter).first()}}),
        "find" => {
            json!({"data": {"documents": collection.find(&filter), "nextPageState": null}})
        }
        "countDocuments" => json!({"status": {"count": collection.find(&filter).len()}}),
        "deleteOne" => json!({"status": {"deletedCount": collection.delete(&filter, 1)}}),
        "deleteMany" => {
            json!({"status": {"deletedCount": collection.delete(&filter, usize::MAX)}})
        }
        _ => {
            let message = format!("the emulator does not know the command {command}");
            failure("COMMAND_UNKNOWN", &message)
        }
    })
}

/// Inserts all documents or, when there is one with the same `_id`, none.
fn insert(
    collection: &mut Collection,
    documents: Vec<Object>,
    responses: bool,
    new_id: &mut dyn FnMut() -> String,
) -> Value {
    let mut made: Vec<Value> = Vec::new();
    let mut ready: Vec<Object> = Vec::new();
    for mut document in documents {
        let id = document
            .entry("_id")
            .or_insert_with(|| new_id().into())
            .clone();
        if collection.has(&id) || made.contains(&id) {
            let message = format!("Document already exists with the given _id: {id}");
            return failure("DOCUMENT_ALREADY_EXISTS", &message);
        }
        made.push(id);
        ready.push(document);
    }
    for document in ready {
        collection.insert(document);
    }
    if !responses {
        return json!({"status": {"insertedIds": made}});
    }
    let each: Vec<Value> = made
        .into_iter()
        .map(|id| json!({"_id": id, "status": "OK"}))
        .collect();
    json!({"status": {"documentResponses": each}})
}

/// The one command of a body, and its arguments.
fn command(call: &mut Call<'_>, body: &Object) -> Result<(String, Object), Reply> {
    let mut commands = body.iter();
    match (commands.next(), commands.next()) {
        (Some((command, Value::Object(arguments))), None) => {
            Ok((command.clone(), arguments.clone()))
        }
        (Some(_), None) => Err(call.deviation("command", "the command is an object")),
        _ => Err(call.deviation("command", "the body is an object with one command")),
    }
}

/// The filter of a command; an operator in it is the error.
fn filter(arguments: &Object) -> Result<Object, String> {
    let filter = match arguments.get("filter") {
        Some(Value::Object(filter)) => filter.clone(),
        _ => Object::new(),
    };
    let operator = filter.iter().find_map(|(name, value)| {
        let inner = value.as_object().and_then(|own| own.keys().next());
        [Some(name), inner]
            .into_iter()
            .flatten()
            .find(|own| own.starts_with(OPERATOR))
    });
    match operator {
        Some(operator) => Err(operator.clone()),
        None => Ok(filter),
    }
}

fn failure(code: &str, message: &str) -> Value {
    json!({"errors": [{"errorCode": code, "message": message}]})
}
