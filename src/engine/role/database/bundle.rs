//! What an application needs to connect to the role's database.

use serde_json::Map;
use serde_json::Value;

use crate::astra::Deadline;
use crate::astra::Error as AstraError;
use crate::engine::astra_error;
use crate::engine::connection::Connection;
use crate::engine::error::Classified;
use crate::engine::error::Error;
use crate::engine::error::Fault;
use crate::engine::role::DatabaseChoice;
use crate::secret::Secret;

/// Why there is no link to the secure connect bundle.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BundleError {
    /// The database is asleep, or changes its state.
    #[error(
        "config \"{config}\": database {database} gives no secure connect bundle in its present \
         state: resume it, or set secure_connect_bundle=false on the role ({source})"
    )]
    NotNow {
        /// The config.
        config: String,
        /// The database's id.
        database: String,
        /// What Astra said.
        source: AstraError,
    },
}

impl Classified for BundleError {
    fn fault(&self) -> Fault {
        Fault::Overload
    }
}

/// A new link to the secure connect bundle, if the role wants one.  Anyone who has it can download
/// the bundle, so it is neither kept nor logged.
pub(crate) async fn bundle_url(
    connection: &Connection,
    database: &DatabaseChoice,
    deadline: Deadline,
) -> Result<Option<Secret>, Error> {
    if !database.secure_connect_bundle {
        return Ok(None);
    }
    let region = Some(database.given_region.as_str()).filter(|region| !region.is_empty());
    let url = connection
        .client
        .secure_bundle_url(&database.id, region, deadline)
        .await;
    url.map(Some).map_err(|error| match error {
        error @ AstraError::Conflict { .. } => BundleError::NotNow {
            config: connection.name.clone(),
            database: database.id.clone(),
            source: error,
        }
        .into(),
        error => astra_error::request_error(
            "get the link to the secure connect bundle",
            connection,
            &error,
        ),
    })
}

/// Adds what is known about the database to a credential.
pub(crate) fn add_to(
    answer: &mut Map<String, Value>,
    database: &DatabaseChoice,
    bundle: Option<&Secret>,
) {
    answer.insert("database_id".into(), database.id.as_str().into());
    answer.insert("region".into(), database.region.as_str().into());
    answer.insert("keyspace".into(), database.keyspace.as_str().into());
    answer.insert("api_endpoint".into(), database.api_endpoint.as_str().into());
    if let Some(url) = bundle {
        answer.insert("secure_connect_bundle_url".into(), url.expose().into());
    }
}
