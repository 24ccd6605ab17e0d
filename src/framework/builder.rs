//! Putting an engine's declarations together.

use std::future::Future;
use std::sync::Arc;

use super::Call;
use super::DefinitionError;
use super::Framework;
use super::Path;
use super::SecretType;
use super::backend::Hooks;
use super::handler::Handler;
use crate::vault::Error;
use crate::vault::SpecialPaths;
use crate::vault::SystemView;

/// An engine's declarations, in the order in which requests are matched.
pub struct Builder<E> {
    engine: Arc<E>,
    system: Arc<dyn SystemView>,
    description: &'static str,
    license: &'static str,
    paths: Vec<Path<E>>,
    secrets: Vec<SecretType<E>>,
    special: SpecialPaths,
    hooks: Hooks<E>,
    redact: fn(&str) -> String,
}

impl<E: Send + Sync + 'static> Framework<E> {
    /// Starts the declarations of `engine`; `system` tells the host's version for the OpenAPI
    /// document.
    pub fn builder(engine: Arc<E>, system: Arc<dyn SystemView>) -> Builder<E> {
        Builder::new(engine, system)
    }
}

impl<E: Send + Sync + 'static> Builder<E> {
    fn new(engine: Arc<E>, system: Arc<dyn SystemView>) -> Self {
        Self {
            engine,
            system,
            description: "",
            license: "",
            paths: Vec::new(),
            secrets: Vec::new(),
            special: SpecialPaths::default(),
            hooks: Hooks {
                initialize: None,
                rollback: None,
                invalidate: None,
                cleanup: None,
            },
            redact: str::to_owned,
        }
    }

    /// What the engine is, for the root help.
    pub fn description(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }

    /// The engine's licence as an SPDX identifier, for the OpenAPI document.
    pub fn license(mut self, license: &'static str) -> Self {
        self.license = license;
        self
    }

    /// What every message and warning passes through, so that a secret in the wrong field is not repeated.
    pub fn redact(mut self, redact: fn(&str) -> String) -> Self {
        self.redact = redact;
        self
    }

    /// Adds a path; the first that matches a request wins.
    pub fn path(mut self, path: Path<E>) -> Self {
        self.paths.push(path);
        self
    }

    /// Adds paths.
    pub fn paths(mut self, paths: impl IntoIterator<Item = Path<E>>) -> Self {
        self.paths.extend(paths);
        self
    }

    /// Adds a kind of leased secret.
    pub fn secret(mut self, kind: SecretType<E>) -> Self {
        self.secrets.push(kind);
        self
    }

    /// The special paths.
    pub fn special_paths(mut self, special: SpecialPaths) -> Self {
        self.special = special;
        self
    }

    /// Runs once after set-up, when storage works.
    pub fn on_initialize<F, R>(mut self, handler: F) -> Self
    where
        F: Fn(Arc<E>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), Error>> + Send + 'static,
    {
        self.hooks.initialize = Some(Handler::new(move |engine, ()| handler(engine)));
        self
    }

    /// Runs at the host's tick, about once a minute on the active node.
    pub fn on_rollback<F, R, X>(mut self, handler: F) -> Self
    where
        F: Fn(Arc<E>, Call) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), X>> + Send + 'static,
        X: Into<Error>,
    {
        self.hooks.rollback = Some(Handler::fallible(handler));
        self
    }

    /// Runs when another node changed the storage entry of the given key.
    pub fn on_invalidate<F, R>(mut self, handler: F) -> Self
    where
        F: Fn(Arc<E>, String) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        self.hooks.invalidate = Some(Handler::new(handler));
        self
    }

    /// Runs when the mount goes away.
    pub fn on_cleanup<F, R>(mut self, handler: F) -> Self
    where
        F: Fn(Arc<E>) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        self.hooks.cleanup = Some(Handler::new(move |engine, ()| handler(engine)));
        self
    }

    /// Checks the declarations.
    ///
    /// # Errors
    /// A [`DefinitionError`] for the first mistake.
    pub fn build(self) -> Result<Framework<E>, DefinitionError> {
        let routes = self
            .paths
            .into_iter()
            .map(Path::compile)
            .collect::<Result<Vec<_>, _>>()?;
        for (index, route) in routes.iter().enumerate() {
            if routes
                .iter()
                .take(index)
                .any(|other| other.pattern.go == route.pattern.go)
            {
                return Err(DefinitionError::DuplicatePath {
                    path: route.pattern.template.clone(),
                });
            }
        }
        for (index, kind) in self.secrets.iter().enumerate() {
            if self
                .secrets
                .iter()
                .take(index)
                .any(|other| other.name == kind.name)
            {
                return Err(DefinitionError::DuplicateSecret {
                    kind: kind.name.to_owned(),
                });
            }
            if kind.revoke.is_none() {
                return Err(DefinitionError::SecretWithoutRevoke {
                    kind: kind.name.to_owned(),
                });
            }
        }
        let declares_answers = routes
            .iter()
            .flat_map(|route| &route.operations)
            .any(|operation| !operation.returns.is_empty());
        Ok(Framework {
            declares_answers,
            engine: self.engine,
            system: self.system,
            description: self.description,
            license: self.license,
            routes,
            secrets: self.secrets,
            special: self.special,
            hooks: self.hooks,
            redact: self.redact,
        })
    }
}
