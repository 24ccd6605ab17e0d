//! The small services that every plugin offers.

use std::pin::Pin;

use futures_util::Stream;
use tonic::Request;
use tonic::Response;
use tonic::Status;

use super::lifecycle::Lifecycle;
use super::lifecycle::ShutdownReason;
use crate::proto::grpc::health::v1::HealthCheckRequest;
use crate::proto::grpc::health::v1::HealthCheckResponse;
use crate::proto::grpc::health::v1::health_check_response::ServingStatus;
use crate::proto::grpc::health::v1::health_server::Health;
use crate::proto::logical;
use crate::proto::logical::plugin_version_server::PluginVersion;
use crate::proto::plugin;
use crate::proto::plugin::StdioData;
use crate::proto::plugin::grpc_controller_server::GrpcController;
use crate::proto::plugin::grpc_stdio_server::GrpcStdio;
use crate::proto::pluginutil::multiplexing::MultiplexingSupportRequest;
use crate::proto::pluginutil::multiplexing::MultiplexingSupportResponse;
use crate::proto::pluginutil::multiplexing::plugin_multiplexing_server::PluginMultiplexing;

/// A response stream.
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Ends the process at the host's request.
pub(super) struct Controller(pub Lifecycle);

#[tonic::async_trait]
impl GrpcController for Controller {
    /// Answers at once: the host waits without a deadline, and counts its two seconds from the answer.
    async fn shutdown(
        &self,
        _request: Request<plugin::Empty>,
    ) -> Result<Response<plugin::Empty>, Status> {
        self.0.stop(ShutdownReason::Shutdown);
        Ok(Response::new(plugin::Empty {}))
    }
}

/// The stream for a plugin's own output: there is none, but a host warns if the service is missing.
pub(super) struct Stdio(pub Lifecycle);

#[tonic::async_trait]
impl GrpcStdio for Stdio {
    type StreamStdioStream = Answers<StdioData>;

    async fn stream_stdio(
        &self,
        _request: Request<()>,
    ) -> Result<Response<Self::StreamStdioStream>, Status> {
        Ok(Response::new(Box::pin(self.0.idle_stream(None))))
    }
}

/// The standard health service: `plugin`, and the server as a whole, serve.
pub(super) struct HealthCheck(pub Lifecycle);

impl HealthCheck {
    fn knows(service: &str) -> bool {
        matches!(service, "" | "plugin")
    }
}

#[tonic::async_trait]
impl Health for HealthCheck {
    type WatchStream = Answers<HealthCheckResponse>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        if Self::knows(&request.get_ref().service) {
            Ok(Response::new(HealthCheckResponse {
                status: ServingStatus::Serving.into(),
            }))
        } else {
            Err(Status::not_found("unknown service"))
        }
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let status = match Self::knows(&request.get_ref().service) {
            true => ServingStatus::Serving,
            false => ServingStatus::ServiceUnknown,
        };
        let first = HealthCheckResponse {
            status: status.into(),
        };
        Ok(Response::new(Box::pin(self.0.idle_stream(Some(first)))))
    }
}

/// Says whether one process serves several mounts.
///
/// Never where all connections share one socket: a host may then give one mount's stream to another
/// mount, and so its storage (docs/internals/protocol.md, "Containers"). With one mount there is no
/// other.
pub(super) struct Multiplexing {
    /// The answer.
    pub supported: bool,
}

#[tonic::async_trait]
impl PluginMultiplexing for Multiplexing {
    async fn multiplexing_support(
        &self,
        _request: Request<MultiplexingSupportRequest>,
    ) -> Result<Response<MultiplexingSupportResponse>, Status> {
        Ok(Response::new(MultiplexingSupportResponse {
            supported: self.supported,
        }))
    }
}

/// Tells the version, before and without any set-up.
pub(super) struct Version(pub String);

#[tonic::async_trait]
impl PluginVersion for Version {
    async fn version(
        &self,
        _request: Request<logical::Empty>,
    ) -> Result<Response<logical::VersionReply>, Status> {
        Ok(Response::new(logical::VersionReply {
            plugin_version: self.0.clone(),
        }))
    }
}
