//! Making an engine for each mount.

use std::sync::Arc;

use super::Deadlines;
use super::Engine;
use super::config;
use super::creds;
use super::discovery;
use super::role;
use super::rollback;
use super::rotation;
use super::static_role;
use super::status;
use super::store::Key;
use super::tidy;
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
            role::paths(),
            creds::paths(),
            rotation::paths(),
            static_role::paths(),
            discovery::paths(),
            status::paths(),
            tidy::paths(),
        ];
        let builder = Framework::builder(engine, Arc::clone(&mount.system))
            .description(
                "The Astra secrets engine mints application tokens of DataStax Astra DB under leases. Write a root token to \
                 config, map roles to Astra roles, and read creds/<role>: each read mints a token, the end of its lease \
                 deletes it.",
            )
            .secret(creds::secret())
            .special_paths(SpecialPaths {
                seal_wrap_storage: [
                    Key::CONFIGS,
                    Key::FAREWELLS,
                    Key::STATIC_ROLES,
                ]
                .map(str::to_owned)
                .to_vec(),
                ..SpecialPaths::default()
            })
            .on_rollback(rollback::tick)
            .on_invalidate(rollback::invalidate)
            .on_cleanup(rollback::cleanup);
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
        match self.framework(&mount) {
            Ok(framework) => Ok(Arc::new(framework)),
            Err(error) => Err(Error::Internal(format!(
                "the engine's paths are defined wrong: {error}"
            ))),
        }
    }
}
