//! What a host says before and beside its requests: `PLUGIN_CLIENT_CERT`, `PLUGIN_PROTOCOL_VERSIONS`, and messages to
//! the broker.

use std::sync::LazyLock;

use prost::Message as _;
use tokio::runtime::Builder;
use vault_plugin_secrets_astra::plugin::Environment;
use vault_plugin_secrets_astra::plugin::fuzzing::Starting;
use vault_plugin_secrets_astra::proto::plugin::ConnInfo;

use crate::script::parts;

static STARTING: LazyLock<Starting> = LazyLock::new(|| Starting::new().unwrap());

/// The bytes are parts: the certificate after a line with the versions, then messages to the broker.
pub fn run(input: &[u8]) {
    let mut parts = parts(input);
    let Some(environment) = parts.next() else {
        return;
    };
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let variables = [
        ("PLUGIN_PROTOCOL_VERSIONS", text(environment.head)),
        ("PLUGIN_CLIENT_CERT", text(environment.body)),
    ];
    // Its message goes to the host's log.
    if let Err(error) = STARTING.start(&Environment::new(variables)) {
        assert!(!error.to_string().is_empty());
    }
    let messages: Vec<ConnInfo> = parts
        .filter_map(|part| ConnInfo::decode(part.body).ok())
        .collect();
    let Some(id) = messages.first().map(|message| message.service_id) else {
        return;
    };
    let runtime = Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let network = messages
        .iter()
        .rfind(|message| message.service_id == id)
        .map(|message| message.network.clone());
    let dialled = runtime.block_on(STARTING.broker(messages, id));
    assert_eq!(dialled.is_ok(), network.as_deref() == Some("unix"));
}
