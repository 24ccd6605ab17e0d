//! The storage that the host offers to one mount.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use futures_util::FutureExt;
use parking_lot::Mutex;
use tokio::sync::watch;
use tonic::Request;
use tonic::Response;
use tonic::Status;
use vault_plugin_secrets_astra::proto::pb;
use vault_plugin_secrets_astra::proto::pb::storage_server;
use vault_plugin_secrets_astra::vault;
use vault_plugin_secrets_astra::vault::Entry;
use vault_plugin_secrets_astra::vault::StorageError;
use vault_plugin_secrets_astra::vault::memory::MemoryStorage;

/// In-memory storage of one mount that counts, and that fails or waits on demand.  It outlives the
/// plugin's process where a test keeps it.
#[derive(Default)]
pub(crate) struct Storage {
    /// What is stored, and how it fails.
    pub memory: MemoryStorage,
    calls: Mutex<Vec<Call>>,
    mode: Mutex<Mode>,
    held: Mutex<Option<Held>>,
    in_flight: watch::Sender<usize>,
    pages: AtomicBool,
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
    /// A list of one page, which hosts other than OpenBao do not know.
    Page,
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

    /// From now on the host can page, as OpenBao can.
    pub(crate) fn set_pages(&self) {
        self.pages.store(true, Ordering::SeqCst);
    }

    /// How many calls are being answered now.
    pub(crate) fn in_flight(&self) -> usize {
        *self.in_flight.borrow()
    }

    /// Tells how many calls are being answered whenever that changes.
    pub(crate) fn watch_in_flight(&self) -> watch::Receiver<usize> {
        self.in_flight.subscribe()
    }

    /// Every call so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().clone()
    }

    /// The puts and deletes so far.
    pub(crate) fn writes(&self) -> usize {
        self.count(Verb::Delete) + self.count(Verb::Put)
    }

    /// How many calls of `verb` there have been.
    pub(crate) fn count(&self, verb: Verb) -> usize {
        let calls = self.calls.lock();
        calls.iter().filter(|call| call.verb == verb).count()
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.memory.keys()
    }

    pub(crate) fn get(&self, key: &str) -> Option<Vec<u8>> {
        let entry = at_once(vault::Storage::get(&self.memory, key)).unwrap();
        entry.map(|entry| entry.value)
    }

    /// Changes an entry behind the plugin's back, as another node would.
    pub(crate) fn put(&self, key: &str, value: impl Into<Vec<u8>>) {
        let entry = Entry {
            key: key.to_owned(),
            value: value.into(),
            seal_wrap: false,
        };
        at_once(vault::Storage::put(&self.memory, entry)).unwrap();
    }

    /// The whole content, to compare.
    pub(crate) fn snapshot(&self) -> BTreeMap<String, Vec<u8>> {
        let keys = self.keys().into_iter();
        keys.filter_map(|key| self.get(&key).map(|value| (key, value)))
            .collect()
    }

    /// Records a call, waits if calls are held, and says how to answer: as storage does, or with an
    /// error of gRPC.
    async fn enter(
        &self,
        verb: Verb,
        key: &str,
    ) -> Result<(Result<(), StorageError>, InFlight<'_>), Status> {
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
        let allowed = match *self.mode.lock() {
            Mode::Missing => {
                let text = "missing storage implementation: this method should not be called \
                    during plugin Setup";
                return Err(Status::unknown(text));
            }
            Mode::ReadOnly if write => Err(StorageError::ReadOnly),
            _ if key.split('/').any(|part| part == "..") => Err(StorageError::Refused(
                "relative paths not supported".to_owned(),
            )),
            _ => Ok(()),
        };
        Ok((allowed, in_flight))
    }
}

/// Counts one call from its arrival until it is answered or cancelled.
struct InFlight<'a>(&'a watch::Sender<usize>);

impl<'a> InFlight<'a> {
    fn new(counter: &'a watch::Sender<usize>) -> Self {
        counter.send_modify(|count| *count += 1);
        Self(counter)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// What storage in memory answers: it never waits.
fn at_once<T>(call: impl Future<Output = T>) -> T {
    call.now_or_never().expect("storage in memory never waits")
}

/// The error of an answer, empty for none.
fn text<T>(outcome: Result<T, StorageError>) -> String {
    let error = outcome.err();
    error.map(|error| error.to_string()).unwrap_or_default()
}

fn keys(outcome: Result<Vec<String>, StorageError>) -> Response<pb::StorageListReply> {
    Response::new(match outcome {
        Ok(keys) => pb::StorageListReply {
            keys,
            err: String::new(),
        },
        error => pb::StorageListReply {
            keys: Vec::new(),
            err: text(error),
        },
    })
}

/// The storage as a gRPC service.
#[derive(Clone)]
pub(super) struct Served(pub Arc<Storage>);

type Reply<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl storage_server::Storage for Served {
    async fn list(&self, request: Request<pb::StorageListArgs>) -> Reply<pb::StorageListReply> {
        let prefix = request.into_inner().prefix;
        let (allowed, _in_flight) = self.0.enter(Verb::List, &prefix).await?;
        assert!(
            prefix.is_empty() || prefix.ends_with('/'),
            "prefix {prefix:?}"
        );
        let listed = allowed.and_then(|()| at_once(vault::Storage::list(&self.0.memory, &prefix)));
        Ok(keys(listed))
    }

    async fn get(&self, request: Request<pb::StorageGetArgs>) -> Reply<pb::StorageGetReply> {
        let key = request.into_inner().key;
        let (allowed, _in_flight) = self.0.enter(Verb::Get, &key).await?;
        let found = allowed.and_then(|()| at_once(vault::Storage::get(&self.0.memory, &key)));
        let (entry, err) = match found {
            Ok(entry) => (entry, String::new()),
            error => (None, text(error)),
        };
        let entry = entry.map(|entry| pb::StorageEntry {
            key: entry.key,
            value: entry.value,
            seal_wrap: entry.seal_wrap,
        });
        Ok(Response::new(pb::StorageGetReply { entry, err }))
    }

    async fn put(&self, request: Request<pb::StoragePutArgs>) -> Reply<pb::StoragePutReply> {
        let Some(entry) = request.into_inner().entry else {
            let err = "cannot write nil entry".to_owned();
            return Ok(Response::new(pb::StoragePutReply {
                err,
                wal_index: None,
            }));
        };
        let (allowed, _in_flight) = self.0.enter(Verb::Put, &entry.key).await?;
        let entry = Entry {
            key: entry.key,
            value: entry.value,
            seal_wrap: entry.seal_wrap,
        };
        let written = allowed.and_then(|()| at_once(vault::Storage::put(&self.0.memory, entry)));
        Ok(Response::new(pb::StoragePutReply {
            err: text(written),
            wal_index: None,
        }))
    }

    async fn delete(
        &self,
        request: Request<pb::StorageDeleteArgs>,
    ) -> Reply<pb::StorageDeleteReply> {
        let key = request.into_inner().key;
        let (allowed, _in_flight) = self.0.enter(Verb::Delete, &key).await?;
        let deleted = allowed.and_then(|()| at_once(vault::Storage::delete(&self.0.memory, &key)));
        Ok(Response::new(pb::StorageDeleteReply {
            err: text(deleted),
            wal_index: None,
        }))
    }

    async fn list_page(
        &self,
        request: Request<pb::StorageListPageArgs>,
    ) -> Reply<pb::StorageListReply> {
        let pb::StorageListPageArgs {
            prefix,
            after,
            limit,
            ..
        } = request.into_inner();
        let (allowed, _in_flight) = self.0.enter(Verb::Page, &prefix).await?;
        if !self.0.pages.load(Ordering::SeqCst) {
            return Err(Status::unimplemented("unknown method ListPage"));
        }
        let limit = u32::try_from(limit).unwrap();
        let page = vault::Storage::list_page(&self.0.memory, &prefix, &after, limit);
        Ok(keys(allowed.and_then(|()| at_once(page))))
    }

    // No host of the tests has the rest.

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
