//! `rotate-root` and `rotate-root/<name>`.

use std::sync::Arc;

use serde_json::Map;

use super::root;
use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::connection;
use crate::engine::error::HandlerResult;
use crate::framework::Call;
use crate::framework::Field;
use crate::framework::Path;
use crate::vault::Operation;
use crate::vault::Response;

const NAME: &str = "name";

/// The paths.  `rotate-root` alone is for the default config.
pub(crate) fn paths() -> Vec<Path<Engine>> {
    vec![
        Path::new("rotate-root/{name?}")
            .field(Field::name(NAME, "Name of the config.").default(connection::DEFAULT))
            .on(
                Operation::Update,
                "Replace the root token of a config now.",
                rotate,
            )
            .refuses_unknown_parameters()
            .returns([
                Field::string("token_client_id", "Client id of the new root token.").required(),
            ])
            .synopsis("Replace the root token of a config now.")
            .help(
                "Mints a token with the same Astra roles as the present root token, tries it, \
                 stores it, and then deletes the present one. If any step fails the config keeps a \
                 root token that works. The new token is never shown. A root token that was \
                 replaced is refused when it is written to the config again.",
            ),
    ]
}

async fn rotate(engine: Arc<Engine>, call: Call) -> HandlerResult {
    engine.host.require_writer().await?;
    let name = call
        .fields
        .string(NAME)
        .unwrap_or_else(|| connection::DEFAULT.to_owned());
    let deadline = Deadline::after(engine.deadlines.operation);
    let rotated = root::rotate(&engine, &name, deadline).await?;
    let mut data = Map::new();
    data.insert("token_client_id".into(), rotated.client_id.into());
    let mut warnings = rotated.warnings;
    let record = engine.archived.records.open().await;
    if record.is_some_and(|record| record.org_keys_of(&name).next().is_some()) {
        warnings.push(
            "the archived engine's copy of this root token is dead: to go back to that engine, \
             write a live astra_token there first"
                .to_owned(),
        );
    }
    Ok(Some(Response::new(data).with_warnings(warnings)))
}
