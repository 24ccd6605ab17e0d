//! The tables that drivers read before the first statement of an application.

use uuid::Uuid;

use crate::cql::plane::Place;
use crate::cql::rows;
use crate::cql::rows::Table;
use crate::cql::rows::Type;
use crate::cql::rows::Value;
use crate::state::database::Database;

/// What the database says that it runs.
pub(crate) const RELEASE_VERSION: &str = "4.0.11";

/// The one table that every keyspace has.
pub(super) const USER_TABLE: &str = "t";

/// Tables of `system_schema` and `system_virtual_schema` that are empty.
const EMPTY: [&str; 9] = [
    "types",
    "functions",
    "aggregates",
    "triggers",
    "indexes",
    "views",
    "dropped_columns",
    "keyspaces",
    "tables",
];

/// A table by its lower-case name.
pub(super) fn find(
    keyspace: &str,
    table: &str,
    place: &Place,
    database: &Database,
) -> Option<Table> {
    match (keyspace, table) {
        ("system", "local") => Some(local(place)),
        ("system", "peers") => Some(peers()),
        ("system_schema", "keyspaces") => Some(keyspaces(place, database)),
        ("system_schema", "tables") => Some(tables(database)),
        ("system_schema", "columns") => Some(columns(place, database)),
        ("system_schema" | "system_virtual_schema", name) => EMPTY
            .into_iter()
            .chain((keyspace == "system_virtual_schema").then_some("columns"))
            .find(|own| *own == name)
            .map(|name| Table::new(keyspace, name, &[("keyspace_name", Type::Text)])),
        (own, USER_TABLE) if database.keyspaces.iter().any(|name| name == own) => Some(user(own)),
        _ => None,
    }
}

fn user(keyspace: &str) -> Table {
    let columns = [("k", Type::Int), ("v", Type::Text)];
    Table::new(keyspace, USER_TABLE, &columns).with(vec![rows::int(1), rows::text("one")])
}

fn local(place: &Place) -> Table {
    let content: [(&'static str, Type, Value); 18] = [
        ("key", Type::Text, rows::text("local")),
        ("bootstrapped", Type::Text, rows::text("COMPLETED")),
        ("broadcast_address", Type::Inet, rows::loopback()),
        ("broadcast_port", Type::Int, rows::int(7000)),
        ("cluster_name", Type::Text, rows::text("astra-emulator")),
        ("cql_version", Type::Text, rows::text("3.4.5")),
        ("data_center", Type::Text, rows::text(&place.region)),
        ("host_id", Type::Uuid, rows::uuid(place.host_id())),
        ("listen_address", Type::Inet, rows::loopback()),
        ("listen_port", Type::Int, rows::int(7000)),
        ("native_protocol_version", Type::Text, rows::text("4")),
        (
            "partitioner",
            Type::Text,
            rows::text("org.apache.cassandra.dht.Murmur3Partitioner"),
        ),
        ("rack", Type::Text, rows::text("rack1")),
        ("release_version", Type::Text, rows::text(RELEASE_VERSION)),
        ("rpc_address", Type::Inet, rows::loopback()),
        // Java driver 4 warns without it.
        ("rpc_port", Type::Int, rows::int(9042)),
        (
            "schema_version",
            Type::Uuid,
            rows::uuid(place.schema_version()),
        ),
        ("tokens", Type::TextSet, rows::set(&["0"])),
    ];
    let columns: Vec<(&'static str, Type)> = content
        .iter()
        .map(|(name, kind, _)| (*name, *kind))
        .collect();
    let row = content.into_iter().map(|(_, _, value)| value).collect();
    Table::new("system", "local", &columns).with(row)
}

fn peers() -> Table {
    let columns = [
        ("peer", Type::Inet),
        ("data_center", Type::Text),
        ("host_id", Type::Uuid),
        ("preferred_ip", Type::Inet),
        ("rack", Type::Text),
        ("release_version", Type::Text),
        ("rpc_address", Type::Inet),
        ("schema_version", Type::Uuid),
        ("tokens", Type::TextSet),
    ];
    Table::new("system", "peers", &columns)
}

fn keyspaces(place: &Place, database: &Database) -> Table {
    let columns = [
        ("keyspace_name", Type::Text),
        ("durable_writes", Type::Boolean),
        ("replication", Type::TextMap),
    ];
    // More than one replica, and Java drivers warn that there are not so many nodes.
    let replicated = rows::map(&[
        (
            "class",
            "org.apache.cassandra.locator.NetworkTopologyStrategy",
        ),
        (&place.region, "1"),
    ]);
    let local = rows::map(&[("class", "org.apache.cassandra.locator.LocalStrategy")]);
    database
        .keyspaces
        .iter()
        .map(|name| (name.as_str(), &replicated))
        .chain([("system", &local)])
        .fold(
            Table::new("system_schema", "keyspaces", &columns),
            |table, (name, replication)| {
                table.with(vec![
                    rows::text(name),
                    rows::boolean(true),
                    replication.clone(),
                ])
            },
        )
}

/// Keyspaces and names of all tables that have rows.
fn named(database: &Database) -> impl Iterator<Item = (&str, &str)> {
    database
        .keyspaces
        .iter()
        .map(|keyspace| (keyspace.as_str(), USER_TABLE))
        .chain([("system", "local")])
}

/// With all option columns: without them the Java drivers log errors.
fn tables(database: &Database) -> Table {
    named(database).fold(empty_tables(), |table, (keyspace, name)| {
        let id = Uuid::from_u128(table.rows.len() as u128 + 1);
        table.with(vec![
            rows::text(keyspace),
            rows::text(name),
            rows::text("99p"),
            rows::double(0.01),
            rows::map(&[("keys", "ALL"), ("rows_per_partition", "NONE")]),
            rows::text(""),
            rows::map(&[("class", "UnifiedCompactionStrategy")]),
            rows::map(&[]),
            rows::double(1.0),
            rows::double(0.0),
            rows::int(0),
            rows::map(&[]),
            rows::set(&["compound"]),
            rows::int(864_000),
            rows::uuid(id),
            rows::int(2048),
            rows::int(0),
            rows::int(128),
            rows::text("BLOCKING"),
            rows::double(0.0),
            rows::text("99p"),
        ])
    })
}

fn empty_tables() -> Table {
    let columns = [
        ("keyspace_name", Type::Text),
        ("table_name", Type::Text),
        ("additional_write_policy", Type::Text),
        ("bloom_filter_fp_chance", Type::Double),
        ("caching", Type::TextMap),
        ("comment", Type::Text),
        ("compaction", Type::TextMap),
        ("compression", Type::TextMap),
        ("crc_check_chance", Type::Double),
        ("dclocal_read_repair_chance", Type::Double),
        ("default_time_to_live", Type::Int),
        ("extensions", Type::BlobMap),
        ("flags", Type::TextSet),
        ("gc_grace_seconds", Type::Int),
        ("id", Type::Uuid),
        ("max_index_interval", Type::Int),
        ("memtable_flush_period_in_ms", Type::Int),
        ("min_index_interval", Type::Int),
        ("read_repair", Type::Text),
        ("read_repair_chance", Type::Double),
        ("speculative_retry", Type::Text),
    ];
    Table::new("system_schema", "tables", &columns)
}

fn columns(place: &Place, database: &Database) -> Table {
    let columns = [
        ("keyspace_name", Type::Text),
        ("table_name", Type::Text),
        ("column_name", Type::Text),
        ("clustering_order", Type::Text),
        ("kind", Type::Text),
        ("position", Type::Int),
        ("type", Type::Text),
    ];
    named(database)
        .filter_map(|(keyspace, name)| find(keyspace, name, place, database))
        .fold(
            Table::new("system_schema", "columns", &columns),
            |out, table| {
                table
                    .columns
                    .iter()
                    .enumerate()
                    .fold(out, |out, (index, column)| {
                        // The first column is the key.
                        let (kind, position) = match index {
                            0 => ("partition_key", 0),
                            _ => ("regular", -1),
                        };
                        out.with(vec![
                            rows::text(&table.keyspace),
                            rows::text(table.name),
                            rows::text(column.name),
                            rows::text("none"),
                            rows::text(kind),
                            rows::int(position),
                            rows::text(column.kind.name()),
                        ])
                    })
            },
        )
}
