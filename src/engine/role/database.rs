//! The database that a role's credentials are for.

use std::collections::BTreeSet;

use super::DatabaseChoice;
use super::resolve::nearest;
use crate::astra::Database;
use crate::astra::Deadline;
use crate::engine::config::Connection;
use crate::engine::upstream;
use crate::vault::Error;

/// The data plane of each environment, by the DevOps API's address (docs/astra-api.md).
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
pub struct Wanted {
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
    pub fn of(choice: Option<&DatabaseChoice>) -> Self {
        choice.map_or_else(Self::default, |choice| Self {
            id: choice.id.clone(),
            region: choice.given_region.clone(),
            keyspace: choice.given_keyspace.clone(),
            secure_connect_bundle: choice.secure_connect_bundle,
        })
    }

    /// Refuses what makes no sense without a database.
    pub fn check(&self) -> Result<(), Error> {
        if !self.id.is_empty() {
            return Ok(());
        }
        let lonely = [
            ("region", !self.region.is_empty()),
            ("keyspace", !self.keyspace.is_empty()),
            ("secure_connect_bundle", self.secure_connect_bundle),
        ];
        match lonely.into_iter().find(|(_, is_set)| *is_set) {
            Some((field, _)) => Err(Error::BadRequest(format!(
                "{field} needs database_id: give the id of the database, or leave {field} out"
            ))),
            None => Ok(()),
        }
    }

    /// Finds the database in the connection's organization.  The second part are warnings.
    pub async fn find(
        &self,
        connection: &Connection,
        deadline: Deadline,
    ) -> Result<(DatabaseChoice, Vec<String>), Error> {
        let databases = connection.client.databases(deadline).await;
        let databases = databases.map_err(|error| {
            upstream::failed("list the organization's databases", connection, &error)
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
                "database_id: database {} is {}, not ACTIVE: credentials are minted, but it may not answer, and gives no \
                 secure connect bundle, until it is resumed",
                named(database),
                database.status
            ));
        }
        if api_endpoint.is_empty() {
            warnings.push(format!(
                "database_id: the API endpoint of database {} is not known, so credentials carry an empty api_endpoint",
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
    ) -> Error {
        let wanted = &self.id;
        let elsewhere = all
            .iter()
            .find(|database| database.id.eq_ignore_ascii_case(wanted));
        if let Some(database) = elsewhere {
            return Error::BadRequest(format!(
                "database_id: database {} belongs to organization {}, not to {}, which config \"{config}\" is for: use the \
                 config of its organization",
                named(database),
                database.org_id,
                org_id.unwrap_or("the one")
            ));
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
            return Error::BadRequest(format!(
                "database_id: \"{wanted}\" is a name, and names need not be unique: give the id, {}",
                ids.join(" or ")
            ));
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
        Error::BadRequest(format!(
            "database_id: the organization of config \"{config}\" has no database \"{wanted}\"; {offer}: give the id of a database \
             of this organization, or use the config of the other one (list databases/{config} shows all)"
        ))
    }
}

fn regions(database: &Database) -> BTreeSet<&str> {
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
    field: &str,
    wanted: &str,
    database: &Database,
    known: &BTreeSet<&str>,
) -> Result<(), Error> {
    if known.contains(wanted) {
        return Ok(());
    }
    let known: Vec<String> = known.iter().map(|name| format!("\"{name}\"")).collect();
    let offer = match known.is_empty() {
        true => format!("Astra tells of none, so leave {field} out"),
        false => format!("it has {}", known.join(", ")),
    };
    Err(Error::BadRequest(format!(
        "{field}: database {} has no {field} \"{wanted}\": {offer}",
        named(database)
    )))
}

/// Where the database's HTTP APIs are in `region`: by the environment's rule, else as the service
/// says, which speaks of the primary region only.
fn api_endpoint(url: &str, database: &Database, region: &str) -> String {
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::astra::Datacenter;

    const ORG: &str = "11111111-1111-4111-8111-111111111111";
    const URL: &str = "https://api.astra.datastax.com";

    fn database(id: &str, name: &str) -> Database {
        let region = |region: &str| Datacenter {
            region: region.to_owned(),
            ..Datacenter::default()
        };
        Database {
            id: id.to_owned(),
            name: name.to_owned(),
            org_id: ORG.to_owned(),
            region: "us-east1".to_owned(),
            datacenters: vec![region("us-east1"), region("europe-west1")],
            keyspace: "app".to_owned(),
            keyspaces: vec!["app".to_owned(), "audit".to_owned()],
            status: "ACTIVE".to_owned(),
            data_endpoint: format!("http://127.0.0.1:1/_data/{id}-us-east1"),
            ..Database::default()
        }
    }

    fn wanted(id: &str, region: &str, keyspace: &str) -> Wanted {
        Wanted {
            id: id.into(),
            region: region.into(),
            keyspace: keyspace.into(),
            secure_connect_bundle: false,
        }
    }

    fn choose(wanted: &Wanted, url: &str) -> Result<(DatabaseChoice, Vec<String>), String> {
        let foreign = Database {
            org_id: "other-org".into(),
            ..database("db-9", "theirs")
        };
        let databases = [
            database("db-1", "orders"),
            database("db-2", "audits"),
            foreign,
        ];
        wanted
            .choose(&databases, "default", Some(ORG), url)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_the_primary_region_and_the_default_keyspace() {
        let (choice, warnings) = choose(&wanted("db-1", "", ""), URL).unwrap();
        assert_eq!(
            (choice.region.as_str(), choice.keyspace.as_str()),
            ("us-east1", "app")
        );
        assert_eq!(
            (choice.given_region.as_str(), choice.given_keyspace.as_str()),
            ("", "")
        );
        assert_eq!(
            choice.api_endpoint,
            "https://db-1-us-east1.apps.astra.datastax.com"
        );
        assert_eq!(warnings, Vec::<String>::new());
    }

    #[test]
    fn the_endpoint_follows_environment_and_region() {
        let other = wanted("db-1", "europe-west1", "audit");
        for (url, expected) in [
            (URL, "https://db-1-europe-west1.apps.astra.datastax.com"),
            (
                "https://api.dev.cloud.datastax.com",
                "https://db-1-europe-west1.apps.astra-dev.datastax.com",
            ),
            (
                "https://api.test.cloud.datastax.com",
                "https://db-1-europe-west1.apps.astra-test.datastax.com",
            ),
            (
                "http://127.0.0.1:1",
                "http://127.0.0.1:1/_data/db-1-europe-west1",
            ),
        ] {
            let (choice, _) = choose(&other, url).unwrap();
            assert_eq!(choice.api_endpoint, expected);
            assert_eq!(
                (choice.region.as_str(), choice.keyspace.as_str()),
                ("europe-west1", "audit")
            );
        }
    }

    #[test]
    fn each_mistake_is_named() {
        for (wanted, expected) in [
            (wanted("db-3", "", ""), "database_id: the organization of config \"default\" has no database \"db-3\"; it has \"audits\" (db-2), \"orders\" (db-1): give the id of a database of this organization, or use the config of the other one (list databases/default shows all)".to_owned()),
            (wanted("orders", "", ""), "database_id: \"orders\" is a name, and names need not be unique: give the id, db-1".to_owned()),
            (wanted("db-9", "", ""), format!("database_id: database \"theirs\" (db-9) belongs to organization other-org, not to {ORG}, which config \"default\" is for: use the config of its organization")),
            (wanted("db-1", "us-west2", ""), "region: database \"orders\" (db-1) has no region \"us-west2\": it has \"europe-west1\", \"us-east1\"".to_owned()),
            (wanted("db-1", "", "ap"), "keyspace: database \"orders\" (db-1) has no keyspace \"ap\": it has \"app\", \"audit\"".to_owned()),
        ] {
            assert_eq!(choose(&wanted, URL).unwrap_err(), expected);
        }
    }

    #[test]
    fn what_needs_a_database_is_refused_without_one() {
        let expected =
            "keyspace needs database_id: give the id of the database, or leave keyspace out";
        assert_eq!(
            wanted("", "", "app").check().unwrap_err().to_string(),
            expected
        );
        let bundle = Wanted {
            secure_connect_bundle: true,
            ..Wanted::default()
        };
        assert!(
            bundle
                .check()
                .unwrap_err()
                .to_string()
                .starts_with("secure_connect_bundle needs database_id: ")
        );
        assert_eq!(Wanted::default().check(), Ok(()));
    }

    #[test]
    fn a_sleeping_database_is_a_warning() {
        let sleeping = Database {
            status: "HIBERNATED".into(),
            ..database("db-1", "orders")
        };
        let (_, warnings) = wanted("db-1", "", "")
            .choose(&[sleeping], "default", Some(ORG), URL)
            .unwrap();
        assert_eq!(
            warnings,
            [
                "database_id: database \"orders\" (db-1) is HIBERNATED, not ACTIVE: credentials are minted, but it may not answer, and gives no secure connect bundle, until it is resumed"
            ]
        );
    }
}
