//! Credentials as callers hold them, and what they were told about them.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use serde_json::Map;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::AstraMount;
use crate::vault::Lease;
use crate::vault::Response;

/// How much longer than its lease a token may live, and how much later its lease may begin.
const GRACE: Duration = Duration::from_secs(600);
const LATE: Duration = Duration::from_secs(60);

/// What the engine answered, to be compared with what Astra has.
#[derive(Default)]
pub(super) struct Told {
    /// Credentials that were handed out.
    pub(super) delivered: Vec<Credential>,
    /// Client ids of tokens whose revocation was answered with success.
    pub(super) revoked: Vec<String>,
}

/// A credential as a caller holds it.
#[derive(Clone, Debug)]
pub struct Credential {
    pub client_id: String,
    pub data: Map<String, Value>,
    pub lease: Lease,
    pub warnings: Vec<String>,
}

/// What has a lease that can be renewed and revoked.
pub trait Leased {
    fn lease(&self) -> &Lease;
    /// The client id of the token that is leased.
    fn client_id(&self) -> &str;
}

impl Leased for Credential {
    fn lease(&self) -> &Lease {
        &self.lease
    }

    fn client_id(&self) -> &str {
        &self.client_id
    }
}

impl Leased for Response {
    fn lease(&self) -> &Lease {
        Self::lease(self).expect("a lease")
    }

    fn client_id(&self) -> &str {
        self.data()["client_id"].as_str().unwrap()
    }
}

impl Credential {
    /// The same, minted so long ago that Astra has shown it everywhere.
    pub fn aged(mut self) -> Self {
        let past = Value::from("2020-01-01T00:00:00Z");
        for field in ["minted_at", "minted_by_astra"] {
            let data = &mut self.lease.internal_data;
            data.insert(field.to_owned(), past.clone());
        }
        self
    }

    pub fn of(response: Response) -> Self {
        let lease = response.lease().unwrap();
        assert!(!lease.ttl.is_zero(), "0 means the mount's default");
        assert!(lease.ttl <= lease.max_ttl, "{lease:?}");
        Self {
            client_id: response.data()["client_id"].as_str().unwrap().to_owned(),
            data: response.data().clone(),
            lease: lease.clone(),
            warnings: response.warnings().to_vec(),
        }
    }

    /// A value of the answer.
    pub fn text(&self, name: &str) -> &str {
        self.data[name].as_str().unwrap()
    }
}

impl AstraMount {
    /// Nothing is left but what is still leased, and the engine used the API as published.
    pub fn assert_clean(&self, issued: &[&Credential], what: &str) {
        let credentials = issued.to_vec();
        let mut issued: Vec<String> = issued
            .iter()
            .map(|issued| issued.client_id.clone())
            .collect();
        issued.sort();
        assert_eq!(self.live(), issued, "{what}: live tokens, and those issued");
        let invariants = self.astra.invariants();
        assert_eq!(invariants.orphans, 0, "{what}: orphans");
        assert_eq!(invariants.foreign_deletes, 0, "{what}: foreign deletes");
        let violations = self.astra.violations();
        assert!(violations.is_empty(), "{what}: {violations:?}");
        self.assert_bounded(&credentials, what);
        self.assert_told_truly(what);
    }

    /// What callers were told is true: no credential that was handed out outlives its lease by more than
    /// the grace, no revocation that was answered with success leaves its token.  That each lease has
    /// a TTL is checked when it is received.
    pub fn assert_told_truly(&self, what: &str) {
        let told = self.told.lock();
        // Another organization's may be in another service.
        let is_here = |credential: &&Credential| self.astra.token(&credential.client_id).is_some();
        let delivered: Vec<&Credential> = told.delivered.iter().filter(is_here).collect();
        self.assert_bounded(&delivered, what);
        let live = self.live();
        let left: Vec<&String> = told
            .revoked
            .iter()
            .filter(|client_id| live.contains(client_id))
            .collect();
        assert!(left.is_empty(), "{what}: revoked and live: {left:?}");
    }

    /// No token of `issued` lives longer than the grace after the longest end of its lease, by Astra's
    /// clock or by that of the node: where the two differ, an expiry can be right by one only.
    pub fn assert_bounded(&self, issued: &[&Credential], what: &str) {
        let time = |text: &str| OffsetDateTime::parse(text, &Rfc3339).unwrap();
        for credential in issued {
            let token = self.astra.token(&credential.client_id).unwrap();
            match &token.token_expiry {
                Some(expiry) => {
                    let minted_at = credential.lease.internal_data["minted_at"].as_str();
                    let by_node = time(expiry) - time(minted_at.unwrap());
                    let life = by_node.min(time(expiry) - time(&token.generated_on));
                    let longest = credential.lease.max_ttl + GRACE + LATE;
                    assert!(life <= longest, "{what}: {life} for {:?}", credential.lease);
                }
                None => assert!(
                    credential
                        .warnings
                        .iter()
                        .any(|warning| warning.contains("does not keep expiries")),
                    "{what}: a token without an end"
                ),
            }
        }
    }
}
