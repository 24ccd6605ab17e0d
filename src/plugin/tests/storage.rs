//! The host's side of one mount: storage in memory and a system view with fixed answers.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use tokio::sync::watch;
use tonic::Request;
use tonic::Response;
use tonic::Status;

use crate::proto::logical;
use crate::proto::pb;
use crate::proto::pb::storage_server::Storage;
use crate::proto::pb::system_view_server::SystemView;
use crate::vault::Entry;
use crate::vault::Storage as _;
use crate::vault::StorageError;
use crate::vault::memory::MemoryStorage;

#[derive(Clone, Default)]
pub(super) struct HostSide {
    pub storage: Arc<MemoryStorage>,
    /// Calls of `Get` never come back.
    pub hangs: Arc<AtomicBool>,
    /// How many calls of `Get` wait like that.
    pub hanging: Arc<watch::Sender<usize>>,
    /// The host can page, as OpenBao can.
    pub pages: Arc<AtomicBool>,
    /// How often it was asked for a page.
    pub paged: Arc<watch::Sender<usize>>,
    /// Every call fails with this status instead, as while a plugin is being registered.
    pub missing: Arc<AtomicBool>,
}

struct Hanging(Arc<watch::Sender<usize>>);

impl Drop for Hanging {
    fn drop(&mut self) {
        self.0.send_modify(|hanging| *hanging -= 1);
    }
}

impl HostSide {
    fn check(&self) -> Result<(), Status> {
        match self.missing.load(Ordering::Relaxed) {
            true => Err(Status::unknown("missing storage implementation: x")),
            false => Ok(()),
        }
    }
}

fn text(result: Result<(), StorageError>) -> String {
    result
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default()
}

fn list(result: Result<Vec<String>, StorageError>) -> pb::StorageListReply {
    match result {
        Ok(keys) => pb::StorageListReply {
            keys,
            err: String::new(),
        },
        Err(error) => pb::StorageListReply {
            keys: Vec::new(),
            err: error.to_string(),
        },
    }
}

#[tonic::async_trait]
impl Storage for HostSide {
    async fn list(
        &self,
        request: Request<pb::StorageListArgs>,
    ) -> Result<Response<pb::StorageListReply>, Status> {
        self.check()?;
        Ok(Response::new(list(
            self.storage.list(&request.into_inner().prefix).await,
        )))
    }

    async fn get(
        &self,
        request: Request<pb::StorageGetArgs>,
    ) -> Result<Response<pb::StorageGetReply>, Status> {
        self.check()?;
        if self.hangs.load(Ordering::Relaxed) {
            self.hanging.send_modify(|hanging| *hanging += 1);
            let _hanging = Hanging(Arc::clone(&self.hanging));
            std::future::pending::<()>().await;
        }
        let reply = match self.storage.get(&request.into_inner().key).await {
            Ok(entry) => {
                let entry = entry.map(
                    |Entry {
                         key,
                         value,
                         seal_wrap,
                     }| pb::StorageEntry {
                        key,
                        value,
                        seal_wrap,
                    },
                );
                pb::StorageGetReply {
                    entry,
                    err: String::new(),
                }
            }
            Err(error) => pb::StorageGetReply {
                entry: None,
                err: error.to_string(),
            },
        };
        Ok(Response::new(reply))
    }

    async fn put(
        &self,
        request: Request<pb::StoragePutArgs>,
    ) -> Result<Response<pb::StoragePutReply>, Status> {
        self.check()?;
        let pb::StorageEntry {
            key,
            value,
            seal_wrap,
        } = request.into_inner().entry.unwrap();
        let err = text(
            self.storage
                .put(Entry {
                    key,
                    value,
                    seal_wrap,
                })
                .await,
        );
        Ok(Response::new(pb::StoragePutReply {
            err,
            wal_index: None,
        }))
    }

    async fn delete(
        &self,
        request: Request<pb::StorageDeleteArgs>,
    ) -> Result<Response<pb::StorageDeleteReply>, Status> {
        self.check()?;
        let err = text(self.storage.delete(&request.into_inner().key).await);
        Ok(Response::new(pb::StorageDeleteReply {
            err,
            wal_index: None,
        }))
    }

    async fn list_page(
        &self,
        request: Request<pb::StorageListPageArgs>,
    ) -> Result<Response<pb::StorageListReply>, Status> {
        self.paged.send_modify(|paged| *paged += 1);
        if !self.pages.load(Ordering::Relaxed) {
            return Err(Status::unimplemented("ListPage"));
        }
        let pb::StorageListPageArgs {
            prefix,
            after,
            limit,
            ..
        } = request.into_inner();
        let limit = u32::try_from(limit).unwrap();
        Ok(Response::new(list(
            self.storage.list_page(&prefix, &after, limit).await,
        )))
    }

    async fn is_transactional(
        &self,
        _: Request<pb::Empty>,
    ) -> Result<Response<pb::StorageIsTransactionalReply>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn begin_read_only_tx(
        &self,
        _: Request<pb::Empty>,
    ) -> Result<Response<pb::StorageBeginTxReply>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn begin_tx(
        &self,
        _: Request<pb::Empty>,
    ) -> Result<Response<pb::StorageBeginTxReply>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn commit(
        &self,
        _: Request<pb::StorageCommitTxArgs>,
    ) -> Result<Response<pb::StorageCommitTxReply>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn rollback(
        &self,
        _: Request<pb::StorageRollbackTxArgs>,
    ) -> Result<Response<pb::StorageRollbackTxReply>, Status> {
        Err(Status::unimplemented("not needed"))
    }
}

#[tonic::async_trait]
impl SystemView for HostSide {
    async fn default_lease_ttl(
        &self,
        _: Request<pb::Empty>,
    ) -> Result<Response<pb::TtlReply>, Status> {
        Ok(Response::new(pb::TtlReply {
            ttl: 3_600_000_000_000,
        }))
    }

    async fn max_lease_ttl(&self, _: Request<pb::Empty>) -> Result<Response<pb::TtlReply>, Status> {
        Ok(Response::new(pb::TtlReply {
            ttl: 86_400_000_000_000,
        }))
    }

    async fn tainted(&self, _: Request<pb::Empty>) -> Result<Response<pb::TaintedReply>, Status> {
        Ok(Response::new(pb::TaintedReply { tainted: true }))
    }

    async fn caching_disabled(
        &self,
        _: Request<pb::Empty>,
    ) -> Result<Response<pb::CachingDisabledReply>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn replication_state(
        &self,
        _: Request<pb::Empty>,
    ) -> Result<Response<pb::ReplicationStateReply>, Status> {
        Ok(Response::new(pb::ReplicationStateReply { state: 12_288 }))
    }

    async fn response_wrap_data(
        &self,
        _: Request<pb::ResponseWrapDataArgs>,
    ) -> Result<Response<pb::ResponseWrapDataReply>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn mlock_enabled(
        &self,
        _: Request<pb::Empty>,
    ) -> Result<Response<pb::MlockEnabledReply>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn local_mount(
        &self,
        _: Request<pb::Empty>,
    ) -> Result<Response<pb::LocalMountReply>, Status> {
        Ok(Response::new(pb::LocalMountReply { local: true }))
    }

    async fn entity_info(
        &self,
        _: Request<pb::EntityInfoArgs>,
    ) -> Result<Response<pb::EntityInfoReply>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn groups_for_entity(
        &self,
        _: Request<pb::EntityInfoArgs>,
    ) -> Result<Response<pb::GroupsForEntityReply>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn plugin_env(
        &self,
        _: Request<pb::Empty>,
    ) -> Result<Response<pb::PluginEnvReply>, Status> {
        let environment = logical::PluginEnvironment {
            vault_version: "1.21.0".to_owned(),
            ..logical::PluginEnvironment::default()
        };
        Ok(Response::new(pb::PluginEnvReply {
            plugin_environment: Some(environment),
            err: String::new(),
        }))
    }

    async fn generate_password_from_policy(
        &self,
        _: Request<pb::GeneratePasswordFromPolicyRequest>,
    ) -> Result<Response<pb::GeneratePasswordFromPolicyReply>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn cluster_info(
        &self,
        _: Request<pb::Empty>,
    ) -> Result<Response<pb::ClusterInfoReply>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn generate_identity_token(
        &self,
        _: Request<pb::GenerateIdentityTokenRequest>,
    ) -> Result<Response<pb::GenerateIdentityTokenResponse>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn get_rotation_information(
        &self,
        _: Request<pb::RotationInfoRequest>,
    ) -> Result<Response<pb::RotationInfoReply>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn register_rotation_job(
        &self,
        _: Request<pb::RegisterRotationJobRequest>,
    ) -> Result<Response<pb::RegisterRotationJobResponse>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn register_rotation_job_with_response(
        &self,
        _: Request<pb::RegisterRotationJobRequest>,
    ) -> Result<Response<pb::RegisterRotationJobWithResponseReply>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn deregister_rotation_job(
        &self,
        _: Request<pb::DeregisterRotationJobRequest>,
    ) -> Result<Response<pb::Empty>, Status> {
        Err(Status::unimplemented("not needed"))
    }
}
