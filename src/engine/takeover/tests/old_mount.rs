//! A mount as the archived engine leaves it: its entries, its leases, and the tokens that it minted.

use std::collections::BTreeMap;
use std::time::Duration;

use astra_emulator::OrgSeed;
use astra_emulator::PortalToken;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;

use crate::engine::Deadlines;
use crate::engine::testing::AstraMount;
use crate::engine::testing::READER_ID;
use crate::engine::testing::request;
use crate::vault::Entry;
use crate::vault::HandlerResult;
use crate::vault::LeaseInfo;
use crate::vault::Operation;
use crate::vault::Request;
use crate::vault::Storage;

const VERSION_2: &str = include_str!("../../../../tests/archived_engine/storage_2.json");
const VERSION_1: &str = include_str!("../../../../tests/archived_engine/storage_1.json");
const LEASES: &str = include_str!("../../../../tests/archived_engine/leases.json");

/// The fixture's config that this engine refuses.
pub const UNUSABLE: &str = "config/ccd123456_facd_4ad3";

/// The mount, and what stands for the placeholders of the fixtures.
pub struct OldMount {
    pub inner: AstraMount,
    pub words: BTreeMap<&'static str, String>,
}

/// Which version of the archived engine wrote the entries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Version {
    One,
    Two,
}

impl OldMount {
    /// The mount with entries of `version`, under this engine.
    pub async fn new(version: Version) -> Self {
        let mount = Self::empty().await;
        mount.store_all(version).await;
        mount
    }

    /// The same under [virtual time](virtual_time::run).
    pub async fn in_virtual_time(version: Version) -> Self {
        let inner = AstraMount::in_virtual_time(Deadlines::default());
        let tokens = inner.organizations_of_tokens().map(|org| {
            let wanted = PortalToken {
                org_id: Some(org.id),
                roles: vec![READER_ID.to_owned()],
                ..PortalToken::default()
            };
            let made = inner.astra.create_token(wanted).unwrap();
            (made.client_id, made.token)
        });
        let mount = Self::with_tokens(inner, tokens);
        mount.store_all(version).await;
        mount
    }

    /// The mount without entries; the tokens are there.
    pub async fn empty() -> Self {
        let inner = AstraMount::new().await;
        let url = inner.astra.url();
        let mut tokens = <[(String, String); 3]>::default();
        for (org, token) in inner.organizations_of_tokens().iter().zip(&mut tokens) {
            let minted = mint(&url, &org.root_token).await;
            let text = |key: &str| minted[key].as_str().unwrap().to_owned();
            *token = (text("clientId"), text("token"));
        }
        Self::with_tokens(inner, tokens)
    }

    /// The same with these tokens, each with its client id.
    fn with_tokens(inner: AstraMount, tokens: [(String, String); 3]) -> Self {
        let seeds = inner.astra.seeds();
        let (a, b) = (&seeds.organizations[0], &seeds.organizations[2]);
        let mut words = BTreeMap::from([
            ("$ORG_A", a.id.clone()),
            ("$ORG_B", b.id.clone()),
            ("$ROOT_A", a.root_token.clone()),
            ("$ROOT_B", b.root_token.clone()),
            ("$URL", inner.astra.url()),
            ("$READER", READER_ID.to_owned()),
            ("$WRITER", seeds.roles["API R/W User"].clone()),
        ]);
        let names = [
            ("$ID_STANDARD", "$TOKEN_STANDARD"),
            ("$ID_SIDECAR", "$TOKEN_SIDECAR"),
            ("$ID_CROSSED", "$TOKEN_CROSSED"),
        ];
        for ((id, token), (client_id, text)) in names.into_iter().zip(tokens) {
            words.insert(id, client_id);
            words.insert(token, text);
        }
        for (sha, name) in [("$SHA_STANDARD", "app1"), ("$SHA_EMPTY", "empty")] {
            let text = format!("{}:api_ro_user:{name}", a.id);
            words.insert(sha, hex::encode(Sha256::digest(text)));
        }
        Self { inner, words }
    }

    async fn store_all(&self, version: Version) {
        let text = match version {
            Version::One => VERSION_1,
            Version::Two => VERSION_2,
        };
        let entries: Map<String, Value> = serde_json::from_str(&self.fill(text)).unwrap();
        for (key, value) in entries {
            self.store(&key, &value).await;
        }
    }

    /// A text of the fixtures with its placeholders replaced.
    pub fn fill(&self, text: &str) -> String {
        let longest_first = self.words.iter().rev();
        longest_first.fold(text.to_owned(), |text, (word, value)| {
            text.replace(word, value)
        })
    }

    /// What stands for a placeholder.
    pub fn word(&self, word: &str) -> &str {
        &self.words[word]
    }

    /// Stores an entry as the archived engine does; `key` and `value` may have placeholders.
    pub async fn store(&self, key: &str, value: &Value) {
        let value = self.fill(&value.to_string());
        self.store_raw(key, &value).await;
    }

    pub async fn store_raw(&self, key: &str, value: &str) {
        let entry = Entry {
            key: self.fill(key),
            value: value.as_bytes().to_vec(),
            seal_wrap: false,
        };
        self.inner.storage.put(entry).await.unwrap();
    }

    pub async fn remove(&self, key: &str) {
        let key = self.fill(key);
        self.inner.storage.delete(&key).await.unwrap();
    }

    /// All entries, by key.
    pub async fn entries(&self) -> BTreeMap<String, Vec<u8>> {
        let mut all = BTreeMap::new();
        for key in self.inner.storage.keys() {
            let entry = self.inner.storage.get(&key).await.unwrap();
            all.insert(key, entry.unwrap().value);
        }
        all
    }

    /// The internal data of a lease of the fixtures.
    pub fn lease(&self, name: &str) -> Map<String, Value> {
        let leases: Value = serde_json::from_str(&self.fill(LEASES)).unwrap();
        leases[name].as_object().unwrap().clone()
    }

    pub async fn revoke(&self, internal_data: &Map<String, Value>) -> HandlerResult {
        let request = on_lease(Operation::Revoke, internal_data);
        self.inner.handle(request).await
    }

    pub async fn renew(&self, internal_data: &Map<String, Value>) -> HandlerResult {
        let request = on_lease(Operation::Renew, internal_data);
        self.inner.handle(request).await
    }

    /// Whether the token with the client id behind `word` works.
    pub fn is_live(&self, word: &str) -> bool {
        self.inner
            .live()
            .iter()
            .any(|client_id| client_id == self.word(word))
    }

    /// Each deletion that Astra carried out: the caller's root token and the token that was deleted.
    pub fn deletions(&self) -> Vec<(String, String)> {
        let journal = self.inner.astra.journal().into_iter();
        let done = journal.filter(|entry| {
            entry.method == "DELETE" && entry.status.is_some_and(|status| status < 300)
        });
        done.map(|entry| {
            let deleted = entry.path.rsplit('/').next().unwrap_or_default().to_owned();
            (entry.client_id_of_caller.unwrap(), deleted)
        })
        .collect()
    }
}

impl AstraMount {
    /// The organizations of the standard token, of the one in the sidecar, and of the one whose lease
    /// names B although it is in A.
    fn organizations_of_tokens(&self) -> [OrgSeed; 3] {
        let organizations = self.astra.seeds().organizations;
        [0, 2, 0].map(|number: usize| organizations[number].clone())
    }
}

/// A request on a lease of the archived engine, as the host sends it after a renewal.
pub fn on_lease(operation: Operation, internal_data: &Map<String, Value>) -> Request {
    let lease = LeaseInfo {
        internal_data: internal_data.clone(),
        ttl: Duration::from_secs(3_600),
        max_ttl: Duration::from_secs(28_800),
        increment: Duration::ZERO,
        issue_time: None,
        lease_id: String::new(),
    };
    Request {
        id: String::new(),
        lease: Some(lease),
        ..request(operation, "org/token", json!({}))
    }
}

/// Mints a token as the archived engine does: no expiry, no description.
pub async fn mint(url: &str, root: &str) -> Value {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client
        .post(format!("{url}/v2/clientIdSecrets"))
        .bearer_auth(root)
        .header("accept", "application/json")
        .header("content-type", "application/json")
        .header("user-agent", "Vault-Plugin v2.0.0")
        .body(json!({"roles": [READER_ID]}).to_string())
        .send()
        .await
        .unwrap();
    let body = answer.bytes().await.unwrap();
    serde_json::from_slice(&body).unwrap()
}
