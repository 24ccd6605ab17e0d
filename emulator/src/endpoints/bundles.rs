//! Secure connect bundles: pre-signed URLs and the archives behind them.

use serde::Serialize;
use time::OffsetDateTime;
use time::PrimitiveDateTime;
use time::macros::format_description;

use crate::archive;
use crate::auth::Caller;
use crate::clock;
use crate::endpoints::bundle_url;
use crate::endpoints::call::Call;
use crate::endpoints::databases;
use crate::reply::Handled;
use crate::reply::Reply;
use crate::router::Endpoint;
use crate::state::service_state::ServiceState;

#[derive(Serialize)]
struct Links {
    #[serde(rename = "downloadURL")]
    download: String,
    #[serde(rename = "downloadURLInternal")]
    internal: String,
    #[serde(rename = "downloadURLMigrationProxy")]
    proxy: String,
    #[serde(rename = "downloadURLMigrationProxyInternal")]
    proxy_internal: String,
}

#[derive(Serialize)]
struct DatacenterLinks<'a> {
    #[serde(flatten)]
    links: Links,
    #[serde(rename = "datacenterID")]
    datacenter_id: &'a str,
    region: &'a str,
    #[serde(rename = "cloudProvider")]
    cloud_provider: &'a str,
    #[serde(rename = "customDomainBundles")]
    custom_domain_bundles: [(); 0],
}

fn links(state: &ServiceState, datacenter: &str) -> Links {
    Links {
        download: bundle_url::signed(state, datacenter, "bundle"),
        internal: bundle_url::signed(state, datacenter, "internal"),
        proxy: bundle_url::signed(state, datacenter, "proxy"),
        proxy_internal: bundle_url::signed(state, datacenter, "proxy-internal"),
    }
}

pub(super) fn create(
    call: &mut Call<'_>,
    endpoint: &Endpoint,
    caller: &Caller,
    id: &str,
) -> Result<Handled, Reply> {
    let database = databases::accessible(call, caller, id, "db-cql")?;
    call.well_formed(endpoint)?;
    let all = databases::all_parameter(call)?;
    if database.status != "ACTIVE" {
        let text = "database is not in a valid state to perform requested action";
        return Err(Reply::errors(409, 340_009, text));
    }
    if !all {
        return Ok(Reply::json(200, &links(call.state, &database.datacenter_id(0))).into());
    }
    let ids: Vec<String> = (0..database.regions.len())
        .map(|index| database.datacenter_id(index))
        .collect();
    let bundles: Vec<DatacenterLinks<'_>> = ids
        .iter()
        .zip(&database.regions)
        .map(|(id, region)| DatacenterLinks {
            links: links(call.state, id),
            datacenter_id: id,
            region,
            cloud_provider: &database.cloud_provider,
            custom_domain_bundles: [],
        })
        .collect();
    Ok(Reply::json(200, &bundles).into())
}

/// Serves a pre-signed URL; as in an object store, no token is needed.
pub(super) fn download(call: &mut Call<'_>, endpoint: &Endpoint, file: &str) -> Handled {
    if let Err(reply) = call.well_formed(endpoint) {
        return reply.into();
    }
    if call.state.strict()
        && call
            .request
            .headers
            .contains_key(http::header::AUTHORIZATION)
    {
        return call
            .deviation(
                "bundle_authorization",
                "the token was sent to the bundle's host",
            )
            .into();
    }
    match archive_of(call, file) {
        Ok(body) => Reply::new(200, "application/zip", body).into(),
        Err(code) => Reply::new(
            403,
            "application/xml",
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
                 <Error><Code>{code}</Code><Message>Request refused</Message></Error>"
            ),
        )
        .into(),
    }
}

fn archive_of(call: &Call<'_>, file: &str) -> Result<Vec<u8>, &'static str> {
    let parameters = call.request.parameters();
    let get = |name: &str| {
        parameters
            .iter()
            .find_map(|(own, value)| (*own == name).then_some(*value))
            .unwrap_or_default()
    };
    let datacenter = file.strip_suffix(".zip").ok_or("AccessDenied")?;
    let (date, kind) = (get("X-Amz-Date"), get("kind"));
    let expires: u64 = get("X-Amz-Expires").parse().map_err(|_| "AccessDenied")?;
    let signature = bundle_url::signature(call.state, datacenter, kind, date, expires);
    if signature != get("X-Amz-Signature") {
        return Err("SignatureDoesNotMatch");
    }
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    let made: OffsetDateTime = PrimitiveDateTime::parse(date, format)
        .map_err(|_| "AccessDenied")?
        .assume_utc();
    if clock::later(made, std::time::Duration::from_secs(expires)) <= call.now {
        return Err("AccessDenied");
    }
    let (id, index) = datacenter.rsplit_once('-').ok_or("AccessDenied")?;
    let index: usize = index.parse().map_err(|_| "AccessDenied")?;
    let database = call.state.records.database(id).ok_or("AccessDenied")?;
    let region = database
        .regions
        .get(index.wrapping_sub(1))
        .ok_or("AccessDenied")?;
    if let Some(bundles) = &call.state.bundles {
        let host = call.state.knobs.of(Some(&database.org_id)).bundle_host;
        let files = bundles
            .files(database, region, host.text())
            .map_err(|error| {
                tracing::error!(%error, "cannot make the bundle");
                "InternalError"
            })?;
        let files: Vec<(&str, &[u8])> = files
            .iter()
            .map(|(name, content)| (*name, content.as_slice()))
            .collect();
        return written(&files);
    }
    let config = serde_json::json!({
        "host": format!("{id}-{region}.db.astra.datastax.com"),
        "port": 29080,
        "cql_port": 29042,
        "keyspace": database.keyspaces.first(),
        "localDC": region,
        "caCertLocation": "./ca.crt",
        "certLocation": "./cert",
        "keyLocation": "./key",
    })
    .to_string();
    written(&[
        ("config.json", config.as_bytes()),
        ("ca.crt", b"not a certificate: made by astra-emulator\n"),
        ("cert", b"not a certificate: made by astra-emulator\n"),
        ("key", b"not a key: made by astra-emulator\n"),
    ])
}

fn written(members: &[(&str, &[u8])]) -> Result<Vec<u8>, &'static str> {
    archive::zip(members).map_err(|error| {
        tracing::error!(%error, "cannot write the bundle");
        "InternalError"
    })
}
