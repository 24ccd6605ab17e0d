//! Finding the database that an operator means.

#![allow(clippy::unwrap_used)]

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
        (
            wanted("db-3", "", ""),
            "database_id: the organization of config \"default\" has no database \"db-3\"; it has \
             \"audits\" (db-2), \"orders\" (db-1): give the id of a database of this organization, \
             or use the config of the other one (list databases/default shows all)"
                .to_owned(),
        ),
        (
            wanted("orders", "", ""),
            "database_id: \"orders\" is a name, and names need not be unique: give the id, db-1"
                .to_owned(),
        ),
        (
            wanted("db-9", "", ""),
            format!(
                "database_id: database \"theirs\" (db-9) belongs to organization other-org, not to \
                 {ORG}, which config \"default\" is for: use the config of its organization"
            ),
        ),
        (
            wanted("db-1", "us-west2", ""),
            "region: database \"orders\" (db-1) has no region \"us-west2\": it has \
             \"europe-west1\", \"us-east1\""
                .to_owned(),
        ),
        (
            wanted("db-1", "", "ap"),
            "keyspace: database \"orders\" (db-1) has no keyspace \"ap\": it has \"app\", \"audit\""
                .to_owned(),
        ),
    ] {
        assert_eq!(choose(&wanted, URL).unwrap_err(), expected);
    }
}

#[test]
fn what_needs_a_database_is_refused_without_one() {
    let expected = "keyspace needs database_id: give the id of the database, or leave keyspace out";
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
    assert!(Wanted::default().check().is_ok());
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
            "database_id: database \"orders\" (db-1) is HIBERNATED, not ACTIVE: credentials are \
             minted, but it may not answer, and gives no secure connect bundle, until it is resumed"
        ]
    );
}
