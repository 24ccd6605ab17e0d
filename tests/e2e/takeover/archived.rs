//! What the archived engine leaves behind: entries, leases, and the tokens that it minted.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use harness::Api;
use harness::Astra;
use harness::Cluster;
use harness::Options;
use harness::Plugin;
use harness::Server;
use harness::Stored;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;

use crate::setup::BINARY;
use crate::setup::VERSION;

const ENTRIES: &str = include_str!("../../archived_engine/storage_2.json");
const LEASES: &str = include_str!("../../archived_engine/leases.json");

/// The catalog name of the archived engine, and what stands for its version: this binary, as no other can
/// be had everywhere.
pub(super) const OLD_NAME: &str = "vault-plugin-secrets-datastax-astra";
pub(super) const OLD_VERSION: &str = "v2.0.0";

/// Three nodes that can run `old`, installed as the archived engine and registered as such, and this engine.
pub(super) async fn cluster(old: &Path, raw_storage: bool) -> (Cluster, Plugin) {
    let options = Options {
        raw_storage,
        plugins: vec![
            (OLD_NAME.to_owned(), old.to_owned()),
            ("new".to_owned(), BINARY.into()),
        ],
        ..Options::default()
    };
    let cluster = Cluster::start(3, options).await;
    let active = cluster.active().await;
    let plugin = Plugin::install(active, old, OLD_NAME, OLD_VERSION);
    plugin.register(&active.api()).await;
    (cluster, plugin)
}

/// Registers this engine as a version of the archived one, with the hash of the file that `node` has.
pub(super) async fn register_new(node: &Server) {
    let sha256 = harness::sha256(&node.plugin_directory().join("new"));
    let new = json!({ "sha256": sha256, "version": VERSION, "command": "new" });
    let path = format!("sys/plugins/catalog/secret/{OLD_NAME}");
    node.api().write(&path, new).await.ok();
}

/// Lets the mount run `version`, as soon as the nodes have started it.
pub(super) async fn switch(api: &Api, version: &str) {
    let tune = json!({ "plugin_version": version });
    api.write("sys/mounts/astra/tune", tune).await.ok();
    let reload = json!({ "plugin": OLD_NAME, "scope": "global" });
    api.write("sys/plugins/reload/backend", reload).await.ok();
}

/// What stands for the placeholders of the fixtures.
pub(super) struct Words(BTreeMap<&'static str, String>);

impl Words {
    /// Organizations of `astra`, and tokens that are minted there.
    pub(super) async fn of(astra: &Astra) -> Self {
        let seeds = astra.emulator.seeds();
        let (a, b) = (&seeds.organizations[0], &seeds.organizations[2]);
        let mut words = BTreeMap::from([
            ("$ORG_A", a.id.clone()),
            ("$ORG_B", b.id.clone()),
            ("$ROOT_A", a.root_token.clone()),
            ("$ROOT_B", b.root_token.clone()),
            ("$URL", astra.url()),
            ("$READER", seeds.roles["API RO User"].clone()),
            ("$WRITER", seeds.roles["API R/W User"].clone()),
        ]);
        for (id, token, root) in [
            ("$ID_STANDARD", "$TOKEN_STANDARD", &a.root_token),
            ("$ID_SIDECAR", "$TOKEN_SIDECAR", &b.root_token),
            ("$ID_CROSSED", "$TOKEN_CROSSED", &a.root_token),
        ] {
            let minted = astra.mint_plainly(root).await;
            words.insert(id, minted["clientId"].as_str().unwrap().to_owned());
            words.insert(token, minted["token"].as_str().unwrap().to_owned());
        }
        for (word, name) in [("$SHA_STANDARD", "app1"), ("$SHA_EMPTY", "empty")] {
            let digest = Sha256::digest(format!("{}:api_ro_user:{name}", a.id));
            let digest = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            words.insert(word, digest);
        }
        Self(words)
    }

    /// What stands for `word`.
    pub(super) fn of_word(&self, word: &str) -> &str {
        &self.0[word]
    }

    /// `text` with its placeholders replaced.
    pub(super) fn fill(&self, text: &str) -> String {
        let longest_first = self.0.iter().rev();
        longest_first.fold(text.to_owned(), |text, (word, value)| {
            text.replace(word, value)
        })
    }

    /// Puts the entries into the mount, and the leases of version 2 into its server, which end after `life`.
    /// Answers the ids of the leases by their names in the fixtures.
    pub(super) async fn put(&self, stored: &Stored, life: Duration) -> BTreeMap<String, String> {
        let entries: Map<String, Value> = serde_json::from_str(&self.fill(ENTRIES)).unwrap();
        // The server's API has no path for a key that ends in a slash.
        for (key, value) in entries.iter().filter(|(key, _)| !key.ends_with('/')) {
            stored.put(key, value).await;
        }
        let all: Map<String, Value> = serde_json::from_str(&self.fill(LEASES)).unwrap();
        let mut leases = BTreeMap::new();
        for (name, data) in all.iter().filter(|(name, _)| name.starts_with("2 ")) {
            let id = stored.put_lease("org/token", data, life).await;
            leases.insert(name.clone(), id);
        }
        leases
    }

    /// Some of the entries, one of each kind, as they are stored now.
    pub(super) async fn samples(&self, stored: &Stored) -> Vec<Option<Value>> {
        let mut found = Vec::new();
        for key in [
            "config/$ORG_A",
            "role/$ORG_B:api_ro_user",
            "token/$ID_SIDECAR",
        ] {
            found.push(stored.get(&self.fill(key)).await);
        }
        found
    }

    /// Whether the token with the client id that stands for `word` lives.
    pub(super) fn is_live(&self, astra: &Astra, word: &str) -> bool {
        astra.live().iter().any(|id| id == self.of_word(word))
    }
}
