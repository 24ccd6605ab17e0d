//! Static roles against the emulator: good, bad, and whatever fails at whichever step.

#![allow(clippy::unwrap_used, clippy::panic)]

mod crashes;
mod current;
mod databases;
mod policies;
mod removals;
mod rotations;
mod writes;

use crate::engine::testing::AstraMount;
use crate::engine::testing::READER;
use crate::engine::testing::warnings;
use crate::vault::Operation;
use astra_emulator::Fault;
use astra_emulator::fault::FaultBody;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const DAY: Duration = Duration::from_secs(86_400);

/// What a write of a whole read warns of.
const SHOWN_ONLY: &str = "Endpoint ignored these parameters, which a read shows and no write \
    takes: [astra_role_ids client_id expires_at last_vault_rotation next_rotation rotation_error]";

fn role() -> Value {
    json!({"astra_roles": READER, "rotation_period": "24h"})
}

async fn with_role() -> AstraMount {
    let mount = AstraMount::configured().await;
    let written = mount.write("static-roles/app", role()).await.unwrap();
    assert!(warnings(written).is_empty());
    mount
}

async fn creds(mount: &AstraMount) -> Map<String, Value> {
    mount.read_data("static-creds/app").await
}

fn text<'a>(data: &'a Map<String, Value>, key: &str) -> &'a str {
    data[key].as_str().unwrap()
}

async fn current(mount: &AstraMount) -> String {
    text(&creds(mount).await, "client_id").to_owned()
}

async fn delete(mount: &AstraMount) -> Vec<String> {
    let deleted = mount
        .call(Operation::Delete, "static-roles/app", json!({}))
        .await;
    warnings(deleted.unwrap())
}

fn refused() -> Fault {
    Fault::Status {
        status: 403,
        body: FaultBody::String,
        retry_after: None,
        committed: false,
    }
}

fn time_of(text: &str) -> OffsetDateTime {
    OffsetDateTime::parse(text, &Rfc3339).unwrap()
}
