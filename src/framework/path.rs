//! One declared path.

use std::future::Future;
use std::sync::Arc;

use serde_json::Map;
use serde_json::Value;

use super::Call;
use super::DefinitionError;
use super::Field;
use super::handler::Handler;
use super::pattern::Pattern;
use super::schema::Schema;
use crate::vault::Error;
use crate::vault::HandlerResult;
use crate::vault::Operation;
use crate::vault::Response;

/// A path of an engine: template, fields, operations and help.
///
/// A template is literal text with captures: `{name}` is one Vault name, `{name?}` at the end an
/// optional slash and name, `{rest*}` at the end whatever follows.  A template that ends in a slash is
/// for lists, and also matches without that slash.  Every capture needs a field of its name.
///
/// ```
/// use std::sync::Arc;
///
/// use serde_json::json;
/// use vault_plugin_secrets_astra::framework::{Call, DefinitionError, Field, Framework, Path};
/// use vault_plugin_secrets_astra::vault::{HandlerResult, Mount, Operation, Response};
///
/// async fn add(_engine: Arc<()>, call: Call) -> HandlerResult {
///     let (a, b) = (call.fields.integer("a"), call.fields.integer("b"));
///     let sum = a.unwrap_or_default().saturating_add(b.unwrap_or_default());
///     Ok(Some(Response::json(json!({"sum": sum}))?))
/// }
///
/// let path = || {
///     Path::new("sums/{a}")
///         .field(Field::int("a", "The first number."))
///         .field(Field::int("b", "The second number.").default(1))
///         .on(Operation::Read, "Add two numbers.", add)
///         .synopsis("Add numbers.")
/// };
/// let build = |path| Framework::builder(Arc::new(()), Mount::in_memory().system).path(path).build();
/// assert!(build(path()).is_ok());
/// let twice = build(path().field(Field::int("b", "Again."))).err();
/// assert!(matches!(twice, Some(DefinitionError::DuplicateField { .. })));
/// ```
pub struct Path<E> {
    template: String,
    fields: Vec<Field>,
    operations: Vec<PathOperation<E>>,
    exists: Option<Handler<E, Call, Result<bool, Error>>>,
    synopsis: &'static str,
    help: &'static str,
    any_parameters: bool,
}

/// A path that has been checked.
pub(crate) struct Route<E> {
    pub(crate) pattern: Pattern,
    pub(crate) schema: Arc<Schema>,
    pub(crate) operations: Vec<PathOperation<E>>,
    pub(crate) exists: Option<Handler<E, Call, Result<bool, Error>>>,
    pub(crate) synopsis: &'static str,
    pub(crate) help: &'static str,
    pub(crate) any_parameters: bool,
}

pub(crate) struct PathOperation<E> {
    pub(crate) operation: Operation,
    pub(crate) summary: &'static str,
    pub(crate) handler: Handler<E, Call, HandlerResult>,
    /// Whether an unknown parameter is an error.
    pub(crate) refuses_unknown: bool,
    /// The fields of the answer's data, where they are declared.
    pub(crate) returns: Vec<Field>,
}

impl<E> PathOperation<E> {
    /// The fields of the answer's data.
    pub(crate) fn shown(&self) -> impl Iterator<Item = &Field> {
        self.returns.iter()
    }

    /// What is wrong with an answer's `data`, if it is not as declared.  Debug builds look at every
    /// answer, so that each test of an engine is one of its declarations too.
    pub(crate) fn mismatch(&self, data: &Map<String, Value>) -> Option<String> {
        let undeclared = data
            .keys()
            .find(|name| self.shown().all(|field| field.name != *name));
        if let Some(name) = undeclared {
            return Some(format!("{name:?} is not declared"));
        }
        // Nothing at all is what a list of nothing and a write answer.
        let missing = self
            .shown()
            .find(|field| field.required && !data.is_empty() && !data.contains_key(field.name));
        missing.map(|field| format!("{:?} is missing", field.name))
    }
}

impl<E: Send + Sync + 'static> Path<E> {
    /// A path for `template`.
    pub fn new(template: impl Into<String>) -> Self {
        Self {
            template: template.into(),
            fields: Vec::new(),
            operations: Vec::new(),
            exists: None,
            synopsis: "",
            help: "",
            any_parameters: false,
        }
    }

    /// Declares a parameter.
    pub fn field(mut self, field: Field) -> Self {
        self.fields.push(field);
        self
    }

    /// Declares parameters that several paths share.
    pub fn fields(mut self, fields: impl IntoIterator<Item = Field>) -> Self {
        self.fields.extend(fields);
        self
    }

    /// Handles `operation`; `summary` is its line in the OpenAPI document.  The handler may fail with an
    /// error of the engine's own that becomes one of Vault's.
    pub fn on<F, R, X>(mut self, operation: Operation, summary: &'static str, handler: F) -> Self
    where
        F: Fn(Arc<E>, Call) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Option<Response>, X>> + Send + 'static,
        X: Into<Error>,
    {
        self.operations.push(PathOperation {
            operation,
            summary,
            handler: Handler::fallible(handler),
            refuses_unknown: false,
            returns: Vec::new(),
        });
        self
    }

    /// The operation declared last refuses parameters that it does not take, because it has an effect
    /// outside of storage.  Other operations ignore them with a warning.
    pub fn refuses_unknown_parameters(mut self) -> Self {
        if let Some(operation) = self.operations.last_mut() {
            operation.refuses_unknown = true;
        }
        self
    }

    /// Declares the fields of the answer's data to the operation declared last, for the OpenAPI
    /// document.  A write takes what a read of the same path returns, and says that it ignores what is
    /// no parameter of it.
    pub fn returns(mut self, fields: impl IntoIterator<Item = Field>) -> Self {
        if let Some(operation) = self.operations.last_mut() {
            operation.returns.extend(fields);
        }
        self
    }

    /// Says whether the object exists, so that the host can tell create from update.  It runs before
    /// the caller is authorised: it must be cheap, silent and without side effects.
    pub fn exists<F, R, X>(mut self, handler: F) -> Self
    where
        F: Fn(Arc<E>, Call) -> R + Send + Sync + 'static,
        R: Future<Output = Result<bool, X>> + Send + 'static,
        X: Into<Error>,
    {
        self.exists = Some(Handler::fallible(handler));
        self
    }

    /// One line for the list of paths.
    pub fn synopsis(mut self, synopsis: &'static str) -> Self {
        self.synopsis = synopsis;
        self
    }

    /// The description for `path-help`.
    pub fn help(mut self, help: &'static str) -> Self {
        self.help = help;
        self
    }

    /// No warning about undeclared parameters: the handler finds them in `request.data`.
    pub fn takes_any_parameters(mut self) -> Self {
        self.any_parameters = true;
        self
    }

    pub(crate) fn compile(mut self) -> Result<Route<E>, DefinitionError> {
        let pattern = Pattern::parse(&self.template)?;
        let fields = std::mem::take(&mut self.fields);
        let schema = schema(&self.template, &pattern, fields)?;
        self.check_operations(&pattern)?;
        Ok(Route {
            pattern,
            schema: Arc::new(schema),
            operations: self.operations,
            exists: self.exists,
            synopsis: self.synopsis,
            help: self.help,
            any_parameters: self.any_parameters,
        })
    }

    fn handles(&self, operation: &Operation) -> bool {
        let mut declared = self.operations.iter();
        declared.any(|declared| declared.operation == *operation)
    }

    /// Refuses operations that cannot reach the path, or not as they are declared.
    fn check_operations(&self, pattern: &Pattern) -> Result<(), DefinitionError> {
        let path = || self.template.clone();
        for (index, PathOperation { operation, .. }) in self.operations.iter().enumerate() {
            let mut before = self.operations.iter().take(index);
            if before.any(|other| other.operation == *operation) {
                return Err(DefinitionError::DuplicateOperation {
                    path: path(),
                    operation: operation.as_str().to_owned(),
                });
            }
            if matches!(
                operation,
                Operation::Help | Operation::Renew | Operation::Revoke | Operation::Rollback
            ) {
                return Err(DefinitionError::NotRouted {
                    path: path(),
                    operation: operation.as_str().to_owned(),
                });
            }
        }
        if self.handles(&Operation::List) && !pattern.matches_slash {
            return Err(DefinitionError::ListWithoutSlash { path: path() });
        }
        let creates = self.handles(&Operation::Create);
        match self.exists {
            None if creates => Err(DefinitionError::CreateWithoutExistenceCheck { path: path() }),
            Some(_) if !creates || !self.handles(&Operation::Update) => {
                Err(DefinitionError::ExistenceCheckWithoutWrites { path: path() })
            }
            _ => Ok(()),
        }
    }
}

/// The `fields` of `path`, which are to have one for each capture of `pattern`.
fn schema(path: &str, pattern: &Pattern, fields: Vec<Field>) -> Result<Schema, DefinitionError> {
    let path = || path.to_owned();
    let mut schema = Schema::default();
    for field in fields {
        let name = field.name;
        match schema.insert(field) {
            Ok(true) => (),
            Ok(false) => {
                return Err(DefinitionError::DuplicateField {
                    path: path(),
                    field: name.to_owned(),
                });
            }
            Err(mismatch) => {
                return Err(DefinitionError::BadDefault {
                    path: path(),
                    field: name.to_owned(),
                    cause: mismatch.to_string(),
                });
            }
        }
    }
    let mut captures = pattern.captures.iter();
    match captures.find(|capture| schema.get(capture).is_none()) {
        Some(capture) => Err(DefinitionError::CaptureWithoutField {
            path: path(),
            capture: capture.clone(),
        }),
        None => Ok(schema),
    }
}

impl<E> Route<E> {
    pub(crate) fn operation(&self, operation: &Operation) -> Option<&PathOperation<E>> {
        self.operations
            .iter()
            .find(|declared| declared.operation == *operation)
    }
}
