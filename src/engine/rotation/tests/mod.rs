//! Root rotation against the emulator: good, bad, and whatever fails at whichever step.

#![allow(clippy::unwrap_used, clippy::panic)]

mod bulkheads;
mod cleanup;
mod crashes;
mod new_token;
mod replacements;
mod schedules;

use crate::engine::testing::AstraMount;
use crate::vault::HandlerResult;
use astra_emulator::Fault;
use astra_emulator::fault::FaultBody;
use serde_json::json;

async fn rotate(mount: &AstraMount) -> HandlerResult {
    mount.write("rotate-root", json!({})).await
}

async fn root_of(mount: &AstraMount) -> String {
    let config = mount.read_data("config").await;
    config["token_client_id"].as_str().unwrap().to_owned()
}

fn refused(status: u16) -> Fault {
    Fault::Status {
        status,
        body: FaultBody::String,
        retry_after: None,
        committed: false,
    }
}
