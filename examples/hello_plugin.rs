//! A second secrets engine: one path stores a greeting, one leases it until the lease is revoked, one
//! lists what is leased.  `docs/sdk.md` explains it step by step.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, json};
use vault_plugin_secrets_astra::framework::{Call, Field, Framework, Path, SecretType, lease};
use vault_plugin_secrets_astra::plugin::{PluginInfo, serve};
use vault_plugin_secrets_astra::vault::{
    Backend, Entry, Error, Factory, HandlerResult, Mount, Operation, Response, Storage,
};

struct Hello {
    storage: Arc<dyn Storage>,
}

struct HelloFactory;

impl Factory for HelloFactory {
    fn version(&self) -> String {
        "v0.1.0".to_owned()
    }

    fn build(&self, mount: Mount) -> Result<Arc<dyn Backend>, Error> {
        let storage = mount.storage;
        let name = || Field::name("name", "The greeting's name.");
        let greetings = Path::new("greetings/{name}")
            .field(name())
            .field(Field::string("text", "The greeting.").required())
            .on(Operation::Update, "Store a greeting.", store);
        let creds =
            Path::new("creds/{name}")
                .field(name())
                .on(Operation::Read, "Lease a greeting.", issue);
        let leased = Path::new("leased/").on(Operation::List, "List what is leased.", list);
        let framework = Framework::builder(Arc::new(Hello { storage }), mount.system)
            .description("Leases greetings.")
            .paths([greetings, creds, leased])
            .secret(SecretType::new("greeting").on_revoke(revoke));
        Ok(Arc::new(framework.build()?))
    }
}

async fn store(hello: Arc<Hello>, call: Call) -> HandlerResult {
    let Some(text) = call.fields.string("text") else {
        return Err(Error::BadRequest(
            "text is missing: say what to greet with".to_owned(),
        ));
    };
    let key = format!("greeting/{}", call.fields.captured("name"));
    hello.storage.put(Entry::new(key, text)).await?;
    Ok(None)
}

async fn issue(hello: Arc<Hello>, call: Call) -> HandlerResult {
    let key = format!("greeting/{}", call.fields.captured("name"));
    let Some(greeting) = hello.storage.get(&key).await? else {
        return Ok(None);
    };
    let leased = format!("leased/{}", call.request.id);
    hello.storage.put(Entry::new(&leased, key)).await?;
    let lease = lease("greeting", Duration::from_secs(3600))
        .with_internal_data([("key".to_owned(), leased.as_str().into())]);
    let response = Response::json(json!({ "greeting": String::from_utf8_lossy(&greeting.value) }))?;
    // The caller may be gone before it has the answer: then nothing may stay leased.
    let undo = async move { drop(hello.storage.delete(&leased).await) };
    Ok(Some(response.with_lease(lease).on_undelivered(undo)))
}

async fn revoke(hello: Arc<Hello>, call: Call) -> HandlerResult {
    hello.storage.delete(call.lease_text("key")?).await?;
    Ok(None)
}

async fn list(hello: Arc<Hello>, _call: Call) -> HandlerResult {
    let keys = hello.storage.list("leased/").await?;
    Ok(Some(Response::list(keys, Map::new())))
}

fn main() -> ExitCode {
    let info = PluginInfo {
        name: "vault-plugin-secrets-hello",
        mount: "hello",
        about: "leases greetings",
        manual: "docs/sdk.md",
        log_variable: "HELLO_PLUGIN_LOG_LEVEL",
        log_target: module_path!(),
    };
    serve(info, HelloFactory)
}

#[cfg(test)]
mod tests {
    use vault_plugin_secrets_astra::vault::memory::TestMount;

    use super::*;

    #[tokio::test]
    async fn a_revoked_lease_is_gone() {
        let mount = TestMount::new(&HelloFactory).unwrap();
        let greeting = json!({ "text": "Good morning!" });
        mount.write("greetings/morning", greeting).await.unwrap();
        let leased = mount.read("creds/morning").await.unwrap().unwrap();
        assert_eq!(leased.data()["greeting"], "Good morning!");
        assert_eq!(mount.storage.keys().len(), 2);
        mount.revoke(&leased).await.unwrap();
        assert_eq!(mount.storage.keys(), ["greeting/morning"]);
    }
}
