//! A mounted engine without a host.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Map;
use serde_json::Value;

use super::super::Backend;
use super::super::Error;
use super::super::Factory;
use super::super::HandlerResult;
use super::super::LeaseInfo;
use super::super::Mount;
use super::super::Operation;
use super::super::Request;
use super::super::Response;
use super::super::Storage;
use super::FixedSystem;
use super::MemoryStorage;
use super::NoEvents;

/// An engine mounted in memory: its requests are those that a host would send.
///
/// ```
/// use std::sync::Arc;
///
/// use serde_json::json;
/// use vault_plugin_secrets_astra::framework::{Field, Framework, Path};
/// use vault_plugin_secrets_astra::vault::memory::TestMount;
/// use vault_plugin_secrets_astra::vault::{Backend, Error, Factory, Mount, Operation, Response};
///
/// struct Echo;
///
/// impl Factory for Echo {
///     fn version(&self) -> String {
///         "v1.0.0".to_owned()
///     }
///
///     fn build(&self, mount: Mount) -> Result<Arc<dyn Backend>, Error> {
///         let echo = Path::new("echo/{name}")
///             .field(Field::name("name", "What to repeat."))
///             .on(Operation::Read, "Repeat a name.", async |_: Arc<()>, call| {
///                 Response::json(json!({"name": call.fields.captured("name")})).map(Some)
///             });
///         let framework = Framework::builder(Arc::new(()), mount.system).path(echo);
///         Ok(Arc::new(framework.build()?))
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let mount = TestMount::new(&Echo)?;
/// let response = mount.read("echo/ada").await?.expect("an answer");
/// assert_eq!(response.data()["name"], "ada");
/// # Ok::<(), Error>(())
/// # }).unwrap();
/// ```
pub struct TestMount {
    /// What the engine has stored.
    pub storage: Arc<MemoryStorage>,
    /// The engine.
    pub backend: Arc<dyn Backend>,
}

impl Mount {
    /// A mount over empty storage in memory, on a host with fixed answers and without events.
    pub fn in_memory() -> Self {
        Self {
            uuid: "00000000-0000-4000-8000-000000000000".to_owned(),
            options: BTreeMap::new(),
            storage: Arc::new(MemoryStorage::new()),
            system: Arc::new(FixedSystem::default()),
            events: Arc::new(NoEvents),
        }
    }
}

impl TestMount {
    /// A new mount of the engine that `factory` makes.
    ///
    /// # Errors
    /// Those of [`Factory::build`].
    pub fn new(factory: &impl Factory) -> Result<Self, Error> {
        Self::over(factory, Arc::new(MemoryStorage::new()))
    }

    /// The same over storage that an earlier mount has left: a new process of that mount.
    ///
    /// # Errors
    /// Those of [`Factory::build`].
    pub fn over(factory: &impl Factory, storage: Arc<MemoryStorage>) -> Result<Self, Error> {
        let mount = Mount {
            storage: Arc::clone(&storage) as Arc<dyn Storage>,
            ..Mount::in_memory()
        };
        let backend = factory.build(mount)?;
        Ok(Self { storage, backend })
    }

    /// A read.
    pub async fn read(&self, path: &str) -> HandlerResult {
        self.call(Operation::Read, path, Value::Null).await
    }

    /// A list; `path` ends in a slash.
    pub async fn list(&self, path: &str) -> HandlerResult {
        self.call(Operation::List, path, Value::Null).await
    }

    /// A write of `data`, an object: a create where the engine says that nothing is at `path` yet, else an
    /// update.
    pub async fn write(&self, path: &str, data: Value) -> HandlerResult {
        let question = request(Operation::Update, path, data.clone());
        let operation = match self.backend.exists(question).await? {
            Some(false) => Operation::Create,
            _ => Operation::Update,
        };
        self.call(operation, path, data).await
    }

    /// A deletion.
    pub async fn delete(&self, path: &str) -> HandlerResult {
        self.call(Operation::Delete, path, Value::Null).await
    }

    /// The renewal of the lease that `response` created.
    pub async fn renew(&self, response: &Response) -> HandlerResult {
        self.on_lease(Operation::Renew, response).await
    }

    /// The revocation of the lease that `response` created.
    pub async fn revoke(&self, response: &Response) -> HandlerResult {
        self.on_lease(Operation::Revoke, response).await
    }

    /// Any operation.  `data` is an object, or null for none.
    pub async fn call(&self, operation: Operation, path: &str, data: Value) -> HandlerResult {
        self.backend.handle(request(operation, path, data)).await
    }

    async fn on_lease(&self, operation: Operation, response: &Response) -> HandlerResult {
        // The host sends back what the response contained.
        let mut request = Request::new(operation, "", response.data().clone());
        request.id.clear();
        request.lease = response.lease().map(LeaseInfo::from);
        self.backend.handle(request).await
    }
}

fn request(operation: Operation, path: &str, data: Value) -> Request {
    let data = match data {
        Value::Object(data) => data,
        _ => Map::new(),
    };
    Request::new(operation, path, data)
}
