//! `tokens/<config>`: the live tokens of this mount as Astra lists them.  Never a secret.

use std::sync::Arc;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::config_field::CONFIG;
use super::config_field::config_field;
use super::owner_names::OwnerNames;
use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::astra_error;
use crate::engine::error::HandlerResult;
use crate::engine::tagged_token::TaggedToken;
use crate::engine::tagged_token::live;
use crate::framework::Call;
use crate::framework::Field;
use crate::framework::Path;
use crate::vault::Operation;
use crate::vault::Response;

pub(super) fn path() -> Path<Engine> {
    Path::new("tokens/{config}/")
        .field(config_field())
        .on(Operation::List, "List the live tokens that this mount minted.", list)
        .returns(Field::of_list())
        .synopsis("The live tokens of this mount.")
        .help(
            "The keys are client ids; key_info tells for which role and caller each was minted, when, and when it expires. \
             An organization that does not keep descriptions shows none, because the description is how a token is known \
             to be of this mount.",
        )
}

async fn list(engine: Arc<Engine>, call: Call) -> HandlerResult {
    let name = call.fields.captured(CONFIG);
    let connection = engine.configs.require(&name).await?;
    let tokens = live(&connection, Deadline::after(engine.deadlines.operation)).await;
    let mut tokens =
        tokens.map_err(|error| astra_error::request_error("list tokens", &connection, &error))?;
    tokens.sort_by(|one, other| one.token.client_id.cmp(&other.token.client_id));
    let names = OwnerNames::of(&engine, &name).await?;
    let keys = tokens
        .iter()
        .map(|token| token.token.client_id.clone())
        .collect();
    let key_info: Map<String, Value> = tokens
        .iter()
        .map(|token| (token.token.client_id.clone(), shown(token, &names)))
        .collect();
    Ok(Some(Response::list(keys, key_info)))
}

/// What is told of one token.
pub(crate) fn shown(tagged: &TaggedToken, names: &OwnerNames) -> Value {
    json!({
        "role": names.name_of(tagged),
        "minted_for": tagged.purpose(),
        "astra_role_ids": tagged.token.roles,
        "generated_on": time_text(tagged.token.generated_on),
        "expires_at": time_text(tagged.token.token_expiry),
    })
}

fn time_text(time: Option<OffsetDateTime>) -> String {
    time.and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_default()
}
