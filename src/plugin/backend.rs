//! The service that a secrets engine is: it finds the mount's instance and lets it work.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use time::OffsetDateTime;
use tonic::Request;
use tonic::Response;
use tonic::Status;
use tracing::Instrument as _;

use super::broker::Broker;
use super::delivery::detached;
use super::dial::Dialer;
use super::instance::Instance;
use super::instance::Registry;
use super::session::Session;
use super::tasks::Tasks;
use crate::proto::pb;
use crate::proto::pb::backend_server::Backend;
use crate::vault;
use crate::vault::Error;
use crate::vault::Factory;
use crate::vault::Mount;
use crate::vault::Operation;
use crate::vault::codec::Context;
use crate::vault::codec::DecodeError;
use crate::vault::codec::HostConnection;
use crate::vault::codec::HostEvents;
use crate::vault::codec::HostStorage;
use crate::vault::codec::HostSystem;
use crate::vault::codec::decode_request;
use crate::vault::codec::encode_error;
use crate::vault::codec::encode_existence;
use crate::vault::codec::encode_outcome;
use crate::vault::codec::encode_paths;

/// How long the host's announcement of its socket may take.
const ANNOUNCEMENT_LIMIT: Duration = Duration::from_secs(5);

/// How long a mount's running work may go on once the host cleans up; the host waits without a deadline.
const CLEANUP_GRACE: Duration = Duration::from_millis(1500);

/// The type of a secrets engine.
const SECRETS_ENGINE: u32 = 1;

/// What a caller is told of a panic; the details are in the log.
const PANICKED: &str = "the plugin failed unexpectedly; the server's log has the details";

/// The backend service for all mounts.
pub(super) struct BackendService<F> {
    /// Makes the backends.
    pub factory: Arc<F>,
    /// The mounts.
    pub registry: Arc<Registry>,
    /// Where the host announces its sockets.
    pub broker: Broker,
    /// The session through which it is dialled, where there is one.
    pub session: Option<Session>,
    /// How it is dialled there.
    pub tls: Arc<ClientConfig>,
    /// All work.
    pub tasks: Tasks,
}

impl<F: Factory> BackendService<F> {
    /// How to dial the host's side with the id `id`.
    async fn dialer(&self, id: u32) -> Result<Dialer, String> {
        let tls = Arc::clone(&self.tls);
        if let Some(session) = &self.session {
            // Without a try: it would cost a knock, and a mount that is never used needs none.
            let knocks = self.broker.knocks().clone();
            return Ok(Dialer::through(session.clone(), knocks, id, tls));
        }
        let announcement = self
            .broker
            .claim(id, ANNOUNCEMENT_LIMIT)
            .await
            .ok_or_else(|| {
                let limit = ANNOUNCEMENT_LIMIT.as_secs();
                format!("the host did not announce the broker connection {id} within {limit}s")
            })?;
        let dialer = Dialer::new(announcement, tls)?;
        dialer
            .probe()
            .await
            .map_err(|error| format!("the host cannot be dialled back: {error}"))?;
        Ok(dialer)
    }

    async fn build(&self, id: &str, arguments: pb::SetupArgs) -> Result<Instance, String> {
        self.registry.admit(id)?;
        let dialer = self.dialer(arguments.broker_id).await?;
        let connection = HostConnection::new(Box::new(move || dialer.clone().channel()));
        let mount = Mount {
            uuid: arguments.backend_uuid,
            options: arguments.config.into_iter().collect::<BTreeMap<_, _>>(),
            storage: Arc::new(HostStorage::new(Arc::clone(&connection))),
            system: Arc::new(HostSystem::new(Arc::clone(&connection))),
            events: Arc::new(HostEvents::new(Arc::clone(&connection))),
        };
        let tasks = self.tasks.group();
        let factory = Arc::clone(&self.factory);
        let backend = tasks
            .spawn(async move { factory.build(mount) })
            .await
            .map_err(|_| PANICKED.to_owned())?
            .map_err(|error| error.to_string())?;
        Ok(Instance::new(backend, connection, tasks))
    }

    fn span(request: &vault::Request) -> tracing::Span {
        let vault::Request {
            mount_point,
            id,
            operation,
            ..
        } = request;
        tracing::info_span!("request", mount = %mount_point, operation = operation.as_str(), request = %id)
    }
}

#[tonic::async_trait]
impl<F: Factory> Backend for BackendService<F> {
    async fn handle_request(
        &self,
        request: Request<pb::HandleRequestArgs>,
    ) -> Result<Response<pb::HandleRequestReply>, Status> {
        let instance = self.registry.find(request.metadata())?;
        let request = match decode_request(request.into_inner().request) {
            Ok(request) => request,
            Err(error) => return Ok(Response::new(failed_request(&bad_request(&error)))),
        };
        let context = Context::from_request(&request, OffsetDateTime::now_utc());
        let span = Self::span(&request);
        let backend = Arc::clone(&instance.backend);
        let work = async move {
            let mut outcome = backend.handle(request).await;
            let undo = outcome
                .as_mut()
                .ok()
                .and_then(Option::as_mut)
                .and_then(|response| response.undo.take());
            (encode_outcome(&outcome, &context), undo)
        };
        let answer = detached(&instance.tasks, span, work).await;
        Ok(answer.unwrap_or_else(|| {
            Response::new(failed_request(&Error::Internal(PANICKED.to_owned())))
        }))
    }

    async fn handle_existence_check(
        &self,
        request: Request<pb::HandleExistenceCheckArgs>,
    ) -> Result<Response<pb::HandleExistenceCheckReply>, Status> {
        let instance = self.registry.find(request.metadata())?;
        let request = match decode_request(request.into_inner().request) {
            Ok(request) => request,
            Err(error) => return Ok(Response::new(encode_existence(&Err(bad_request(&error))))),
        };
        let span = Self::span(&request);
        let backend = Arc::clone(&instance.backend);
        let check = async move { backend.exists(request).await };
        let found = instance.tasks.spawn(check.instrument(span)).await;
        let found = found.unwrap_or_else(|_| Err(Error::Internal(PANICKED.to_owned())));
        Ok(Response::new(encode_existence(&found)))
    }

    async fn special_paths(
        &self,
        request: Request<pb::Empty>,
    ) -> Result<Response<pb::SpecialPathsReply>, Status> {
        let instance = self.registry.find(request.metadata())?;
        let backend = Arc::clone(&instance.backend);
        let paths = instance
            .tasks
            .spawn(async move { backend.special_paths() })
            .await;
        paths
            .map(|paths| Response::new(encode_paths(paths)))
            .map_err(|_| Status::internal(PANICKED))
    }

    async fn setup(
        &self,
        request: Request<pb::SetupArgs>,
    ) -> Result<Response<pb::SetupReply>, Status> {
        let id = Registry::id(request.metadata())?;
        let err = match self.build(&id, request.into_inner()).await {
            Ok(instance) => {
                if let Some(replaced) = self.registry.insert(id, instance) {
                    self.tasks
                        .spawn(async move { replaced.close(CLEANUP_GRACE).await });
                }
                String::new()
            }
            Err(error) => {
                tracing::error!(%error, "a mount cannot be set up");
                error
            }
        };
        Ok(Response::new(pb::SetupReply { err }))
    }

    async fn initialize(
        &self,
        request: Request<pb::InitializeArgs>,
    ) -> Result<Response<pb::InitializeReply>, Status> {
        let instance = self.registry.find(request.metadata())?;
        let backend = Arc::clone(&instance.backend);
        let initialized = instance
            .tasks
            .spawn(async move { backend.initialize().await })
            .await;
        let initialized = initialized.unwrap_or_else(|_| Err(Error::Internal(PANICKED.to_owned())));
        let operation = Operation::Other("initialize".to_owned());
        let err = initialized
            .err()
            .map(|error| encode_error(&error, &operation));
        Ok(Response::new(pb::InitializeReply { err }))
    }

    async fn r#type(&self, request: Request<pb::Empty>) -> Result<Response<pb::TypeReply>, Status> {
        self.registry.find(request.metadata())?;
        Ok(Response::new(pb::TypeReply {
            r#type: SECRETS_ENGINE,
        }))
    }

    async fn cleanup(&self, request: Request<pb::Empty>) -> Result<Response<pb::Empty>, Status> {
        let id = Registry::id(request.metadata())?;
        if let Some(instance) = self.registry.remove(&id) {
            // In a task: a host that does not wait for the answer has still asked for it.
            let _ = self
                .tasks
                .spawn(async move { instance.close(CLEANUP_GRACE).await })
                .await;
        }
        Ok(Response::new(pb::Empty {}))
    }

    async fn invalidate_key(
        &self,
        request: Request<pb::InvalidateKeyArgs>,
    ) -> Result<Response<pb::Empty>, Status> {
        let instance = self.registry.find(request.metadata())?;
        let backend = Arc::clone(&instance.backend);
        let key = request.into_inner().key;
        let invalidated = instance
            .tasks
            .spawn(async move { backend.invalidate(&key).await })
            .await;
        invalidated
            .map(|()| Response::new(pb::Empty {}))
            .map_err(|_| Status::internal(PANICKED))
    }
}

fn bad_request(error: &DecodeError) -> Error {
    Error::BadRequest(error.to_string())
}

/// A failure that has no request to belong to.
fn failed_request(error: &Error) -> pb::HandleRequestReply {
    let err = Some(encode_error(error, &Operation::Other(String::new())));
    pb::HandleRequestReply {
        err,
        ..pb::HandleRequestReply::default()
    }
}
