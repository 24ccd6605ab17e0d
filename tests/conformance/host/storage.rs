//! The storage that the host offers to one mount.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;
use tokio::sync::watch;
use tonic::Request;
use tonic::Response;
use tonic::Status;
use vault_plugin_secrets_astra::proto::pb;
use vault_plugin_secrets_astra::proto::pb::storage_server;

/// In-memory storage of one mount that counts, and that fails or waits on demand.  It outlives the
/// plugin's process where a test keeps it.
#[derive(Default)]
pub(crate) struct Storage {
    entries: Mutex<BTreeMap<String, Vec<u8>>>,
    calls: Mutex<Vec<Call>>,
    mode: Mutex<Mode>,
    held: Mutex<Option<Held>>,
    in_flight: AtomicUsize,
}

/// One call that arrived.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Call {
    pub verb: Verb,
    /// The key or the prefix.
    pub key: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verb {
    Delete,
    Get,
    List,
    Put,
}

/// How the storage answers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Mode {
    /// A gRPC error for every call, as a host answers while it registers a plugin.
    Missing,
    #[default]
    Normal,
    /// Writes are refused with the text that makes a host forward the request.
    ReadOnly,
}

struct Held {
    verb: Verb,
    release: watch::Receiver<bool>,
}

/// Storage calls wait for as long as this lives.
pub(crate) struct Hold {
    release: watch::Sender<bool>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.release.send_replace(true);
    }
}

impl Storage {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn set_mode(&self, mode: Mode) {
        *self.mode.lock() = mode;
    }

    /// Keeps every further call of `verb` waiting until the answer is dropped.
    pub(crate) fn hold(&self, verb: Verb) -> Hold {
        let (release, receiver) = watch::channel(false);
        *self.held.lock() = Some(Held {
            verb,
            release: receiver,
        });
        Hold { release }
    }

    /// How many calls are being answered now.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// Every call so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().clone()
    }

    /// The puts and deletes so far.
    pub(crate) fn writes(&self) -> usize {
        let calls = self.calls.lock();
        let write = |call: &&Call| matches!(call.verb, Verb::Delete | Verb::Put);
        calls.iter().filter(write).count()
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.entries.lock().keys().cloned().collect()
    }

    pub(crate) fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.entries.lock().get(key).cloned()
    }

    /// Changes an entry behind the plugin's back, as another node would.
    pub(crate) fn put(&self, key: &str, value: impl Into<Vec<u8>>) {
        self.entries.lock().insert(key.to_owned(), value.into());
    }

    /// The whole content, to compare.
    pub(crate) fn snapshot(&self) -> BTreeMap<String, Vec<u8>> {
        self.entries.lock().clone()
    }

    /// Records a call, waits if calls are held, and says how to answer: an error of the storage, or
    /// of gRPC.
    async fn enter(&self, verb: Verb, key: &str) -> Result<(Option<String>, InFlight<'_>), Status> {
        let call = Call {
            verb,
            key: key.to_owned(),
        };
        self.calls.lock().push(call);
        let in_flight = InFlight::new(&self.in_flight);
        let release = match &*self.held.lock() {
            Some(held) if held.verb == verb => Some(held.release.clone()),
            _ => None,
        };
        if let Some(mut release) = release {
            let _ = release.wait_for(|released| *released).await;
        }
        let write = matches!(verb, Verb::Delete | Verb::Put);
        let refusal = match *self.mode.lock() {
            Mode::Missing => {
                let text = "missing storage implementation: this method should not be called during plugin Setup";
                return Err(Status::unknown(text));
            }
            Mode::ReadOnly if write => Some("cannot write to readonly storage".to_owned()),
            _ => None,
        };
        let relative = key.split('/').any(|part| part == "..");
        let refusal =
            refusal.or_else(|| relative.then(|| "relative paths not supported".to_owned()));
        Ok((refusal, in_flight))
    }
}

/// Counts one call from its arrival until it is answered or cancelled.
struct InFlight<'a>(&'a AtomicUsize);

impl<'a> InFlight<'a> {
    fn new(counter: &'a AtomicUsize) -> Self {
        counter.fetch_add(1, Ordering::SeqCst);
        Self(counter)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The storage as a gRPC service.
#[derive(Clone)]
pub(super) struct Served(pub Arc<Storage>);

type Reply<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl storage_server::Storage for Served {
    async fn list(&self, request: Request<pb::StorageListArgs>) -> Reply<pb::StorageListReply> {
        let prefix = request.into_inner().prefix;
        let (refusal, _in_flight) = self.0.enter(Verb::List, &prefix).await?;
        assert!(
            prefix.is_empty() || prefix.ends_with('/'),
            "prefix {prefix:?}"
        );
        if let Some(err) = refusal {
            return Ok(Response::new(pb::StorageListReply {
                keys: Vec::new(),
                err,
            }));
        }
        let entries = self.0.entries.lock();
        let children: BTreeSet<String> = entries
            .keys()
            .filter_map(|key| key.strip_prefix(&prefix))
            .map(|rest| match rest.split_once('/') {
                Some((folder, _)) => format!("{folder}/"),
                None => rest.to_owned(),
            })
            .collect();
        Ok(Response::new(pb::StorageListReply {
            keys: children.into_iter().collect(),
            err: String::new(),
        }))
    }

    async fn get(&self, request: Request<pb::StorageGetArgs>) -> Reply<pb::StorageGetReply> {
        let key = request.into_inner().key;
        let (refusal, _in_flight) = self.0.enter(Verb::Get, &key).await?;
        let entry = self
            .0
            .get(&key)
            .filter(|_| refusal.is_none())
            .map(|value| pb::StorageEntry {
                key,
                value,
                seal_wrap: false,
            });
        Ok(Response::new(pb::StorageGetReply {
            entry,
            err: refusal.unwrap_or_default(),
        }))
    }

    async fn put(&self, request: Request<pb::StoragePutArgs>) -> Reply<pb::StoragePutReply> {
        let Some(entry) = request.into_inner().entry else {
            let err = "cannot write nil entry".to_owned();
            return Ok(Response::new(pb::StoragePutReply {
                err,
                wal_index: None,
            }));
        };
        let (refusal, _in_flight) = self.0.enter(Verb::Put, &entry.key).await?;
        if refusal.is_none() {
            self.0.put(&entry.key, entry.value);
        }
        Ok(Response::new(pb::StoragePutReply {
            err: refusal.unwrap_or_default(),
            wal_index: None,
        }))
    }

    async fn delete(
        &self,
        request: Request<pb::StorageDeleteArgs>,
    ) -> Reply<pb::StorageDeleteReply> {
        let key = request.into_inner().key;
        let (refusal, _in_flight) = self.0.enter(Verb::Delete, &key).await?;
        if refusal.is_none() {
            self.0.entries.lock().remove(&key);
        }
        Ok(Response::new(pb::StorageDeleteReply {
            err: refusal.unwrap_or_default(),
            wal_index: None,
        }))
    }

    // Vault does not have the rest.

    async fn list_page(&self, _: Request<pb::StorageListPageArgs>) -> Reply<pb::StorageListReply> {
        Err(Status::unimplemented("unknown method ListPage"))
    }

    async fn is_transactional(
        &self,
        _: Request<pb::Empty>,
    ) -> Reply<pb::StorageIsTransactionalReply> {
        Err(Status::unimplemented("unknown method IsTransactional"))
    }

    async fn begin_read_only_tx(&self, _: Request<pb::Empty>) -> Reply<pb::StorageBeginTxReply> {
        Err(Status::unimplemented("unknown method BeginReadOnlyTx"))
    }

    async fn begin_tx(&self, _: Request<pb::Empty>) -> Reply<pb::StorageBeginTxReply> {
        Err(Status::unimplemented("unknown method BeginTx"))
    }

    async fn commit(&self, _: Request<pb::StorageCommitTxArgs>) -> Reply<pb::StorageCommitTxReply> {
        Err(Status::unimplemented("unknown method Commit"))
    }

    async fn rollback(
        &self,
        _: Request<pb::StorageRollbackTxArgs>,
    ) -> Reply<pb::StorageRollbackTxReply> {
        Err(Status::unimplemented("unknown method Rollback"))
    }
}
