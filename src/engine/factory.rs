//! Making an engine for each mount.

use std::sync::Arc;
use std::sync::Once;

use super::Deadlines;
use super::Engine;
use super::config;
use super::creds;
use super::discovery;
use super::metrics_path;
use super::periodic;
use super::role_path;
use super::rotation;
use super::static_role;
use super::status;
use super::store::Key;
use super::takeover;
use super::tidy;
use crate::astra;
use crate::framework::DefinitionError;
use crate::framework::Framework;
use crate::vault::Backend;
use crate::vault::Error;
use crate::vault::Factory;
use crate::vault::Mount;
use crate::vault::SpecialPaths;

/// Builds the Astra secrets engine.
#[derive(Clone, Copy, Debug, Default)]
pub struct AstraFactory {
    /// How long operations may take.
    pub deadlines: Deadlines,
}

impl AstraFactory {
    pub(super) fn framework(&self, mount: &Mount) -> Result<Framework<Engine>, DefinitionError> {
        let engine = Arc::new(Engine::new(mount, self.deadlines));
        let paths = [
            config::paths(),
            role_path::paths(),
            creds::paths(),
            rotation::paths(),
            static_role::paths(),
            discovery::paths(),
            metrics_path::paths(),
            status::paths(),
            tidy::paths(),
            takeover::paths(),
        ];
        let builder = Framework::builder(engine, Arc::clone(&mount.system))
            .description(
                "The Astra secrets engine mints application tokens of DataStax Astra DB under \
                 leases. Write a root token to config, map roles to Astra roles, and read \
                 creds/<role>: each read mints a token, the end of its lease deletes it.",
            )
            .redact(astra::redact)
            .license(env!("CARGO_PKG_LICENSE"))
            .secret(takeover::secret())
            .special_paths(SpecialPaths {
                seal_wrap_storage: [Key::CONFIGS, Key::PENDING_DELETIONS, Key::STATIC_ROLES]
                    .map(str::to_owned)
                    .to_vec(),
                ..SpecialPaths::default()
            })
            .on_rollback(periodic::periodic)
            .on_invalidate(periodic::invalidate)
            .on_cleanup(periodic::cleanup);
        paths
            .into_iter()
            .flatten()
            .fold(builder, |builder, path| builder.path(path))
            .build()
    }
}

impl Factory for AstraFactory {
    fn version(&self) -> String {
        format!("v{}", env!("CARGO_PKG_VERSION"))
    }

    fn build(&self, mount: Mount) -> Result<Arc<dyn Backend>, Error> {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            for variable in astra::unusable_proxy_variables() {
                tracing::warn!(
                    variable,
                    "the value is no address of a proxy, such as http://proxy:3128, so it has no \
                     effect"
                );
            }
        });
        Ok(Arc::new(self.framework(&mount)?))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::framework::Field;
    use crate::vault::Operation;

    fn framework() -> Framework<Engine> {
        AstraFactory::default()
            .framework(&Mount::in_memory())
            .unwrap()
    }

    /// A sentence, for anyone who reads it in a terminal or in the host's user interface.
    fn is_sentence(text: &str) -> bool {
        text.contains(' ') && text.ends_with('.')
    }

    #[test]
    fn every_path_of_the_engine_is_declared_once() {
        let framework = framework();
        let matched: Vec<(&str, Operation)> = vec![
            ("config", Operation::Read),
            ("config/", Operation::List),
            ("config/other", Operation::Patch),
            ("rotate-root", Operation::Update),
            ("rotate-root/other", Operation::Update),
            ("roles/", Operation::List),
            ("roles/reader", Operation::Create),
            ("creds/reader", Operation::Read),
            ("static-roles/", Operation::List),
            ("static-roles/batch", Operation::Delete),
            ("static-creds/batch", Operation::Read),
            ("rotate-role/batch", Operation::Update),
            ("astra-roles/default/", Operation::List),
            ("astra-roles/default/API R/W User", Operation::Read),
            ("databases/default/", Operation::List),
            ("databases/default/vector_db", Operation::Read),
            ("tokens/default/", Operation::List),
            ("tidy", Operation::Update),
            ("metrics", Operation::Read),
            ("status", Operation::Read),
            ("status/default", Operation::Read),
            ("status/", Operation::List),
            ("import", Operation::Update),
            ("org/token", Operation::Read),
        ];
        let mut used = BTreeSet::new();
        for (path, operation) in matched {
            let route = framework
                .routes
                .iter()
                .position(|route| {
                    let handles = |declared: &Operation| *declared == operation;
                    route.pattern.captures(path).is_some()
                        && route.operations.iter().any(|one| handles(&one.operation))
                })
                .unwrap_or_else(|| panic!("nothing handles {operation:?} of {path}"));
            used.insert(route);
        }
        assert_eq!(
            used.len(),
            framework.routes.len(),
            "a path is not in this list"
        );
    }

    #[test]
    fn every_path_operation_and_field_says_what_it_is() {
        for route in &framework().routes {
            let path = &route.pattern.go;
            assert!(is_sentence(route.synopsis), "{path}: {:?}", route.synopsis);
            assert!(is_sentence(route.help), "{path}: {:?}", route.help);
            for operation in &route.operations {
                let summary = operation.summary;
                assert!(
                    is_sentence(summary),
                    "{path} {:?}: {summary:?}",
                    operation.operation
                );
            }
            for field in route.schema.iter() {
                let Field {
                    name, description, ..
                } = field;
                assert!(is_sentence(description), "{path} {name}: {description:?}");
            }
        }
    }

    #[test]
    fn parameters_are_declared_for_the_operations_that_take_them() {
        let framework = framework();
        let fields = framework
            .routes
            .iter()
            // There it finishes.
            .filter(|route| route.pattern.captures("import").is_none())
            .flat_map(|route| route.schema.iter());
        let mut forces = 0;
        let mut of_writes = 0;
        for field in fields.filter(|field| field.name == "force") {
            forces += 1;
            assert!(field.query, "a delete takes it in the query");
            assert!(!field.is_for(&Operation::Read));
            assert!(field.is_for(&Operation::Delete));
            if field.is_for(&Operation::Update) {
                of_writes += 1;
                assert!(field.is_for(&Operation::Patch));
            }
        }
        assert_eq!(
            forces, 4,
            "config, config/<name>, roles/<name>, static-roles/<name>"
        );
        assert_eq!(of_writes, 2, "config and config/<name>");
    }
}
