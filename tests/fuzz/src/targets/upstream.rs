//! Answers of Astra, or of whatever stands in front of it: statuses, headers and bodies.
//!
//! The first line of the input names the call.  The parts after it (see [`crate::script`]) are the answers in their
//! order, each a line `STATUS`, headers, an empty line and the body; when there are no more, none ever comes.

use std::time::Duration;

use time::OffsetDateTime;
use tokio::runtime::Builder;
use vault_plugin_secrets_astra::astra::BaseUrl;
use vault_plugin_secrets_astra::astra::Client;
use vault_plugin_secrets_astra::astra::ClientConfig;
use vault_plugin_secrets_astra::astra::Deadline;
use vault_plugin_secrets_astra::astra::NewRole;
use vault_plugin_secrets_astra::astra::NewToken;
use vault_plugin_secrets_astra::astra::Policy;
use vault_plugin_secrets_astra::astra::fuzzing::answer_with;
use vault_plugin_secrets_astra::secret::Secret;

use crate::astra::DATABASE;
use crate::astra::ORG;
use crate::astra::ROOT;
use crate::script::parts;

/// How long an operation may take.
const TIME: Duration = Duration::from_secs(55);

/// The bytes are a call and its answers.
pub fn run(input: &[u8]) {
    let mut parts = parts(input);
    let Some(call) = parts.next() else { return };
    let mut answers: Vec<_> = parts
        .map(|part| part.answer(part.words().first().unwrap_or(&"")))
        .collect();
    answers.reverse();
    answer_with(move |_, _, _| answers.pop().flatten());
    let runtime = Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let work = async {
        tokio::time::timeout(TIME + Duration::from_secs(1), ask(call.words().as_slice())).await
    };
    let shown = runtime.block_on(work).expect("it ends before its deadline");
    let secret = &ROOT[ROOT.len() - 64..];
    let says = input
        .windows(secret.len())
        .any(|window| window == secret.as_bytes());
    assert!(says || !shown.contains(secret), "{shown}");
}

/// Makes a call, and returns what it shows of its answer or its failure.
async fn ask(call: &[&str]) -> String {
    let client = client(call.get(1).map(|org| (*org).to_owned()));
    let deadline = Deadline::after(TIME);
    let role = NewRole {
        name: "vault-role".to_owned(),
        policy: Policy::default(),
    };
    match *call.first().unwrap_or(&"") {
        "organization" => shown(client.current_org(deadline).await),
        "tokens" => shown(client.tokens(|token| Some(token.clone()), deadline).await),
        "shared-tokens" => shown(
            client
                .shared_tokens(|token| Some(token.clone()), deadline)
                .await,
        ),
        "delete-token" => shown(client.delete_token(&"a".repeat(24), deadline).await),
        "try-token-write" => shown(client.try_token_write(deadline).await),
        "roles" => shown(client.roles(deadline).await),
        "role" => shown(client.role(DATABASE, deadline).await),
        "create-role" => shown(client.create_role(&role, deadline).await),
        "update-role" => shown(client.update_role(DATABASE, &role, deadline).await),
        "delete-role" => shown(client.delete_role(DATABASE, deadline).await),
        "databases" => shown(client.databases(deadline).await),
        "database" => shown(client.database(DATABASE, deadline).await),
        "bundle" => {
            let bundle = client
                .secure_bundle_url(DATABASE, Some("us-east1"), deadline)
                .await;
            shown(bundle.map(drop))
        }
        _ => {
            let asked = NewToken {
                description: "vault:test".to_owned(),
                expiry: Some(OffsetDateTime::UNIX_EPOCH),
                roles: vec![ORG.to_owned()],
            };
            let made = client.create_token(&asked, deadline).await;
            shown(made.map(|made| (made.client_id, made.description, made.expiry, made.org_id)))
        }
    }
}

fn shown<T: std::fmt::Debug, E: std::fmt::Debug + std::fmt::Display>(
    outcome: Result<T, E>,
) -> String {
    match outcome {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{error} {error:?}"),
    }
}

fn client(org_id: Option<String>) -> Client {
    Client::new(ClientConfig {
        base_url: BaseUrl::parse("http://127.0.0.1:1").unwrap(),
        ca_cert_pem: None,
        max_concurrent_requests: 4,
        org_id,
        request_timeout: Duration::from_secs(30),
        token: Secret::new(ROOT.to_owned()),
        user_agent: "fuzz/0".to_owned(),
    })
    .unwrap()
}
