//! Requests of the host: protobuf messages, the JSON in them, and what handlers make of it.

use prost::Message as _;
use vault_plugin_secrets_astra::proto::pb;

use crate::mount::Mount;

/// The bytes are the message of `HandleRequest`, which is also that of `HandleExistenceCheck`.
pub fn run(input: &[u8]) {
    // The other messages that a host sends: nothing is made of them but their decoding.
    let _ = pb::SetupArgs::decode(input);
    let _ = pb::InitializeArgs::decode(input);
    let _ = pb::InvalidateKeyArgs::decode(input);
    let Ok(arguments) = pb::HandleRequestArgs::decode(input) else {
        return;
    };
    let Some(request) = arguments.request else {
        return;
    };
    let mount = Mount::new(input);
    mount.exists(request.clone());
    mount.handle(request);
}
