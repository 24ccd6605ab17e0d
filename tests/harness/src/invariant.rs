//! What must be true whatever happened: Vault leases exactly the tokens that Astra holds.

use std::collections::BTreeSet;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;

use crate::Api;
use crate::Astra;
use crate::Server;
use crate::leases;

/// A credential as Vault handed it out.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The lease.
    pub lease_id: String,
    /// The token's client id.
    pub client_id: String,
    /// The token.
    pub token: String,
    /// The client secret.
    pub secret: String,
}

impl Credential {
    /// Takes it from the answer to a read of `creds/<role>`.
    pub fn parse(answer: &Value) -> Self {
        let text = |value: &Value| {
            value
                .as_str()
                .unwrap_or_else(|| panic!("no credential: {answer}"))
                .to_owned()
        };
        let data = &answer["data"];
        Self {
            lease_id: text(&answer["lease_id"]),
            client_id: text(&data["client_id"]),
            token: text(&data["token"]),
            secret: text(&data["client_secret"]),
        }
    }
}

/// Waits until the live tokens of `astra` are those of the live leases below `mount`, then checks
/// that Astra has nothing to complain about.
///
/// `held` are credentials that were read. The token of a live lease must live and that of an ended
/// one must not; leases that are not in `held` are compared by number.
pub async fn settle(api: &Api, astra: &Astra, mount: &str, held: &[Credential], limit: Duration) {
    let deadline = Instant::now() + limit;
    while let Err(difference) = compare(api, astra, mount, held).await {
        assert!(
            Instant::now() < deadline,
            "after {limit:?} still: {difference}"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let invariants = astra.emulator.invariants();
    assert_eq!(
        invariants.orphans, 0,
        "tokens that nobody received: {:?}",
        invariants.orphan_ids
    );
    assert_eq!(
        invariants.double_mints, 0,
        "two tokens with one description"
    );
    assert_eq!(
        invariants.foreign_deletes, 0,
        "somebody else's token was deleted"
    );
    let violations = astra.emulator.violations();
    assert!(
        violations.is_empty(),
        "requests that Astra's API does not offer: {violations:?}"
    );
}

async fn compare(api: &Api, astra: &Astra, mount: &str, held: &[Credential]) -> Result<(), String> {
    let live: BTreeSet<String> = astra.live().into_iter().collect();
    let leased: BTreeSet<String> = leases(api, &format!("{mount}/"))
        .await
        .into_iter()
        .collect();
    if live.len() != leased.len() {
        return Err(format!(
            "{} live tokens, {} live leases: {live:?}, {leased:?}",
            live.len(),
            leased.len()
        ));
    }
    for credential in held {
        let is_live = live.contains(&credential.client_id);
        if is_live != leased.contains(&credential.lease_id) {
            let state = if is_live {
                "lives without its lease"
            } else {
                "is dead but leased"
            };
            return Err(format!(
                "the token with client id {} {state}",
                credential.client_id
            ));
        }
    }
    Ok(())
}

/// Checks that no secret of Astra, no credential in `held` and no token of Vault's administrator is
/// in a log of `server` or of its plugins.
pub fn assert_no_secret_logged(server: &Server, astra: &Astra, held: &[Credential]) {
    let mut secrets = astra.secrets();
    secrets.extend(
        held.iter()
            .flat_map(|credential| [credential.token.clone(), credential.secret.clone()]),
    );
    secrets.push(server.root_token().to_owned());
    for (name, log) in [
        ("Vault's log", server.log()),
        ("the audit log", server.audit_log()),
    ] {
        for secret in &secrets {
            // The root token of a development server is the word "root".
            if let Some(at) = log.find(secret.as_str()).filter(|_| secret.len() > 8) {
                let line = log[..at].lines().count();
                panic!(
                    "{name} has a secret in line {line}; it begins with {}",
                    &secret[..12.min(secret.len())]
                );
            }
        }
    }
}
