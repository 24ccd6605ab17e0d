//! `/v2/databases`.

use serde::Serialize;

use crate::auth::Caller;
use crate::endpoints::bundle_url;
use crate::endpoints::call::Call;
use crate::ids;
use crate::reply::Handled;
use crate::reply::Reply;
use crate::router::Endpoint;
use crate::state::database::Database;
use crate::state::service_state::ServiceState;

/// Values of `include` in either published document.
const INCLUDE: &[&str] = &[
    "nonterminated",
    "all",
    "active",
    "pending",
    "preparing",
    "prepared",
    "initializing",
    "parked",
    "parking",
    "unparking",
    "terminating",
    "terminated",
    "resizing",
    "error",
    "maintenance",
    "suspended",
    "suspending",
    "hibernating",
    "hibernated",
    "resuming",
];
const PROVIDER: &[&str] = &["ALL", "AWS", "GCP", "AZURE"];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Datacenter<'a> {
    id: String,
    name: String,
    status: &'static str,
    tier: &'a str,
    cloud_provider: &'a str,
    region: &'a str,
    capacity_units: u32,
    secure_bundle_url: String,
    secure_bundle_internal_url: String,
    date_created: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Info<'a> {
    name: &'a str,
    keyspaces: &'a [String],
    additional_keyspaces: Option<&'a [String]>,
    datacenters: Vec<Datacenter<'a>>,
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
struct View<'a> {
    id: &'a str,
    org_id: &'a str,
    owner_id: &'a str,
    info: Info<'a>,
    creation_time: &'a str,
    termination_time: &'static str,
    status: &'a str,
    available_actions: [&'static str; 3],
    grafana_url: String,
    cqlsh_url: String,
    graphql_url: String,
    data_endpoint_url: String,
    last_usage_time: &'a str,
    observed_status: &'a str,
}

fn datacenters_of<'a>(state: &ServiceState, database: &'a Database) -> Vec<Datacenter<'a>> {
    database
        .regions
        .iter()
        .enumerate()
        .map(|(index, region)| {
            let id = database.datacenter_id(index);
            Datacenter {
                name: format!("dc-{}", index + 1),
                status: "",
                tier: &database.tier,
                cloud_provider: &database.cloud_provider,
                region,
                capacity_units: 1,
                secure_bundle_url: bundle_url::signed(state, &id, "bundle"),
                secure_bundle_internal_url: bundle_url::signed(state, &id, "internal"),
                date_created: &database.creation_time,
                id,
            }
        })
        .collect()
}

fn view<'a>(state: &ServiceState, database: &'a Database) -> View<'a> {
    let first = |list: &'a [String]| list.first().map_or("", String::as_str);
    let region = first(&database.regions);
    let host = |zone: &str| format!("https://{}-{region}.{zone}.astra.datastax.com", database.id);
    View {
        id: &database.id,
        org_id: &database.org_id,
        owner_id: &database.owner_id,
        info: Info {
            name: &database.name,
            keyspaces: &database.keyspaces,
            additional_keyspaces: database.keyspaces.get(1..).filter(|rest| !rest.is_empty()),
            datacenters: datacenters_of(state, database),
            keyspace: first(&database.keyspaces),
            cloud_provider: &database.cloud_provider,
            tier: &database.tier,
            capacity_units: 1,
            region,
            db_type: database.db_type.as_deref(),
        },
        creation_time: &database.creation_time,
        termination_time: "0001-01-01T00:00:00Z",
        status: &database.status,
        available_actions: ["getCreds", "addKeyspace", "terminate"],
        grafana_url: format!("{}/d/cloud/dse-cluster-condensed", host("dashboard")),
        cqlsh_url: format!("{}/cqlsh", host("apps")),
        graphql_url: format!("{}/api/graphql", host("apps")),
        data_endpoint_url: format!("{}/api/rest", host("apps")),
        last_usage_time: &database.last_usage_time,
        observed_status: &database.observed_status,
    }
}

pub(super) fn list(
    call: &mut Call<'_>,
    endpoint: &Endpoint,
    caller: &Caller,
) -> Result<Handled, Reply> {
    let scoped = call
        .state
        .records
        .databases
        .iter()
        .filter(|database| database.org_id == caller.org)
        .any(|database| caller.rights.resource("org-db-view", &database.resource()));
    if !scoped {
        // With no database in reach, the right on the organization decides.
        call.permit(endpoint, caller, "org-db-view")?;
    }
    call.well_formed(endpoint)?;
    let page = Page::parse(call)?;
    let state = &*call.state;
    let visible: Vec<&Database> = state
        .records
        .databases
        .iter()
        .filter(|database| database.org_id == caller.org)
        .filter(|database| caller.rights.resource("org-db-view", &database.resource()))
        .collect();
    let start = match &page.after {
        None => 0,
        Some(id) => match visible.iter().position(|database| database.id == *id) {
            Some(index) => index + 1,
            None => {
                return Err(call.deviation("starting_after", "starting_after is not a known id"));
            }
        },
    };
    let views: Vec<View<'_>> = visible
        .into_iter()
        .skip(start)
        .filter(|database| page.includes(database))
        .take(page.limit)
        .map(|database| view(state, database))
        .collect();
    Ok(Reply::json(200, &views).into())
}

/// Parameters of the list.
struct Page {
    include: String,
    provider: String,
    limit: usize,
    after: Option<String>,
}

impl Page {
    fn parse(call: &mut Call<'_>) -> Result<Self, Reply> {
        let mut page = Self {
            include: "nonterminated".into(),
            provider: "ALL".into(),
            limit: 25,
            after: None,
        };
        let request = call.request;
        for (name, value) in request.parameters() {
            let good = match name {
                "include" => {
                    value.clone_into(&mut page.include);
                    INCLUDE.contains(&value)
                }
                "provider" => {
                    value.clone_into(&mut page.provider);
                    PROVIDER.contains(&value)
                }
                "limit" => {
                    page.limit = value.parse().unwrap_or(0);
                    (1..=100).contains(&page.limit)
                }
                "starting_after" => {
                    page.after = Some(value.to_owned());
                    ids::is_uuid(value)
                }
                _ => !call.state.strict(),
            };
            if !good {
                let text = format!("parameter {name} has a bad value or does not exist");
                return Err(call.deviation("query", &text));
            }
        }
        Ok(page)
    }

    fn includes(&self, database: &Database) -> bool {
        let status = match self.include.as_str() {
            "all" => true,
            "nonterminated" => database.status != "TERMINATED",
            one => database.status.eq_ignore_ascii_case(one),
        };
        status && (self.provider == "ALL" || self.provider == database.cloud_provider)
    }
}

/// The database of that id, if the caller holds `action` on it.
pub(super) fn accessible(
    call: &mut Call<'_>,
    caller: &Caller,
    id: &str,
    action: &str,
) -> Result<Database, Reply> {
    if !ids::is_uuid(id) {
        return Err(call.deviation("database_id", "the database id is not a UUID"));
    }
    let found = call
        .state
        .records
        .database(id)
        .filter(|database| database.org_id == caller.org);
    match found {
        Some(database) if caller.rights.resource(action, &database.resource()) => {
            Ok(database.clone())
        }
        Some(_) => Err(Reply::null(401)),
        None if !caller.rights.organization(action) => Err(Reply::null(401)),
        None => Err(Reply::errors(404, 340_004, "database not found")),
    }
}

pub(super) fn get(
    call: &mut Call<'_>,
    endpoint: &Endpoint,
    caller: &Caller,
    id: &str,
) -> Result<Handled, Reply> {
    let database = accessible(call, caller, id, "org-db-view")?;
    call.well_formed(endpoint)?;
    Ok(Reply::json(200, &view(call.state, &database)).into())
}

pub(super) fn datacenters(
    call: &mut Call<'_>,
    endpoint: &Endpoint,
    caller: &Caller,
    id: &str,
) -> Result<Handled, Reply> {
    let database = accessible(call, caller, id, "org-db-view")?;
    call.well_formed(endpoint)?;
    all_parameter(call)?;
    Ok(Reply::json(200, &datacenters_of(call.state, &database)).into())
}

/// The only parameter of some operations, `all=true|false`.
pub(super) fn all_parameter(call: &mut Call<'_>) -> Result<bool, Reply> {
    let mut all = false;
    let request = call.request;
    for (name, value) in request.parameters() {
        match (name, value) {
            ("all", "true") => all = true,
            ("all", "false") => all = false,
            _ if call.state.strict() => {
                let text = format!("parameter {name} has a bad value or does not exist");
                return Err(call.deviation("query", &text));
            }
            _ => {}
        }
    }
    Ok(all)
}
