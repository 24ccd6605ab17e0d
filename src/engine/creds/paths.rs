//! `creds/<name>`.

use std::sync::Arc;

use super::issue::issue;
use crate::engine::Engine;
use crate::engine::error::HandlerResult;
use crate::engine::role::Credential;
use crate::framework::Call;
use crate::framework::Field;
use crate::framework::Path;
use crate::vault::Operation;

const NAME: &str = "name";

/// The paths.
pub(crate) fn paths() -> Vec<Path<Engine>> {
    vec![
        Path::new("creds/{name}")
            .field(Field::name(NAME, "Name of the role.").required())
            .field(
                Field::duration(
                    "ttl",
                    "How long the lease lasts. May only shorten the role's ttl.",
                )
                .query(),
            )
            .field(
                Field::string(
                    "reason",
                    "Why the credential is wanted, for instance a ticket. Becomes part of the \
                     token's description in Astra, of which 255 bytes are kept: about 120 of them \
                     are for the reason.",
                )
                .query(),
            )
            .on(Operation::Read, "Mint a token under a lease.", read)
            .refuses_unknown_parameters()
            .returns(Credential::declare(true))
            .on(Operation::Update, "Mint a token under a lease.", read)
            .refuses_unknown_parameters()
            .returns(Credential::declare(true))
            .synopsis("Mint an Astra application token under a lease.")
            .help(
                "Each read mints a token of its own with the role's Astra roles. When the lease \
                 ends the token is deleted in Astra; should the host never come back, the token \
                 expires by itself shortly after the lease's max_ttl. Renew the lease to keep the \
                 token; revoke it when done. A role with a database adds database_id, region, \
                 keyspace and api_endpoint, and on request secure_connect_bundle_url, a download \
                 link that is valid for about five minutes.",
            ),
    ]
}

async fn read(engine: Arc<Engine>, call: Call) -> HandlerResult {
    let name = call.fields.string(NAME).unwrap_or_default();
    let requested = call.fields.duration("ttl").filter(|ttl| !ttl.is_zero());
    let reason = call
        .fields
        .string("reason")
        .filter(|reason| !reason.trim().is_empty());
    let issued = issue(&engine, &call.request, &name, requested, reason.as_deref()).await?;
    Ok(Some(issued))
}
