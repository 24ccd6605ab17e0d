//! The plugin binary: wiring only.

use std::process::ExitCode;

use vault_plugin_secrets_astra::engine::AstraFactory;
use vault_plugin_secrets_astra::plugin::Product;
use vault_plugin_secrets_astra::plugin::serve;

const PRODUCT: Product = Product {
    name: env!("CARGO_PKG_NAME"),
    mount: "astra",
    about: "leases application tokens of DataStax Astra DB",
    manual: "README.md",
    log_variable: "ASTRA_PLUGIN_LOG_LEVEL",
};

fn main() -> ExitCode {
    serve(PRODUCT, AstraFactory::default())
}
