//! The database that a role's credentials are for.

use std::collections::BTreeSet;

use super::DatabaseChoice;
use super::resolve::nearest;
use crate::astra::Database;
use crate::astra::Deadline;
use crate::engine::astra_error;
use crate::engine::connection::Connection;
use crate::engine::error::Error;
use error::DatabaseError;

pub(crate) mod bundle;
mod error;
mod fields;
#[cfg(test)]
mod tests;

pub(crate) use fields::declare;
pub(crate) use fields::in_credential;
pub(crate) use fields::show;
pub(crate) use fields::shown;

/// The data plane of each environment, by the DevOps API's address (docs/internals/astra-api.md).
const DATA_PLANES: [(&str, &str); 3] = [
    ("https://api.astra.datastax.com", "apps.astra.datastax.com"),
    (
        "https://api.dev.cloud.datastax.com",
        "apps.astra-dev.datastax.com",
    ),
    (
        "https://api.test.cloud.datastax.com",
        "apps.astra-test.datastax.com",
    ),
];

/// What the operator wrote about the database.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Wanted {
    /// `database_id`.
    pub id: String,
    /// `region`; empty for the primary one.
    pub region: String,
    /// `keyspace`; empty for the default one.
    pub keyspace: String,
    /// `secure_connect_bundle`.
    pub secure_connect_bundle: bool,
}

impl Wanted {
    /// What a stored role says.
    pub(crate) fn of(choice: Option<&DatabaseChoice>) -> Self {
        choice.map_or_else(Self::default, |choice| Self {
            id: choice.id.clone(),
            region: choice.given_region.clone(),
            keyspace: choice.given_keyspace.clone(),
            secure_connect_bundle: choice.secure_connect_bundle,
        })
    }

    /// Refuses what makes no sense without a database.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if !self.id.is_empty() {
            return Ok(());
        }
        let lonely = [
            ("region", !self.region.is_empty()),
            ("keyspace", !self.keyspace.is_empty()),
            ("secure_connect_bundle", self.secure_connect_bundle),
        ];
        match lonely.into_iter().find(|(_, is_set)| *is_set) {
            Some((field, _)) => Err(DatabaseError::NeedsDatabase(field).into()),
            None => Ok(()),
        }
    }

    /// What is to be stored: what is `known` of it already in the connection's organization, unless
    /// `again`, else what the organization has.  The second part are warnings.
    pub(crate) async fn choice(
        &self,
        known: Option<&DatabaseChoice>,
        again: bool,
        connection: &Connection,
        deadline: Deadline,
    ) -> Result<(Option<DatabaseChoice>, Vec<String>), Error> {
        if self.id.is_empty() {
            return Ok((None, Vec::new()));
        }
        match known.filter(|known| Self::of(Some(known)) == *self) {
            // What was found once stays, also while Astra is not reachable.
            Some(known) if !again => Ok((Some(known.clone()), Vec::new())),
            _ => {
                let (choice, warnings) = self.find(connection, deadline).await?;
                Ok((Some(choice), warnings))
            }
        }
    }

    /// Finds the database in the connection's organization.  The second part are warnings.
    async fn find(
        &self,
        connection: &Connection,
        deadline: Deadline,
    ) -> Result<(DatabaseChoice, Vec<String>), Error> {
        let databases = connection.client.databases(deadline).await;
        let databases = databases.map_err(|error| {
            astra_error::request_error("list the organization's databases", connection, &error)
        })?;
        self.choose(
            &databases,
            &connection.name,
            connection.entry.org_id.as_deref(),
            &connection.entry.url,
        )
    }

    fn choose(
        &self,
        databases: &[Database],
        config: &str,
        org_id: Option<&str>,
        url: &str,
    ) -> Result<(DatabaseChoice, Vec<String>), Error> {
        let own: Vec<&Database> = databases
            .iter()
            .filter(|database| {
                org_id.is_none_or(|org| database.org_id.is_empty() || database.org_id == org)
            })
            .collect();
        let database = own
            .iter()
            .find(|database| database.id.eq_ignore_ascii_case(&self.id))
            .ok_or_else(|| self.not_found(databases, &own, config, org_id))?;
        let region = match self.region.as_str() {
            "" => database.region.clone(),
            wanted => {
                let regions = regions(database);
                one_of("region", wanted, database, &regions)?;
                wanted.to_owned()
            }
        };
        let keyspace = match self.keyspace.as_str() {
            "" => database.keyspace.clone(),
            wanted => {
                let keyspaces = database.keyspaces.iter().map(String::as_str).collect();
                one_of("keyspace", wanted, database, &keyspaces)?;
                wanted.to_owned()
            }
        };
        let api_endpoint = api_endpoint(url, database, &region);
        let mut warnings = Vec::new();
        if database.status != "ACTIVE" {
            warnings.push(format!(
                "database_id: database {} is {}, not ACTIVE: credentials are minted, but it may \
                 not answer, and gives no secure connect bundle, until it is resumed",
                named(database),
                database.status
            ));
        }
        if api_endpoint.is_empty() {
            warnings.push(format!(
                "database_id: the API endpoint of database {} is not known, so credentials carry \
                 an empty api_endpoint",
                named(database)
            ));
        }
        let choice = DatabaseChoice {
            id: self.id.clone(),
            given_region: self.region.clone(),
            given_keyspace: self.keyspace.clone(),
            region,
            keyspace,
            api_endpoint,
            secure_connect_bundle: self.secure_connect_bundle,
        };
        Ok((choice, warnings))
    }

    fn not_found(
        &self,
        all: &[Database],
        own: &[&Database],
        config: &str,
        org_id: Option<&str>,
    ) -> DatabaseError {
        let wanted = &self.id;
        let elsewhere = all
            .iter()
            .find(|database| database.id.eq_ignore_ascii_case(wanted));
        if let Some(database) = elsewhere {
            return DatabaseError::Elsewhere {
                database: named(database),
                owner: database.org_id.clone(),
                org_id: org_id.unwrap_or("the one").to_owned(),
                config: config.to_owned(),
            };
        }
        let named_so: Vec<&&Database> = own
            .iter()
            .filter(|database| database.name == *wanted)
            .collect();
        if !named_so.is_empty() {
            let ids: Vec<&str> = named_so
                .iter()
                .map(|database| database.id.as_str())
                .collect();
            return DatabaseError::IsAName {
                wanted: wanted.clone(),
                ids: ids.join(" or "),
            };
        }
        let near = nearest(wanted, own.iter().map(|database| database.name.as_str()));
        let near: Vec<String> = near
            .iter()
            .filter_map(|name| own.iter().find(|database| database.name == *name))
            .map(|database| named(database))
            .collect();
        let offer = match near.is_empty() {
            true => "it has no database that the root token can see".to_owned(),
            false => format!("it has {}", near.join(", ")),
        };
        DatabaseError::Unknown {
            config: config.to_owned(),
            wanted: wanted.clone(),
            offer,
        }
    }
}

/// Where the database runs, sorted.
pub(crate) fn regions(database: &Database) -> BTreeSet<&str> {
    let others = database
        .datacenters
        .iter()
        .map(|datacenter| datacenter.region.as_str());
    others
        .chain([database.region.as_str()])
        .filter(|region| !region.is_empty())
        .collect()
}

fn one_of(
    field: &'static str,
    wanted: &str,
    database: &Database,
    known: &BTreeSet<&str>,
) -> Result<(), DatabaseError> {
    if known.contains(wanted) {
        return Ok(());
    }
    let known: Vec<String> = known.iter().map(|name| format!("\"{name}\"")).collect();
    let offer = match known.is_empty() {
        true => format!("Astra tells of none, so leave {field} out"),
        false => format!("it has {}", known.join(", ")),
    };
    Err(DatabaseError::Lacks {
        field,
        database: named(database),
        wanted: wanted.to_owned(),
        offer,
    })
}

/// Where the database's HTTP APIs are in `region`: by the environment's rule, else as the service
/// says, which speaks of the primary region only.  Empty when neither tells.
pub(crate) fn api_endpoint(url: &str, database: &Database, region: &str) -> String {
    let by_rule = DATA_PLANES
        .iter()
        .find(|(api, _)| *api == url)
        .filter(|_| !region.is_empty())
        .map(|(_, domain)| format!("https://{}-{region}.{domain}", database.id));
    by_rule.unwrap_or_else(|| {
        let primary = format!("{}-{}", database.id, database.region);
        let wanted = format!("{}-{region}", database.id);
        database.data_endpoint.replace(&primary, &wanted)
    })
}

fn named(database: &Database) -> String {
    format!("\"{}\" ({})", database.name, database.id)
}
