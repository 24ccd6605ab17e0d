//! What the host tells a mount about itself, and the event service.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use tonic::Request;
use tonic::Response;
use tonic::Status;
use vault_plugin_secrets_astra::proto::logical;
use vault_plugin_secrets_astra::proto::pb;
use vault_plugin_secrets_astra::proto::pb::events_server;
use vault_plugin_secrets_astra::proto::pb::system_view_server;

/// The replication bits of a single node without replication.
pub(crate) const COMMUNITY: i32 = 4_096 + 8_192;
/// The bit of a performance standby.
pub(crate) const PERFORMANCE_STANDBY: i32 = 16_384;
/// The bit of a performance secondary.
pub(crate) const PERFORMANCE_SECONDARY: i32 = 64;
/// The bit of a disaster-recovery secondary.
pub(crate) const DR_SECONDARY: i32 = 512;

/// A system view whose answers a test can change at any time.
pub(crate) struct System {
    facts: Mutex<Facts>,
    environment_calls: AtomicUsize,
}

/// The answers.
#[derive(Clone)]
pub(crate) struct Facts {
    pub default_ttl: Duration,
    pub max_ttl: Duration,
    pub replication: i32,
    pub local: bool,
    pub tainted: bool,
    pub version: &'static str,
    /// What the host's edition adds to its version.
    pub edition: &'static str,
    /// Whether every call gets a gRPC error, as while a host registers a plugin.
    pub missing: bool,
}

impl System {
    /// Vault's own defaults: 768 hours for both TTLs.
    pub(crate) fn new() -> Arc<Self> {
        let hours = Duration::from_secs(768 * 3_600);
        let facts = Facts {
            default_ttl: hours,
            max_ttl: hours,
            replication: COMMUNITY,
            local: false,
            tainted: false,
            version: "1.21.0",
            edition: "",
            missing: false,
        };
        Arc::new(Self {
            facts: Mutex::new(facts),
            environment_calls: AtomicUsize::new(0),
        })
    }

    /// How often the plugin asked what the host is.
    pub(crate) fn environment_calls(&self) -> usize {
        self.environment_calls.load(Ordering::SeqCst)
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Facts)) {
        change(&mut self.facts.lock());
    }

    fn facts(&self) -> Result<Facts, Status> {
        let facts = self.facts.lock().clone();
        if facts.missing {
            let text = "missing system view implementation: this method should not be called \
                during plugin Setup";
            return Err(Status::unknown(text));
        }
        Ok(facts)
    }
}

/// The system view as a gRPC service.
#[derive(Clone)]
pub(super) struct Served(pub Arc<System>);

type Reply<T> = Result<Response<T>, Status>;

fn ttl(duration: Duration) -> Response<pb::TtlReply> {
    Response::new(pb::TtlReply {
        ttl: duration.as_nanos().try_into().unwrap(),
    })
}

#[tonic::async_trait]
impl system_view_server::SystemView for Served {
    async fn default_lease_ttl(&self, _: Request<pb::Empty>) -> Reply<pb::TtlReply> {
        Ok(ttl(self.0.facts()?.default_ttl))
    }

    async fn max_lease_ttl(&self, _: Request<pb::Empty>) -> Reply<pb::TtlReply> {
        Ok(ttl(self.0.facts()?.max_ttl))
    }

    async fn tainted(&self, _: Request<pb::Empty>) -> Reply<pb::TaintedReply> {
        let tainted = self.0.facts()?.tainted;
        Ok(Response::new(pb::TaintedReply { tainted }))
    }

    async fn caching_disabled(&self, _: Request<pb::Empty>) -> Reply<pb::CachingDisabledReply> {
        self.0.facts()?;
        Ok(Response::new(pb::CachingDisabledReply { disabled: false }))
    }

    async fn replication_state(&self, _: Request<pb::Empty>) -> Reply<pb::ReplicationStateReply> {
        let state = self.0.facts()?.replication;
        Ok(Response::new(pb::ReplicationStateReply { state }))
    }

    async fn mlock_enabled(&self, _: Request<pb::Empty>) -> Reply<pb::MlockEnabledReply> {
        self.0.facts()?;
        Ok(Response::new(pb::MlockEnabledReply { enabled: false }))
    }

    async fn local_mount(&self, _: Request<pb::Empty>) -> Reply<pb::LocalMountReply> {
        let local = self.0.facts()?.local;
        Ok(Response::new(pb::LocalMountReply { local }))
    }

    async fn plugin_env(&self, _: Request<pb::Empty>) -> Reply<pb::PluginEnvReply> {
        let facts = self.0.facts()?;
        self.0.environment_calls.fetch_add(1, Ordering::SeqCst);
        let environment = logical::PluginEnvironment {
            vault_version: facts.version.to_owned(),
            vault_version_metadata: facts.edition.to_owned(),
            ..Default::default()
        };
        Ok(Response::new(pb::PluginEnvReply {
            plugin_environment: Some(environment),
            err: String::new(),
        }))
    }

    async fn cluster_info(&self, _: Request<pb::Empty>) -> Reply<pb::ClusterInfoReply> {
        self.0.facts()?;
        Ok(Response::new(pb::ClusterInfoReply {
            cluster_id: "0e2c1f64-5a8e-4f35-8c86-1f7b5b8c3a55".to_owned(),
            ..Default::default()
        }))
    }

    // No secrets engine of ours has a use for the rest.

    async fn response_wrap_data(
        &self,
        _: Request<pb::ResponseWrapDataArgs>,
    ) -> Reply<pb::ResponseWrapDataReply> {
        Err(Status::unimplemented("ResponseWrapData"))
    }

    async fn entity_info(&self, _: Request<pb::EntityInfoArgs>) -> Reply<pb::EntityInfoReply> {
        Err(Status::unimplemented("EntityInfo"))
    }

    async fn groups_for_entity(
        &self,
        _: Request<pb::EntityInfoArgs>,
    ) -> Reply<pb::GroupsForEntityReply> {
        Err(Status::unimplemented("GroupsForEntity"))
    }

    async fn generate_password_from_policy(
        &self,
        _: Request<pb::GeneratePasswordFromPolicyRequest>,
    ) -> Reply<pb::GeneratePasswordFromPolicyReply> {
        Err(Status::unimplemented("GeneratePasswordFromPolicy"))
    }

    async fn generate_identity_token(
        &self,
        _: Request<pb::GenerateIdentityTokenRequest>,
    ) -> Reply<pb::GenerateIdentityTokenResponse> {
        Err(Status::unimplemented("GenerateIdentityToken"))
    }

    async fn get_rotation_information(
        &self,
        _: Request<pb::RotationInfoRequest>,
    ) -> Reply<pb::RotationInfoReply> {
        Err(Status::unimplemented("GetRotationInformation"))
    }

    async fn register_rotation_job(
        &self,
        _: Request<pb::RegisterRotationJobRequest>,
    ) -> Reply<pb::RegisterRotationJobResponse> {
        Err(Status::unimplemented("RegisterRotationJob"))
    }

    async fn register_rotation_job_with_response(
        &self,
        _: Request<pb::RegisterRotationJobRequest>,
    ) -> Reply<pb::RegisterRotationJobWithResponseReply> {
        Err(Status::unimplemented("RegisterRotationJobWithResponse"))
    }

    async fn deregister_rotation_job(
        &self,
        _: Request<pb::DeregisterRotationJobRequest>,
    ) -> Reply<pb::Empty> {
        Err(Status::unimplemented("DeregisterRotationJob"))
    }
}

/// The event service, which sends everything nowhere, but remembers it.
#[derive(Clone, Default)]
pub(crate) struct Events {
    sent: Arc<Mutex<Vec<pb::SendEventRequest>>>,
    absent: Arc<AtomicBool>,
}

impl Events {
    /// What was sent so far.
    pub(crate) fn sent(&self) -> Vec<pb::SendEventRequest> {
        self.sent.lock().clone()
    }

    /// Whether the host has no such service.
    pub(crate) fn set_absent(&self, absent: bool) {
        self.absent.store(absent, Ordering::SeqCst);
    }
}

#[tonic::async_trait]
impl events_server::Events for Events {
    async fn send_event(&self, request: Request<pb::SendEventRequest>) -> Reply<pb::Empty> {
        if self.absent.load(Ordering::SeqCst) {
            return Err(Status::unimplemented("unknown service pb.Events"));
        }
        self.sent.lock().push(request.into_inner());
        Ok(Response::new(pb::Empty {}))
    }
}
