//! Requests on their way to engine code.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::TryFutureExt;
use futures_util::future::BoxFuture;
use serde_json::Map;
use serde_json::Value;

use super::Call;
use super::Fields;
use super::SecretType;
use super::handler::Handler;
use super::help;
use super::ineffective::Ineffective;
use super::name::NAME_RULE;
use super::openapi;
use super::parameters;
use super::path::PathOperation;
use super::path::Route;
use super::pattern::Captures;
use crate::vault::Backend;
use crate::vault::Error;
use crate::vault::HandlerResult;
use crate::vault::Operation;
use crate::vault::Request;
use crate::vault::Response;
use crate::vault::SpecialPaths;
use crate::vault::SystemView;

/// The most characters of a name that an error repeats.
const SHOWN: usize = 64;

/// The longest message that is shown whole, in bytes.
const LONGEST: usize = 8_192;

/// A secrets engine made of declarations; `E` is the engine's own state, one per mount.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use serde_json::{Map, json};
/// use vault_plugin_secrets_astra::framework::{Framework, Path};
/// use vault_plugin_secrets_astra::vault::{Backend, Error, Mount, Operation, Request, Response};
///
/// #[derive(Default)]
/// struct Counter(AtomicU64);
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let count = Path::new("count")
///     .on(Operation::Update, "Count on.", async |counter: Arc<Counter>, _call| {
///         let count = counter.0.fetch_add(1, Ordering::Relaxed) + 1;
///         Response::json(json!({"count": count})).map(Some)
///     });
/// let framework = Framework::builder(Arc::new(Counter::default()), Mount::in_memory().system)
///     .description("Counts.")
///     .path(count)
///     .build()?;
/// let request = || Request::new(Operation::Update, "count", Map::new());
/// framework.handle(request()).await?;
/// let response = framework.handle(request()).await?.expect("an answer");
/// assert_eq!(response.data()["count"], 2);
/// # Ok::<(), Error>(())
/// # }).unwrap();
/// ```
pub struct Framework<E> {
    pub(crate) engine: Arc<E>,
    pub(crate) system: Arc<dyn SystemView>,
    pub(crate) description: &'static str,
    pub(crate) license: &'static str,
    pub(crate) routes: Vec<Route<E>>,
    pub(crate) secrets: Vec<SecretType<E>>,
    pub(crate) special: SpecialPaths,
    pub(crate) hooks: Hooks<E>,
    /// Cuts secrets out of messages.
    pub(crate) redact: fn(&str) -> String,
    /// Whether the fields of answers are declared.
    pub(crate) declares_answers: bool,
}

/// What else an engine does.
pub(crate) struct Hooks<E> {
    pub(crate) initialize: Option<Handler<E, (), Result<(), Error>>>,
    pub(crate) rollback: Option<Handler<E, Call, Result<(), Error>>>,
    pub(crate) invalidate: Option<Handler<E, String, ()>>,
    pub(crate) cleanup: Option<Handler<E, (), ()>>,
}

/// A request that is being handled, and what is still to be done with the outcome.
struct Dispatched<'a, E> {
    work: BoxFuture<'a, HandlerResult>,
    completion: Completion<'a, E>,
}

/// What is done with the outcome of a handler.
enum Completion<'a, E> {
    Nothing,
    Renewal(&'a SecretType<E>),
    Routed(Routed<'a, E>),
}

/// What a request to a path was.
struct Routed<'a, E> {
    route: &'a Route<E>,
    declared: &'a PathOperation<E>,
    operation: Operation,
    ineffective: Ineffective,
    checks_answer: bool,
}

impl<E: Send + Sync + 'static> Dispatched<'_, E> {
    async fn outcome(self) -> HandlerResult {
        let outcome = self.work.await;
        match self.completion {
            Completion::Nothing => outcome,
            Completion::Renewal(kind) => kind.renewed(outcome),
            Completion::Routed(routed) => outcome.map(|response| routed.complete(response)),
        }
    }
}

impl<E> Routed<'_, E> {
    /// The response with warnings of parameters without effect.
    fn complete(&self, response: Option<Response>) -> Option<Response> {
        let operation = &self.operation;
        if self.checks_answer
            && let Some(response) = &response
        {
            let mismatch = self.declared.mismatch(&response.data);
            let template = &self.route.pattern.template;
            debug_assert_eq!(mismatch, None, "{operation:?} {template}");
        }
        self.ineffective.add_to(operation, response)
    }
}

impl<E: Send + Sync + 'static> Framework<E> {
    fn route<'p>(&self, path: &'p str) -> Option<(&Route<E>, Captures<'_, 'p>)> {
        self.routes
            .iter()
            .find_map(|route| Some((route, route.pattern.captures(path)?)))
    }

    /// Finds who handles `request` and lets it start.  Not an async function: its future would hold the
    /// request once more.
    fn dispatch(&self, request: Request) -> Result<Dispatched<'_, E>, Error> {
        let unrouted = |request| Call {
            request,
            fields: Fields::default(),
            ineffective: Ineffective::default(),
        };
        let (work, completion): (BoxFuture<'_, HandlerResult>, _) = match request.operation {
            Operation::Help => (Box::pin(self.help(request)), Completion::Nothing),
            Operation::Renew => {
                let kind = SecretType::find(&self.secrets, request.lease.as_ref())?;
                let renewal = kind.renew(&self.engine, unrouted(request))?;
                (renewal, Completion::Renewal(kind))
            }
            Operation::Revoke => {
                let kind = SecretType::find(&self.secrets, request.lease.as_ref())?;
                let revocation = kind.revoke(&self.engine, unrouted(request))?;
                (revocation, Completion::Nothing)
            }
            Operation::Rollback => {
                let rollback = self.hooks.rollback.as_ref();
                let rollback = rollback.ok_or(Error::UnsupportedOperation)?;
                let work = rollback.call(&self.engine, unrouted(request));
                (Box::pin(work.map_ok(|()| None)), Completion::Nothing)
            }
            _ => return self.routed(request),
        };
        Ok(Dispatched { work, completion })
    }

    /// A message without what must not be shown; of one that repeats a very long value the middle is left
    /// out, as the remedy is at the end.
    fn fit_to_show(&self, message: &str) -> String {
        let mut text = (self.redact)(message);
        if text.len() <= LONGEST {
            return text;
        }
        let place = |mut at: usize| {
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let left_out = place(LONGEST / 2)..place(text.len() - LONGEST / 2);
        text.replace_range(left_out, " … ");
        text
    }

    /// Why no path is that of `request`.
    fn no_route(&self, request: &Request) -> Error {
        let bad_name = self
            .routes
            .iter()
            .filter(|route| route.operation(&request.operation).is_some())
            .find_map(|route| route.pattern.bad_name(&request.path));
        match bad_name {
            Some((capture, found)) => {
                let found = match found.char_indices().nth(SHOWN) {
                    Some((end, _)) => format!("{}…", found.get(..end).unwrap_or_default()),
                    None => found.to_owned(),
                };
                Error::BadRequest(format!("{capture}: {found:?} {NAME_RULE}"))
            }
            None => Error::UnsupportedPath,
        }
    }

    fn routed(&self, mut request: Request) -> Result<Dispatched<'_, E>, Error> {
        let word_is_known = !matches!(request.operation, Operation::Other(_))
            || self
                .routes
                .iter()
                .any(|route| route.operation(&request.operation).is_some());
        if !word_is_known {
            return Err(Error::UnsupportedOperation);
        }
        let (route, captures) = self
            .route(&request.path)
            .ok_or_else(|| self.no_route(&request))?;
        let operation = route
            .operation(&request.operation)
            .ok_or(Error::UnsupportedOperation)?;
        let (fields, ineffective) =
            parameters::parse(route, &request.operation, captures, &mut request.data)?;
        if operation.refuses_unknown {
            ineffective.refuse_unknown()?;
        }
        let completion = Completion::Routed(Routed {
            route,
            declared: operation,
            operation: request.operation.clone(),
            ineffective: ineffective.clone(),
            checks_answer: cfg!(debug_assertions) && self.declares_answers,
        });
        let call = Call {
            request,
            fields,
            ineffective,
        };
        let work = operation.handler.call(&self.engine, call);
        Ok(Dispatched { work, completion })
    }

    async fn help(&self, request: Request) -> HandlerResult {
        let prefix = request
            .data
            .get("requestResponsePrefix")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let (text, routes) = if request.path.is_empty() {
            (
                help::root(self.description, &self.routes),
                self.routes.as_slice(),
            )
        } else {
            let (route, _) = self.route(&request.path).ok_or(Error::UnsupportedPath)?;
            (
                help::path(&request.path, route),
                std::slice::from_ref(route),
            )
        };
        // Help must not fail because the host does not say what it is.
        let version = self
            .system
            .host_info()
            .await
            .map(|host| host.version)
            .unwrap_or_default();
        let document = openapi::document(
            routes,
            &self.special,
            prefix,
            &version,
            self.description,
            self.license,
        )?;
        let mut data = Map::new();
        data.insert("help".to_owned(), text.into());
        data.insert("see_also".to_owned(), Value::Null);
        data.insert("openapi".to_owned(), document);
        Ok(Some(Response::new(data)))
    }
}

#[async_trait]
impl<E: Send + Sync + 'static> Backend for Framework<E> {
    fn special_paths(&self) -> SpecialPaths {
        self.special.clone()
    }

    async fn initialize(&self) -> Result<(), Error> {
        match &self.hooks.initialize {
            Some(initialize) => initialize.call(&self.engine, ()).await,
            None => Ok(()),
        }
    }

    async fn handle(&self, request: Request) -> HandlerResult {
        let outcome = match self.dispatch(request) {
            Ok(dispatched) => dispatched.outcome().await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(response) => Ok(response.map(|mut response| {
                for warning in &mut response.warnings {
                    *warning = self.fit_to_show(warning);
                }
                response
            })),
            Err(error) => Err(error.map_message(|text| self.fit_to_show(text))),
        }
    }

    async fn exists(&self, mut request: Request) -> Result<Option<bool>, Error> {
        if !matches!(request.operation, Operation::Create | Operation::Update) {
            return Err(Error::UnsupportedOperation);
        }
        let (route, captures) = self.route(&request.path).ok_or(Error::UnsupportedPath)?;
        let Some(exists) = &route.exists else {
            return Ok(None);
        };
        let (fields, ineffective) =
            parameters::parse(route, &request.operation, captures, &mut request.data)
                .map_err(|error| error.map_message(|text| self.fit_to_show(text)))?;
        let call = Call {
            request,
            fields,
            ineffective,
        };
        let exists = exists.call(&self.engine, call).await;
        exists
            .map(Some)
            .map_err(|error| error.map_message(|text| self.fit_to_show(text)))
    }

    async fn invalidate(&self, key: &str) {
        if let Some(invalidate) = &self.hooks.invalidate {
            invalidate.call(&self.engine, key.to_owned()).await;
        }
    }

    async fn cleanup(&self) {
        if let Some(cleanup) = &self.hooks.cleanup {
            cleanup.call(&self.engine, ()).await;
        }
    }
}
