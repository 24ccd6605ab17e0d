//! Where the contents of secure connect bundles come from.

use crate::error::Error;
use crate::state::database::Database;

/// Makes the files of secure connect bundles that work.
///
/// A trait, because the CQL data plane makes them and itself uses the state.
pub(crate) trait BundleSource: Send + Sync {
    /// Names and contents of the files in the bundle of a database's region. `host` is what the
    /// drivers are told to connect to.
    ///
    /// # Errors
    ///
    /// No certificate could be made.
    fn files(
        &self,
        database: &Database,
        region: &str,
        host: &str,
    ) -> Result<Vec<(&'static str, Vec<u8>)>, Error>;
}
