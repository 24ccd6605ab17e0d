//! The mount's storage, over the wire.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use tonic::Code;
use tonic::Status;
use tonic::transport::Channel;

use super::HostConnection;
use crate::proto::pb;
use crate::proto::pb::storage_client::StorageClient;
use crate::vault::Entry;
use crate::vault::Storage;
use crate::vault::StorageError;
use crate::vault::storage::page;

const MESSAGE_LIMIT: usize = i32::MAX as usize;

/// How long one call may take.  Storage answers in milliseconds; the limit only keeps a request from
/// hanging, and stays under the 90 s that a host gives a revocation.
const TIME_LIMIT: Duration = Duration::from_secs(20);

/// The text with which a host says that this node may not write.
const READ_ONLY: &str = "cannot write to readonly storage";

/// The text with which a host says that there is no storage: the plugin is only being registered.
const MISSING: &str = "missing storage implementation";

/// The text with which a host says that the mount is being set up.  It stays so on a node that became
/// active without the plugin's file, also when the file is there and the plugin was reloaded.
const SETTING_UP: &str = "cannot write to storage during setup";

/// Storage that the host serves.
pub struct HostStorage {
    connection: Arc<HostConnection>,
    cannot_page: AtomicBool,
}

impl HostStorage {
    /// Storage behind `connection`.
    pub fn new(connection: Arc<HostConnection>) -> Self {
        Self {
            connection,
            cannot_page: AtomicBool::new(false),
        }
    }
}

#[async_trait]
impl Storage for HostStorage {
    async fn list(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        let arguments = pb::StorageListArgs {
            prefix: prefix.to_owned(),
            txn: String::new(),
        };
        let call = |channel| {
            let arguments = arguments.clone();
            async move { client(channel).list(arguments).await }
        };
        let reply = self
            .connection
            .call(TIME_LIMIT, call)
            .await
            .map_err(status)?;
        refusal(reply.err).map(|()| reply.keys)
    }

    async fn list_page(
        &self,
        prefix: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<String>, StorageError> {
        if !self.cannot_page.load(Ordering::Relaxed) {
            let arguments = pb::StorageListPageArgs {
                prefix: prefix.to_owned(),
                after: after.to_owned(),
                limit: i32::try_from(limit).unwrap_or(i32::MAX),
                txn: String::new(),
            };
            let call = |channel| {
                let arguments = arguments.clone();
                async move { client(channel).list_page(arguments).await }
            };
            match self.connection.call(TIME_LIMIT, call).await {
                Ok(reply) => return refusal(reply.err).map(|()| reply.keys),
                // Vault cannot page, OpenBao can; a host does not change its mind.
                Err(answer) if answer.code() == Code::Unimplemented => {
                    self.cannot_page.store(true, Ordering::Relaxed)
                }
                Err(answer) => return Err(status(answer)),
            }
        }
        Ok(page(self.list(prefix).await?, after, limit))
    }

    async fn get(&self, key: &str) -> Result<Option<Entry>, StorageError> {
        let arguments = pb::StorageGetArgs {
            key: key.to_owned(),
            txn: String::new(),
        };
        let call = |channel| {
            let arguments = arguments.clone();
            async move { client(channel).get(arguments).await }
        };
        let reply = self
            .connection
            .call(TIME_LIMIT, call)
            .await
            .map_err(status)?;
        refusal(reply.err)?;
        Ok(reply.entry.map(|entry| Entry {
            key: entry.key,
            value: entry.value,
            seal_wrap: entry.seal_wrap,
        }))
    }

    async fn put(&self, entry: Entry) -> Result<(), StorageError> {
        let Entry {
            key,
            value,
            seal_wrap,
        } = entry;
        let entry = pb::StorageEntry {
            key,
            value,
            seal_wrap,
        };
        let arguments = pb::StoragePutArgs {
            entry: Some(entry),
            txn: String::new(),
        };
        let call = |channel| {
            let arguments = arguments.clone();
            async move { client(channel).put(arguments).await }
        };
        let reply = self
            .connection
            .call(TIME_LIMIT, call)
            .await
            .map_err(status)?;
        refusal(reply.err)
    }

    async fn delete(&self, key: &str) -> Result<(), StorageError> {
        let arguments = pb::StorageDeleteArgs {
            key: key.to_owned(),
            txn: String::new(),
        };
        let call = |channel| {
            let arguments = arguments.clone();
            async move { client(channel).delete(arguments).await }
        };
        let reply = self
            .connection
            .call(TIME_LIMIT, call)
            .await
            .map_err(status)?;
        refusal(reply.err)
    }
}

fn client(channel: Channel) -> StorageClient<Channel> {
    StorageClient::new(channel)
        .max_decoding_message_size(MESSAGE_LIMIT)
        .max_encoding_message_size(MESSAGE_LIMIT)
}

/// The storage itself said no; an empty text is success.
fn refusal(text: String) -> Result<(), StorageError> {
    match text {
        text if text.is_empty() => Ok(()),
        text if text.contains(READ_ONLY) => Err(StorageError::ReadOnly),
        text if text.contains(SETTING_UP) => Err(StorageError::Refused(format!(
            "{text}; unless the server has just started, this node became active without the \
             plugin's file: put the file there and run vault operator step-down, as a reload is \
             not enough"
        ))),
        text => Err(StorageError::Refused(text)),
    }
}

/// The call failed.  Only some codes say for certain that nothing happened.
fn status(status: Status) -> StorageError {
    let text = status.message();
    match status.code() {
        _ if text.contains(READ_ONLY) => StorageError::ReadOnly,
        Code::InvalidArgument
        | Code::PermissionDenied
        | Code::Unauthenticated
        | Code::Unimplemented => StorageError::Refused(text.to_owned()),
        Code::Unknown if text.contains(MISSING) => StorageError::Refused(text.to_owned()),
        code => StorageError::Unreachable(format!("{code:?}: {text}")),
    }
}
