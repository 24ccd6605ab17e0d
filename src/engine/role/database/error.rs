//! What is wrong with the database that a role names.

use crate::engine::error::Classified;
use crate::engine::error::Fault;

/// The database cannot be used as it was written.
#[derive(Debug, thiserror::Error)]
pub(super) enum DatabaseError {
    /// A field makes no sense without a database.
    #[error("{0} needs database_id: give the id of the database, or leave {0} out")]
    NeedsDatabase(&'static str),
    /// The database is of another organization.
    #[error(
        "database_id: database {database} belongs to organization {owner}, not to {org_id}, which \
         config \"{config}\" is for: use the config of its organization"
    )]
    Elsewhere {
        /// Name and id.
        database: String,
        /// Its organization.
        owner: String,
        /// The config's organization.
        org_id: String,
        /// The config.
        config: String,
    },
    /// A name stands for the id.
    #[error(
        "database_id: \"{wanted}\" is a name, and names need not be unique: give the id, {ids}"
    )]
    IsAName {
        /// What was sent.
        wanted: String,
        /// Ids of databases of that name.
        ids: String,
    },
    /// There is no such database.
    #[error(
        "database_id: the organization of config \"{config}\" has no database \"{wanted}\"; \
         {offer}: give the id of a database of this organization, or use the config of the other \
         one (list databases/{config} shows all)"
    )]
    Unknown {
        /// The config.
        config: String,
        /// What was sent.
        wanted: String,
        /// What there is.
        offer: String,
    },
    /// The database has no such region or keyspace.
    #[error("{field}: database {database} has no {field} \"{wanted}\": {offer}")]
    Lacks {
        /// The field.
        field: &'static str,
        /// Name and id.
        database: String,
        /// What was sent.
        wanted: String,
        /// What there is.
        offer: String,
    },
}

impl Classified for DatabaseError {
    fn fault(&self) -> Fault {
        Fault::Caller
    }
}
