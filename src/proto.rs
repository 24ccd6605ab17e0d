//! The generated protobuf messages and gRPC services (`proto/`, docs/internals/protocol.md).
//!
//! The module tree follows the protobuf packages, because generated code refers to its neighbours by
//! relative paths.

#![allow(missing_docs, clippy::all, clippy::pedantic, unreachable_pub)]

/// `plugin`: broker, controller, stdio.
pub mod plugin {
    tonic::include_proto!("plugin");
}

/// `pluginutil`.
pub mod pluginutil {
    /// `pluginutil.multiplexing`.
    pub mod multiplexing {
        tonic::include_proto!("pluginutil.multiplexing");
    }
}

/// `grpc`.
pub mod grpc {
    /// `grpc.health`.
    pub mod health {
        /// `grpc.health.v1`: the standard health service.
        pub mod v1 {
            tonic::include_proto!("grpc.health.v1");
        }
    }
}

/// `logical`: identity, events, plugin version.
pub mod logical {
    tonic::include_proto!("logical");
}

/// `pb`: the secrets engine's services and the host's.
pub mod pb {
    tonic::include_proto!("pb");
}
