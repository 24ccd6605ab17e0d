//! A mounted engine over storage in memory, in virtual time, with something of each kind in it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use time::OffsetDateTime;
use tokio::runtime::Builder;
use tokio::runtime::Runtime;
use vault_plugin_secrets_astra::astra::fuzzing::answer_with;
use vault_plugin_secrets_astra::engine::AstraFactory;
use vault_plugin_secrets_astra::proto::pb;
use vault_plugin_secrets_astra::vault::Backend;
use vault_plugin_secrets_astra::vault::Entry;
use vault_plugin_secrets_astra::vault::Storage as _;
use vault_plugin_secrets_astra::vault::codec::Context;
use vault_plugin_secrets_astra::vault::codec::decode_request;
use vault_plugin_secrets_astra::vault::codec::encode_existence;
use vault_plugin_secrets_astra::vault::codec::encode_outcome;
use vault_plugin_secrets_astra::vault::memory::MemoryStorage;
use vault_plugin_secrets_astra::vault::memory::TestMount;

use crate::astra::Astra;
use crate::astra::BUNDLE;
use crate::astra::CLIENT_SECRET;
use crate::astra::DATABASE;
use crate::astra::READER;
use crate::astra::ROOT;

/// An operation ends after 55 s (docs/internals/reliability.md), and what it leaves to the end soon
/// after.
const LONGEST: Duration = Duration::from_secs(120);

/// Answers that come before those of [`Astra`]; `None` is one that never comes.
type Answers = Rc<RefCell<VecDeque<Option<http::Response<Vec<u8>>>>>>;

/// A mount.
pub struct Mount {
    runtime: Runtime,
    storage: Arc<MemoryStorage>,
    backend: Arc<dyn Backend>,
    answers: Answers,
    /// Secrets that no error and no warning may show.
    secrets: Vec<&'static str>,
}

/// What is stored once one of each kind was written.
static WRITTEN: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let mount = Mount::over(&[]);
    let policy = json!({
        "resources": ["drn:astra:org:{{org_id}}"], "actions": ["db-cql"], "effect": "allow",
    });
    for (path, data) in [
        (
            "config",
            json!({"token": ROOT, "url": "http://127.0.0.1:1", "rotation_period": "30d"}),
        ),
        (
            "roles/reader",
            json!({
                "astra_roles": READER, "ttl": "1h", "database_id": DATABASE,
                "secure_connect_bundle": true,
            }),
        ),
        ("roles/custom", json!({"policy": policy, "max_active": 2})),
        (
            "static-roles/batch",
            json!({"astra_roles": READER, "rotation_schedule": "0 3 * * \
                SAT", "database_id": DATABASE}),
        ),
    ] {
        let reply = mount.request("create", path, &data.to_string());
        assert_eq!(refusal(&reply), None, "{path}");
    }
    let reply = mount.request("read", "creds/reader", "{}");
    assert_eq!(refusal(&reply), None, "creds/reader");
    mount.entries()
});

impl Mount {
    /// A mount with one of each kind.  `input` is what the fuzzer knows: what it says itself is no secret.
    pub fn new(input: &[u8]) -> Self {
        let mut mount = Self::over(&WRITTEN);
        let says =
            |secret: &str| (input.windows(secret.len())).any(|window| window == secret.as_bytes());
        mount.secrets.retain(|secret| !says(secret));
        mount
    }

    fn over(entries: &[Entry]) -> Self {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let answers = Answers::default();
        let script = Rc::clone(&answers);
        let mut astra = Astra::default();
        answer_with(move |method, path, body| {
            let scripted = script.borrow_mut().pop_front();
            scripted.unwrap_or_else(|| Some(astra.answer(method, path, body)))
        });
        let storage = Arc::new(MemoryStorage::new());
        let mount = Self {
            backend: backend(&storage),
            runtime,
            storage,
            answers,
            // The last part of a root token is its secret.
            secrets: vec![&ROOT[ROOT.len() - 64..], CLIENT_SECRET, BUNDLE],
        };
        for entry in entries {
            mount.put(entry.clone());
        }
        mount
    }

    /// Stores an entry behind the engine's back.
    pub fn put(&self, entry: Entry) {
        self.runtime.block_on(self.storage.put(entry)).unwrap();
    }

    /// From now on Astra answers this, once.
    pub fn answer_next(&self, answer: Option<http::Response<Vec<u8>>>) {
        self.answers.borrow_mut().push_back(answer);
    }

    /// Another process takes over.
    pub fn restart(&mut self) {
        self.backend = backend(&self.storage);
    }

    /// Another node wrote the entry at `key`.
    pub fn invalidate(&self, key: &str) {
        self.run(self.backend.invalidate(key));
    }

    /// The mount goes away.
    pub fn clean_up(&self) {
        self.run(self.backend.cleanup());
    }

    /// A request with `data`, which should be the text of a JSON object.
    pub fn request(&self, operation: &str, path: &str, data: &str) -> pb::HandleRequestReply {
        self.handle(pb::Request {
            operation: operation.to_owned(),
            path: path.to_owned(),
            data: data.to_owned(),
            ..pb::Request::default()
        })
    }

    /// A request about a lease whose internal data is `data`.
    pub fn lease(&self, operation: &str, data: &str) -> pb::HandleRequestReply {
        let secret = pb::Secret {
            internal_data: data.to_owned(),
            ..pb::Secret::default()
        };
        self.handle(pb::Request {
            operation: operation.to_owned(),
            secret: Some(secret),
            data: "{}".to_owned(),
            ..pb::Request::default()
        })
    }

    /// One request as it comes over the wire, and its answer as it goes back.
    pub fn handle(&self, request: pb::Request) -> pb::HandleRequestReply {
        let gives_secrets = ["creds/", "static-creds/", "org/token"]
            .iter()
            .any(|path| request.path.starts_with(path));
        let Ok(request) = decode_request(Some(request)) else {
            return pb::HandleRequestReply::default();
        };
        let context = Context::from_request(&request, OffsetDateTime::now_utc());
        let outcome = self.run(self.backend.handle(request));
        let reply = encode_outcome(&outcome, &context);
        self.check(&reply, gives_secrets);
        reply
    }

    /// Whether the object of a request exists.
    pub fn exists(&self, request: pb::Request) {
        if let Ok(request) = decode_request(Some(request)) {
            let reply = encode_existence(&self.run(self.backend.exists(request)));
            assert!(reply.err.is_none_or(|error| !self.tells(&[&error.err_msg])));
        }
    }

    fn run<T>(&self, work: impl Future<Output = T>) -> T {
        let work = async { tokio::time::timeout(LONGEST, work).await };
        self.runtime
            .block_on(work)
            .expect("it ends before its deadline")
    }

    fn entries(&self) -> Vec<Entry> {
        let keys = self.storage.keys();
        let get = |key: &String| self.runtime.block_on(self.storage.get(key));
        keys.iter().filter_map(|key| get(key).unwrap()).collect()
    }

    /// An answer must be one that the host can read, and show no secret but where that is its purpose.
    fn check(&self, reply: &pb::HandleRequestReply, gives_secrets: bool) {
        if let Some(error) = &reply.err {
            assert!(error.err_type <= 10, "hosts take the others for success");
            assert!(!self.tells(&[&error.err_msg]), "{}", error.err_msg);
        }
        let Some(response) = &reply.response else {
            return;
        };
        let data: Map<String, Value> = serde_json::from_str(&response.data).expect("an object");
        let internal = response.secret.as_ref().map(|lease| &lease.internal_data);
        if let Some(internal) = internal {
            serde_json::from_str::<Map<String, Value>>(internal).expect("an object");
        }
        let mut shown: Vec<&str> = response.warnings.iter().map(String::as_str).collect();
        shown.extend(internal.map(String::as_str));
        if !gives_secrets || data.contains_key("error") {
            shown.push(&response.data);
        }
        assert!(!self.tells(&shown), "{shown:?}");
    }

    fn tells(&self, shown: &[&str]) -> bool {
        let tells = |text: &&str| self.secrets.iter().any(|secret| text.contains(secret));
        shown.iter().any(tells)
    }
}

/// What a request was refused with, if it was.
pub fn refusal(reply: &pb::HandleRequestReply) -> Option<String> {
    if let Some(error) = &reply.err {
        return Some(error.err_msg.clone());
    }
    let data: Value = serde_json::from_str(&reply.response.as_ref()?.data).ok()?;
    Some(data.get("error")?.as_str()?.to_owned())
}

fn backend(storage: &Arc<MemoryStorage>) -> Arc<dyn Backend> {
    let mount = TestMount::over(&AstraFactory::default(), Arc::clone(storage));
    mount.unwrap().backend
}
