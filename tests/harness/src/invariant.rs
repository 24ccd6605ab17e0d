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

/// What a test knows of a mount's tokens.
#[derive(Debug, Clone, Default)]
pub struct Holdings {
    /// Credentials that were read. The token of a live lease must live and that of an ended one must
    /// not; leases that are not among these are compared by number.
    pub leased: Vec<Credential>,
    /// Client ids of the tokens that live without a lease: rotated root tokens, static roles.
    pub unleased: BTreeSet<String>,
    /// How many of the emulator's own root tokens a rotation was to delete.
    pub replaced_roots: u64,
}

/// Waits until the live tokens of `astra` are those of the live leases below `mount` and those of
/// `holdings` that need none, then checks that Astra has nothing to complain about.
pub async fn assert_reconciled(
    api: &Api,
    astra: &Astra,
    mount: &str,
    holdings: &Holdings,
    limit: Duration,
) {
    let deadline = Instant::now() + limit;
    while let Err(difference) = compare(api, astra, mount, holdings).await {
        assert!(
            Instant::now() < deadline,
            "after {limit:?} still: {difference}"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let invariants = astra.emulator.invariants();
    assert_eq!(
        invariants.double_mints, 0,
        "two tokens with one description"
    );
    assert_eq!(
        invariants.foreign_deletes, holdings.replaced_roots,
        "tokens of others that were deleted"
    );
    // A rotated root token goes to the plugin alone, which is whom Astra delivers it to.
    assert_eq!(
        invariants.orphans, 0,
        "tokens that no caller received: {:?}",
        invariants.orphan_ids
    );
    let violations = astra.emulator.violations();
    assert!(
        violations.is_empty(),
        "requests that Astra's API does not offer: {violations:?}"
    );
}

async fn compare(api: &Api, astra: &Astra, mount: &str, holdings: &Holdings) -> Result<(), String> {
    let mut live: BTreeSet<String> = astra.live().into_iter().collect();
    for client_id in &holdings.unleased {
        if !live.remove(client_id) {
            return Err(format!(
                "the token with client id {client_id}, which needs no lease, is dead"
            ));
        }
    }
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
    for credential in &holdings.leased {
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

/// Checks that no secret of Astra, no credential in `issued` and no token of Vault's administrator is
/// in a log of `server` or of its plugins.
pub fn assert_no_secret_logged(server: &Server, astra: &Astra, issued: &[Credential]) {
    let mut secrets = astra.secrets();
    secrets.extend(
        issued
            .iter()
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
