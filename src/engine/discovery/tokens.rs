//! `tokens/<config>`: the live tokens of this mount as Astra lists them.  Never a secret.

use std::num::NonZeroUsize;
use std::sync::Arc;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::config_field::CONFIG;
use super::config_field::config_field;
use super::error::DiscoveryError;
use super::error::MAX_TOKENS;
use super::owner_names::OwnerNames;
use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::astra_error;
use crate::engine::error::HandlerResult;
use crate::engine::tagged_token::TaggedToken;
use crate::engine::tagged_token::tagged;
use crate::framework::Call;
use crate::framework::Field;
use crate::framework::Path;
use crate::vault::Operation;
use crate::vault::Response;

/// How many tokens are listed unless the caller says: they are in memory all at once.
const LIMIT: usize = 1_000;

pub(super) fn path() -> Path<Engine> {
    Path::new("tokens/{config}/")
        .field(config_field())
        .field(
            Field::int("limit", "How many tokens to list at most.")
                .query()
                .default(LIMIT),
        )
        .field(Field::string("after", "Begin after the token with this client id.").query())
        .on(
            Operation::List,
            "List the live tokens that this mount minted.",
            list,
        )
        .returns(Field::of_list())
        .synopsis("The live tokens of this mount.")
        .help(
            "The keys are client ids; key_info tells for which role and caller each was minted, \
             when, and when it expires. An organization that does not keep descriptions shows \
             none, because the description is how a token is known to be of this mount. Where \
             there are more than limit, a warning tells how to list those that follow.",
        )
}

async fn list(engine: Arc<Engine>, call: Call) -> HandlerResult {
    let name = call.fields.captured(CONFIG);
    let connection = engine.configs.require(&name).await?;
    let given = call.fields.integer("limit").unwrap_or_default();
    let limit = usize::try_from(given)
        .ok()
        .filter(|limit| *limit <= MAX_TOKENS)
        .and_then(NonZeroUsize::new)
        .ok_or(DiscoveryError::Limit { given })?;
    let after = call
        .fields
        .string("after")
        .filter(|after| !after.is_empty());
    let deadline = Deadline::after(engine.deadlines.operation);
    // One at a time: what each keeps in memory adds up.
    let turn = connection.health.listing.lock();
    let _listing = tokio::time::timeout(deadline.remaining(), turn)
        .await
        .map_err(|_| DiscoveryError::Busy {
            config: name.clone(),
        })?;
    let select = tagged(&connection);
    let page = connection
        .client
        .token_page(select, after.as_deref(), limit, deadline)
        .await
        .map_err(|error| astra_error::request_error("list tokens", &connection, &error))?;
    let tokens = page.tokens;
    let more = page.next.map(|next| {
        format!(
            "these are {limit} live tokens, and more follow: list them with after={next}, or give \
             a higher limit"
        )
    });
    let names = OwnerNames::of(&engine, &name).await?;
    let keys = tokens
        .iter()
        .map(|token| token.token.client_id.clone())
        .collect();
    let key_info: Map<String, Value> = tokens
        .iter()
        .map(|token| (token.token.client_id.clone(), shown(token, &names)))
        .collect();
    Ok(Some(
        Response::list(keys, key_info).with_warnings(more.into_iter().collect()),
    ))
}

/// What is told of one token.
pub(crate) fn shown(tagged: &TaggedToken, names: &OwnerNames) -> Value {
    json!({
        "role": names.name_of(tagged),
        "minted_for": tagged.purpose(),
        "generated_on": time_text(tagged.token.generated_on),
        "expires_at": time_text(tagged.token.token_expiry),
    })
}

fn time_text(time: Option<OffsetDateTime>) -> String {
    time.and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_default()
}
