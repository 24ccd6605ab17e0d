//! How a database looks in answers: the members as recorded in production in 2022, and
//! `dbType`, which came later.

use serde::Serialize;

use crate::endpoints::bundle_url;
use crate::regions;
use crate::state::database::Database;
use crate::state::service_state::ServiceState;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DatacenterView<'a> {
    id: String,
    name: String,
    status: &'static str,
    tier: &'a str,
    cloud_provider: &'a str,
    region: &'a str,
    region_zone: &'static str,
    region_classification: &'static str,
    capacity_units: u32,
    secure_bundle_url: String,
    secure_bundle_internal_url: String,
    secure_bundle_migration_proxy_url: String,
    secure_bundle_migration_proxy_internal_url: String,
    date_created: &'a str,
}

impl<'a> DatacenterView<'a> {
    /// The datacenters of a database, one for each region.
    pub(super) fn all(state: &ServiceState, database: &'a Database) -> Vec<Self> {
        let regions = database.regions.iter().enumerate();
        regions
            .map(|(index, region)| Self::new(state, database, index, region))
            .collect()
    }

    fn new(state: &ServiceState, database: &'a Database, index: usize, region: &'a str) -> Self {
        let id = database.datacenter_id(index);
        let known = regions::find(&database.cloud_provider, region);
        Self {
            name: format!("dc-{}", index + 1),
            status: "",
            tier: &database.tier,
            cloud_provider: &database.cloud_provider,
            region,
            region_zone: known.map_or("na", |region| region.zone),
            region_classification: known.map_or("standard", |region| region.classification),
            capacity_units: 1,
            secure_bundle_url: bundle_url::signed(state, &id, "bundle"),
            secure_bundle_internal_url: bundle_url::signed(state, &id, "internal"),
            secure_bundle_migration_proxy_url: bundle_url::signed(state, &id, "proxy"),
            secure_bundle_migration_proxy_internal_url: bundle_url::signed(
                state,
                &id,
                "proxy-internal",
            ),
            date_created: &database.creation_time,
            id,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Info<'a> {
    name: &'a str,
    keyspaces: &'a [String],
    additional_keyspaces: Option<&'a [String]>,
    datacenters: Vec<DatacenterView<'a>>,
    keyspace: &'a str,
    cloud_provider: &'a str,
    tier: &'a str,
    capacity_units: u32,
    region: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    db_type: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Storage {
    node_count: u32,
    replication_factor: u32,
    total_storage: u32,
    used_storage: u32,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Metrics {
    write_requests_total_count: u64,
    read_requests_total_count: u64,
    live_data_size_bytes: u64,
    errors_total_count: u64,
}

/// In US cents.
#[derive(Serialize)]
struct Cost {
    #[serde(rename = "costPerMinCents")]
    minute: f64,
    #[serde(rename = "costPerHourCents")]
    hour: f64,
    #[serde(rename = "costPerDayCents")]
    day: f64,
    #[serde(rename = "costPerMonthCents")]
    month: f64,
    #[serde(rename = "costPerMinMRCents")]
    minute_multi_region: f64,
    #[serde(rename = "costPerHourMRCents")]
    hour_multi_region: f64,
    #[serde(rename = "costPerDayMRCents")]
    day_multi_region: f64,
    #[serde(rename = "costPerMonthMRCents")]
    month_multi_region: f64,
    #[serde(rename = "costPerMinParkedCents")]
    minute_parked: f64,
    #[serde(rename = "costPerHourParkedCents")]
    hour_parked: f64,
    #[serde(rename = "costPerDayParkedCents")]
    day_parked: f64,
    #[serde(rename = "costPerMonthParkedCents")]
    month_parked: f64,
    #[serde(rename = "costPerNetworkGbCents")]
    network_gb: f64,
    #[serde(rename = "costPerWrittenGbCents")]
    written_gb: f64,
    #[serde(rename = "costPerReadGbCents")]
    read_gb: f64,
}

/// As recorded of a serverless database: it costs by what is read and written.
const COST: Cost = Cost {
    minute: 0.0,
    hour: 0.0,
    day: 0.0,
    month: 0.0,
    minute_multi_region: 0.0,
    hour_multi_region: 0.0,
    day_multi_region: 0.0,
    month_multi_region: 0.0,
    minute_parked: 0.0,
    hour_parked: 0.0,
    day_parked: 0.0,
    month_parked: 0.0,
    network_gb: 0.0,
    written_gb: 0.1,
    read_gb: 0.1,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DatabaseView<'a> {
    id: &'a str,
    org_id: &'a str,
    owner_id: &'a str,
    info: Info<'a>,
    creation_time: &'a str,
    termination_time: &'static str,
    status: &'a str,
    storage: Storage,
    metrics: Metrics,
    cost: Cost,
    available_actions: &'static [&'static str],
    studio_url: String,
    grafana_url: String,
    cqlsh_url: String,
    graphql_url: String,
    data_endpoint_url: String,
    last_usage_time: &'a str,
    observed_status: &'a str,
}

impl<'a> DatabaseView<'a> {
    pub(super) fn new(state: &ServiceState, database: &'a Database) -> Self {
        let region = first(&database.regions);
        let host = |zone: &str| {
            let id = &database.id;
            format!("https://{id}-{region}.{zone}.astra.datastax.com")
        };
        Self {
            id: &database.id,
            org_id: &database.org_id,
            owner_id: &database.owner_id,
            info: Info::new(state, database),
            creation_time: &database.creation_time,
            termination_time: "0001-01-01T00:00:00Z",
            status: &database.status,
            storage: Storage {
                node_count: 3,
                replication_factor: 1,
                total_storage: 5,
                used_storage: 0,
            },
            metrics: Metrics::default(),
            cost: COST,
            available_actions: available_actions(&database.status),
            studio_url: host("studio"),
            grafana_url: format!(
                "{}/d/cloud/dse-cluster-condensed?refresh=30s&orgId=1&kiosk=tv",
                host("dashboard")
            ),
            cqlsh_url: format!("{}/cqlsh", host("apps")),
            graphql_url: format!("{}/api/graphql", host("apps")),
            data_endpoint_url: format!("{}/api/rest", host("apps")),
            last_usage_time: &database.last_usage_time,
            observed_status: &database.observed_status,
        }
    }
}

impl<'a> Info<'a> {
    fn new(state: &ServiceState, database: &'a Database) -> Self {
        Self {
            name: &database.name,
            keyspaces: &database.keyspaces,
            additional_keyspaces: database.keyspaces.get(1..).filter(|rest| !rest.is_empty()),
            datacenters: DatacenterView::all(state, database),
            keyspace: first(&database.keyspaces),
            cloud_provider: &database.cloud_provider,
            tier: &database.tier,
            capacity_units: 1,
            region: first(&database.regions),
            db_type: database.db_type.as_deref(),
        }
    }
}

fn first(list: &[String]) -> &str {
    list.first().map_or("", String::as_str)
}

/// As recorded of a hibernated database in 2022 and of an active one in 2025.
fn available_actions(status: &str) -> &'static [&'static str] {
    match status {
        "HIBERNATED" => &[
            "resumeHibernatedCluster",
            "getCreds",
            "addKeyspace",
            "removeKeyspace",
            "terminate",
            "terminateDatacenter",
            "migrateServerlessTenant",
        ],
        _ => &[
            "suspend",
            "removeKeyspace",
            "getCreds",
            "addKeyspace",
            "hibernate",
            "terminateDatacenter",
            "addDatacenters",
            "terminate",
        ],
    }
}
