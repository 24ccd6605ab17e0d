//! The plugin binary: wiring only.

use std::process::ExitCode;

use vault_plugin_secrets_astra::engine::AstraFactory;
use vault_plugin_secrets_astra::plugin::PluginInfo;
use vault_plugin_secrets_astra::plugin::serve;

/// Instead of musl's own, which costs more; how it is set: `scripts/release.d/build`.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const INFO: PluginInfo = PluginInfo {
    name: env!("CARGO_PKG_NAME"),
    mount: "astra",
    about: "leases application tokens of DataStax Astra DB",
    manual: "README.md",
    log_variable: "ASTRA_PLUGIN_LOG_LEVEL",
    log_target: module_path!(),
};

fn main() -> ExitCode {
    serve(INFO, AstraFactory::default())
}
