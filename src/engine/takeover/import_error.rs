//! Why nothing was taken over.

use crate::engine::error::Classified;
use crate::engine::error::Fault;

/// A request to `import` that cannot be served.
#[derive(Debug, thiserror::Error)]
pub(super) enum ImportError {
    /// There is nothing to take over.
    #[error("this mount holds nothing of the archived engine")]
    Nothing,
    /// It is over.
    #[error(
        "the takeover of this mount was finished at {0}: what is still there of the archived \
         engine is only removed, with finish=true"
    )]
    Finished(String),
    /// Something would be lost.
    #[error(
        "the takeover cannot be finished: {configs} configs and {roles} roles are neither imported \
         nor left out, and {tokens} tokens are stored, whose leases live: import what is left or \
         leave it out with names, and wait for the leases to end or revoke them (vault lease \
         revoke -sync -prefix {mount_point}org/token), or finish with force=true"
    )]
    NotReady {
        /// How many configs are open.
        configs: usize,
        /// How many roles are open.
        roles: usize,
        /// How many stored tokens are left.
        tokens: usize,
        /// Where the engine is mounted.
        mount_point: String,
    },
    /// Finishing imports nothing, and asks Astra nothing.
    #[error("{0}: given together with finish=true: import with {0} first, then finish")]
    NotForFinish(&'static str),
    /// Importing needs no force.
    #[error(
        "force: given without finish=true: it only lets the takeover be finished although \
         something would be lost"
    )]
    OnlyForFinish,
    /// The names are not as they should be.
    #[error(
        "names: give a JSON object of old keys and new names, for instance {{\"<org_id>\": \
         \"prod\", \"<org_id>:<role>\": \"reader\"}}"
    )]
    NotAnObject,
    /// A name for nothing.
    #[error(
        "names: {0:?} is neither a config nor a role of the archived engine: give <org_id> or \
         <org_id>:<role>, as import dry_run=true shows them"
    )]
    UnknownKey(String),
    /// What is given is no name.
    #[error(
        "names: what is given for {0:?} is no name: give letters, digits, underscores, and between \
         them hyphens and dots, or \"\" to leave it out"
    )]
    NoName(String),
}

impl Classified for ImportError {
    fn fault(&self) -> Fault {
        Fault::Caller
    }
}
