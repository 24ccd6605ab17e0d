//! The plugin as it is, but that it dies at the point which the file named by `ASTRA_FAILPOINT_FILE` names.

use std::process::ExitCode;

use vault_plugin_secrets_astra::engine::AstraFactory;
use vault_plugin_secrets_astra::engine::failpoint;
use vault_plugin_secrets_astra::plugin::PluginInfo;
use vault_plugin_secrets_astra::plugin::serve;

const INFO: PluginInfo = PluginInfo {
    name: env!("CARGO_PKG_NAME"),
    mount: "astra",
    about: "dies at a point that a test names",
    manual: "README.md",
    log_variable: "ASTRA_PLUGIN_LOG_LEVEL",
    log_target: module_path!(),
};

fn main() -> ExitCode {
    failpoint::listen("ASTRA_FAILPOINT_FILE");
    serve(INFO, AstraFactory::default())
}
