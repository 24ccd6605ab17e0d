//! What a server really stores, read past its API: which token a lease stands for, and which
//! intents of the plugin are marked done.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::Api;
use crate::leases;

/// How long a lease may live that no test waits for.
pub const HOUR: Duration = Duration::from_secs(3_600);

/// The storage of one mount, read through `sys/raw`, which [`crate::Options::raw_storage`] opens.
#[derive(Clone)]
pub struct Stored {
    api: Api,
    mount: String,
}

/// Which intents were marked done when they were last looked at. What a dead process has marked is removed
/// some minutes after its end, and with it the proof that a token was about to be handed out.
#[derive(Debug, Clone, Default)]
pub struct Marks(BTreeMap<String, Vec<u8>>);

impl Marks {
    /// Whether the intent that a token's `description` names was marked; `None` when its block was not
    /// seen, or when the description has no tag.
    pub fn is_marked(&self, description: &str) -> Option<bool> {
        let (block, index) = intent_of(description)?;
        is_set(self.0.get(block)?, index)
    }
}

/// The block and the place there of the intent that a token's `description` names.
fn intent_of(description: &str) -> Option<(&str, usize)> {
    let intent = description.split(' ').next()?.split(':').nth(3)?;
    let mut parts = intent.split('.');
    Some((parts.next()?, parts.next()?.parse().ok()?))
}

fn is_set(bits: &[u8], index: usize) -> Option<bool> {
    Some(bits.get(index / 8)? & (1 << (index % 8)) != 0)
}

impl Stored {
    /// The storage of the mount at `mount`, without a slash, seen with an administrator's `api`.
    pub fn new(api: &Api, mount: &str) -> Self {
        Self {
            api: api.clone(),
            mount: mount.to_owned(),
        }
    }

    /// The client ids of the tokens that are leased, by lease.
    pub async fn leased(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for lease in leases(&self.api, &format!("{}/", self.mount)).await {
            // A lease that ended meanwhile is no lease.
            if let Some(entry) = self.raw(&format!("sys/expire/id/{lease}")).await {
                // A renewal drops `data`, but the plugin's own notes stay.
                let client_id = entry["secret"]["internal_data"]["client_id"]
                    .as_str()
                    .unwrap_or_else(|| panic!("the lease {lease} has no client id: {entry}"));
                found.insert(lease, client_id.to_owned());
            }
        }
        found
    }

    /// Whether the intent that a token's `description` names is marked done; `None` when its block
    /// is not stored any more, or when the description has no tag.
    pub async fn is_marked(&self, description: &str) -> Option<bool> {
        let (block, index) = intent_of(description)?;
        let blocks = format!("{}/default", self.intents().await);
        is_set(&self.block(&blocks, block).await?, index)
    }

    /// Remembers the marks of all blocks that are stored now.
    pub async fn note_marks(&self, marks: &mut Marks) {
        let blocks = format!("{}/default", self.intents().await);
        let path = format!("sys/raw/{blocks}/");
        for block in self.api.list(&path).await.keys() {
            // One that is removed meanwhile has nothing to tell.
            if let Some(bits) = self.block(&blocks, &block).await {
                marks.0.insert(block, bits);
            }
        }
    }

    /// The texts of all entries of the mount, except those of intents.
    pub async fn entries(&self) -> Vec<String> {
        let root = format!("sys/raw/logical/{}/v1/", self.uuid().await);
        let mut folders = vec![root];
        let mut found = Vec::new();
        while let Some(folder) = folders.pop() {
            for key in self.api.list(&folder).await.keys() {
                let path = format!("{folder}{key}");
                if key.ends_with('/') {
                    folders.extend((key != "intent/").then_some(path));
                } else {
                    let reply = self.api.read(&path).await;
                    // One that is removed meanwhile names nothing.
                    if reply.status != 404 {
                        let value = reply.data()["value"].take();
                        found.push(value.as_str().expect("a raw value").to_owned());
                    }
                }
            }
        }
        found
    }

    async fn intents(&self) -> String {
        format!("logical/{}/v1/intent", self.uuid().await)
    }

    /// The bits of one of `blocks`, one for each intent, if it is stored.
    async fn block(&self, blocks: &str, block: &str) -> Option<Vec<u8>> {
        let entry = self.raw(&format!("{blocks}/{block}")).await?;
        STANDARD.decode(entry["done"].as_str()?).ok()
    }

    /// Puts something below `key` of the mount that its plugin cannot read.
    pub async fn spoil(&self, key: &str) {
        let path = format!("sys/raw/logical/{}/{key}", self.uuid().await);
        let body = serde_json::json!({ "value": "neither this nor that" });
        self.api.write(&path, body).await.ok();
    }

    /// Puts `value` at `key` of the mount, past its plugin.
    pub async fn put(&self, key: &str, value: &Value) {
        let path = format!("sys/raw/logical/{}/{key}", self.uuid().await);
        let body = serde_json::json!({ "value": value.to_string() });
        self.api.write(&path, body).await.ok();
    }

    /// The value at `key` of the mount, if there is one.
    pub async fn get(&self, key: &str) -> Option<Value> {
        self.raw(&format!("logical/{}/{key}", self.uuid().await))
            .await
    }

    /// Gives the server a lease that another engine of the mount has written on `path`, with `internal_data`,
    /// which ends after `life`.  The server knows it by its id at once, and ends it by itself only after it
    /// was sealed and unsealed.  Answers the id.
    pub async fn put_lease(&self, path: &str, internal_data: &Value, life: Duration) -> String {
        let path = format!("{}/{path}", self.mount);
        let id = format!("{path}/{:016x}", fastrand::u64(..));
        let hour = 3_600_000_000_000_u64;
        let now = time::OffsetDateTime::now_utc();
        let text = |time: time::OffsetDateTime| {
            time.format(&time::format_description::well_known::Rfc3339)
                .expect("a time")
        };
        let entry = serde_json::json!({
            "lease_id": id, "client_token": "", "token_type": 0, "path": path, "data": null,
            "secret": {
                "lease": hour, "max_ttl": 8 * hour, "renewable": true,
                "internal_data": internal_data, "LeaseID": id,
            },
            "auth": null, "issue_time": text(now), "expire_time": text(now + life),
            "last_renewal_time": "0001-01-01T00:00:00Z", "version": 1, "revokeErr": "",
        });
        let body = serde_json::json!({ "value": entry.to_string() });
        let key = format!("sys/raw/sys/expire/id/{id}");
        self.api.write(&key, body).await.ok();
        id
    }

    async fn uuid(&self) -> String {
        let mount = self
            .api
            .read(&format!("sys/mounts/{}", self.mount))
            .await
            .data();
        mount["uuid"].as_str().expect("a mount's uuid").to_owned()
    }

    async fn raw(&self, path: &str) -> Option<Value> {
        let reply = self.api.read(&format!("sys/raw/{path}")).await;
        if reply.status == 404 {
            return None;
        }
        let text = reply.data()["value"].take();
        let text = text.as_str().expect("a raw value");
        Some(serde_json::from_str(text).unwrap_or_else(|error| panic!("{path}: {error}")))
    }
}
