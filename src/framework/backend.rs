//! Requests on their way to engine code.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Map;
use serde_json::Value;

use super::Call;
use super::Fields;
use super::SecretType;
use super::handler::Handler;
use super::help;
use super::openapi;
use super::path::Route;
use super::schema::convert;
use crate::vault::Backend;
use crate::vault::Error;
use crate::vault::HandlerResult;
use crate::vault::Operation;
use crate::vault::Request;
use crate::vault::Response;
use crate::vault::SpecialPaths;
use crate::vault::SystemView;

/// A secrets engine made of declarations; `E` is the engine's own state, one per mount.
pub struct Framework<E> {
    pub(crate) engine: Arc<E>,
    pub(crate) system: Arc<dyn SystemView>,
    pub(crate) description: &'static str,
    pub(crate) routes: Vec<Route<E>>,
    pub(crate) secrets: Vec<SecretType<E>>,
    pub(crate) special: SpecialPaths,
    pub(crate) hooks: Hooks<E>,
}

/// What else an engine does.
pub(crate) struct Hooks<E> {
    pub(crate) initialize: Option<Handler<E, (), Result<(), Error>>>,
    pub(crate) rollback: Option<Handler<E, Call, Result<(), Error>>>,
    pub(crate) invalidate: Option<Handler<E, String, ()>>,
    pub(crate) cleanup: Option<Handler<E, (), ()>>,
}

/// What the template captured; an absent optional tail is `None`.
type Captures = Vec<(String, Option<String>)>;

impl<E: Send + Sync + 'static> Framework<E> {
    fn route(&self, path: &str) -> Option<(&Route<E>, Captures)> {
        self.routes.iter().find_map(|route| {
            let captures = route.pattern.captures(path)?;
            let owned = captures
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.map(str::to_owned)));
            Some((route, owned.collect()))
        })
    }

    async fn routed(&self, mut request: Request) -> HandlerResult {
        let word_is_known = !matches!(request.operation, Operation::Other(_))
            || self
                .routes
                .iter()
                .any(|route| route.operation(&request.operation).is_some());
        if !word_is_known {
            return Err(Error::UnsupportedOperation);
        }
        let (route, captures) = self.route(&request.path).ok_or(Error::UnsupportedPath)?;
        let operation = route
            .operation(&request.operation)
            .ok_or(Error::UnsupportedOperation)?;
        let (fields, warnings) = parse_fields(route, captures, &mut request.data)?;
        let response = operation
            .handler
            .call(&self.engine, Call { request, fields })
            .await?;
        Ok(response.map(|response| warnings.add_to(response)))
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
        let document =
            openapi::document(routes, &self.special, prefix, &version, self.description)?;
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
        let unrouted = |request| Call {
            request,
            fields: Fields::default(),
        };
        match request.operation {
            Operation::Help => self.help(request).await,
            Operation::Renew => {
                let kind = SecretType::find(&self.secrets, request.lease.as_ref())?;
                kind.renew(&self.engine, unrouted(request)).await
            }
            Operation::Revoke => {
                let kind = SecretType::find(&self.secrets, request.lease.as_ref())?;
                kind.revoke(&self.engine, unrouted(request)).await
            }
            Operation::Rollback => {
                let rollback = self
                    .hooks
                    .rollback
                    .as_ref()
                    .ok_or(Error::UnsupportedOperation)?;
                rollback.call(&self.engine, unrouted(request)).await?;
                Ok(None)
            }
            _ => self.routed(request).await,
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
        let (fields, _) = parse_fields(route, captures, &mut request.data)?;
        exists
            .call(&self.engine, Call { request, fields })
            .await
            .map(Some)
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

/// Moves the declared parameters out of `data` and converts them.
fn parse_fields<E>(
    route: &Route<E>,
    captures: Captures,
    data: &mut Map<String, Value>,
) -> Result<(Fields, Warnings), Error> {
    let mut warnings = Warnings::default();
    for (name, captured) in captures {
        // Policies are written for paths, so a parameter never stands in for a capture, not even for
        // one that is absent.
        if data.remove(&name).is_some_and(|given| !given.is_null()) {
            warnings.replaced.push(name.clone());
        }
        if let Some(captured) = captured {
            data.insert(name, captured.into());
        }
    }
    let mut values = BTreeMap::new();
    for field in route.schema.iter() {
        if let Some(value) = data.remove(field.name) {
            let value = convert(field, value).map_err(|mismatch| {
                let cause = if field.sensitive {
                    mismatch.without_value()
                } else {
                    mismatch.to_string()
                };
                Error::BadRequest(format!(
                    "Field validation failed: error converting input for field {:?}: {cause}",
                    field.name
                ))
            })?;
            values.insert(field.name, value);
        }
    }
    if !route.any_parameters {
        warnings.ignored = data.keys().cloned().collect();
    }
    Ok((Fields::new(Arc::clone(&route.schema), values), warnings))
}

/// The parameters of one request that had no effect.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Warnings {
    /// Not declared by the path.
    pub(crate) ignored: Vec<String>,
    /// Given, but the path captures them.
    pub(crate) replaced: Vec<String>,
}

impl Warnings {
    /// `response` with the warnings; the texts are those of Vault's framework, so that clients that
    /// look for them find them.
    pub(crate) fn add_to(mut self, mut response: Response) -> Response {
        if !self.ignored.is_empty() {
            self.ignored.sort();
            response = response.with_warning(format!(
                "Endpoint ignored these unrecognized parameters: [{}]",
                self.ignored.join(" ")
            ));
        }
        if !self.replaced.is_empty() {
            self.replaced.sort();
            response = response.with_warning(format!(
                "Endpoint replaced the value of these parameters with the values captured from the endpoint's path: [{}]",
                self.replaced.join(" ")
            ));
        }
        response
    }
}
