//! A second secrets engine: one path that stores a greeting, one that leases it until it is revoked.
//!
//! It uses `plugin`, `vault` and `framework` alone.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Map;
use vault_plugin_secrets_astra::framework::{Call, Field, Framework, Path, SecretType, lease};
use vault_plugin_secrets_astra::plugin::{PluginInfo, serve};
use vault_plugin_secrets_astra::vault::{
    Backend, Entry, Error, Factory, HandlerResult, Mount, Operation, Response, Storage,
};

const INFO: PluginInfo = PluginInfo {
    name: "vault-plugin-secrets-hello",
    mount: "hello",
    about: "leases greetings",
    manual: "docs/sdk.md",
    log_variable: "HELLO_PLUGIN_LOG_LEVEL",
    log_target: module_path!(),
};

struct Hello(Arc<dyn Storage>);

struct HelloFactory;

impl Factory for HelloFactory {
    fn version(&self) -> String {
        concat!("v", env!("CARGO_PKG_VERSION")).to_owned()
    }

    fn build(&self, mount: Mount) -> Result<Arc<dyn Backend>, Error> {
        let engine = Arc::new(Hello(mount.storage));
        let path =
            |template: &str| Path::new(template).field(Field::name("name", "The greeting's name."));
        let greeting = path("greetings/{name}")
            .field(Field::string("text", "The greeting.").required())
            .on(Operation::Update, "Store a greeting.", store);
        let creds = path("creds/{name}").on(Operation::Read, "Lease a greeting.", issue);
        let framework = Framework::builder(engine, mount.system)
            .description("Leases greetings.")
            .paths([greeting, creds])
            .secret(SecretType::new("greeting").on_revoke(revoke))
            .build()
            .map_err(|error| Error::Internal(error.to_string()))?;
        Ok(Arc::new(framework))
    }
}

async fn store(hello: Arc<Hello>, call: Call) -> HandlerResult {
    let missing = || Error::BadRequest("text is missing: say what to greet with".to_owned());
    let entry = Entry {
        key: call.fields.string("name").unwrap_or_default(),
        value: call.fields.string("text").ok_or_else(missing)?.into_bytes(),
        seal_wrap: false,
    };
    hello.0.put(entry).await?;
    Ok(None)
}

async fn issue(hello: Arc<Hello>, call: Call) -> HandlerResult {
    let name = call.fields.string("name").unwrap_or_default();
    let Some(entry) = hello.0.get(&name).await? else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&entry.value).into_owned();
    let data = Map::from_iter([("greeting".to_owned(), text.into())]);
    let ttl = Duration::from_secs(60);
    Ok(Some(Response::new(data).with_lease(lease(
        "greeting",
        ttl,
        ttl,
        false,
        Map::new(),
    ))))
}

async fn revoke(_hello: Arc<Hello>, call: Call) -> HandlerResult {
    tracing::info!(mount = call.request.mount_point, "a greeting is revoked");
    Ok(None)
}

fn main() -> ExitCode {
    serve(INFO, HelloFactory)
}
