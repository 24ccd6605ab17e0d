//! Being a plugin process of Vault or OpenBao (docs/internals/protocol.md).
//!
//! [`serve`] is all that a plugin's `main` needs.  Nothing here knows what kind of secrets engine it serves:
//! the [`Factory`] knows that.

mod backend;
mod broker;
mod certificate;
mod cli;
mod core_dump;
mod delayed_ping_ack;
mod delivery;
mod dial;
mod environment;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod handshake;
mod host_stream;
mod instance;
mod knock;
mod lifecycle;
mod listener;
mod log;
mod plugin_info;
mod server;
mod services;
mod session;
mod socket;
mod stale_sockets;
mod tasks;
mod tls;
mod wire;

pub use environment::Environment;
pub use error::StartError;
pub use plugin_info::PluginInfo;

use std::env;
use std::process::ExitCode;

use time::OffsetDateTime;
use tokio::runtime::Builder;

use self::certificate::Identity;
use self::environment::OneSocket;
use self::lifecycle::Limits;
use self::lifecycle::ShutdownReason;
use self::server::PluginServer;
use self::socket::Socket;
use crate::vault::Factory;

/// Runs the process: serves the host that started it, or explains itself to the person who did.
///
/// ```no_run
/// use std::process::ExitCode;
/// use std::sync::Arc;
///
/// use vault_plugin_secrets_astra::framework::Framework;
/// use vault_plugin_secrets_astra::plugin::{PluginInfo, serve};
/// use vault_plugin_secrets_astra::vault::{Backend, Error, Factory, Mount};
///
/// struct Empty;
///
/// impl Factory for Empty {
///     fn version(&self) -> String {
///         "v1.0.0".to_owned()
///     }
///
///     fn build(&self, mount: Mount) -> Result<Arc<dyn Backend>, Error> {
///         Ok(Arc::new(Framework::builder(Arc::new(()), mount.system).build()?))
///     }
/// }
///
/// fn main() -> ExitCode {
///     let info = PluginInfo {
///         name: "vault-plugin-secrets-empty",
///         mount: "empty",
///         about: "has no paths",
///         manual: "README.md",
///         log_variable: "EMPTY_PLUGIN_LOG_LEVEL",
///         log_target: module_path!(),
///     };
///     serve(info, Empty)
/// }
/// ```
pub fn serve(info: PluginInfo, factory: impl Factory) -> ExitCode {
    let environment = Environment::from_process();
    if !environment.has_cookie() {
        return cli::run(&info, &factory.version(), env::args_os().skip(1));
    }
    log::install(
        info.log_target,
        environment.text(info.log_variable).as_deref() == Some("trace"),
    );
    if let Err(error) = core_dump::forbid() {
        tracing::warn!(%error, "core dumps could not be forbidden; they would hold secrets");
    }
    match start(&environment, factory) {
        Ok(reason) => {
            tracing::info!(%reason, "the plugin ends");
            reason.exit_code()
        }
        Err(error) => {
            tracing::error!("the plugin cannot start: {error}");
            // If the host has gone, no one is left to tell.
            let _ = handshake::print(&handshake::refusal(&error));
            ExitCode::FAILURE
        }
    }
}

fn start(environment: &Environment, factory: impl Factory) -> Result<ShutdownReason, StartError> {
    let one_socket = environment.one_socket();
    let temporary = env::temp_dir();
    // The socket comes first.  Of a start that fails, a host tries a second one with older versions, and of
    // a container it shows the error of the second only: that must be the cause, not the version.
    let (socket, listener) = Socket::bind(environment, &temporary)?;
    handshake::negotiate(environment)?;
    let host = environment
        .client_certificate()
        .ok_or(StartError::NoClientCertificate)?;
    let host = certificate::parse_host_certificate(&host)?;
    let identity = Identity::generate(OffsetDateTime::now_utc())
        .map_err(|error| StartError::Tls(error.to_string()))?;
    let server = PluginServer::new(factory, &identity, &host, Limits::default(), one_socket)
        .map_err(|error| StartError::Tls(error.to_string()))?;

    // One thread: the work is light, and more threads only cost time.
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(StartError::Runtime)?;
    let reason = runtime.block_on(async {
        let listener = listener
            .set_nonblocking(true)
            .and_then(|()| tokio::net::UnixListener::from_std(listener))
            .map_err(|cause| StartError::Socket {
                directory: temporary.clone(),
                cause,
            })?;
        // Before the handshake: the host may end the process right after it.
        server.lifecycle().handle_signals()?;
        let line = handshake::line(&socket.path, &identity.certificate, one_socket);
        handshake::print(&line)?;
        if one_socket == OneSocket::No {
            stale_sockets::start(temporary);
        }
        log_start(environment);
        Ok(server.run(listener).await)
    });
    // Name look-ups and the like may still block a helper thread; do not wait for them.
    runtime.shutdown_background();
    reason
}

fn log_start(environment: &Environment) {
    let version = environment.sdk("VERSION").unwrap_or_default();
    tracing::debug!(host = version, "the plugin serves");
    if environment.sdk("PLUGIN_MLOCK_ENABLED").as_deref() == Some("true") {
        tracing::info!(
            "the host locks its memory; this plugin does not, and keeps secrets only briefly"
        );
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;
