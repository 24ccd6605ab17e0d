//! What a host says before and beside its requests: `PLUGIN_CLIENT_CERT`, `PLUGIN_PROTOCOL_VERSIONS`, and messages to
//! the broker, answers to knocks among them.

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
        .rfind(|message| message.service_id == id && message.knock.is_none())
        .map(|message| message.network.clone());
    let dialled = runtime.block_on(STARTING.broker(messages.clone(), id));
    assert_eq!(dialled.is_ok(), network.as_deref() == Some("unix"));

    let expected = knocked(&messages, id);
    assert_eq!(runtime.block_on(STARTING.knock(messages, id)), expected);
}

/// How often a knock that was refused is repeated.
const REPEATS: usize = 10;

/// What is to come of a knock for `id` that `messages` answer: the first acknowledgement opens the listener, unless
/// too many refusals came before it; any other acknowledgement belongs to no knock, and ends the process.
fn knocked(messages: &[ConnInfo], id: u32) -> (bool, bool) {
    let (mut refusals, mut opened, mut ended) = (0, false, false);
    for message in messages {
        let Some(knock) = message.knock.as_ref().filter(|knock| knock.ack) else {
            continue;
        };
        let waits = message.service_id == id && !opened && refusals <= REPEATS;
        match (waits, knock.error.is_empty()) {
            (true, true) => opened = true,
            (true, false) => refusals += 1,
            (false, accepted) => ended |= accepted,
        }
    }
    (opened, ended)
}
