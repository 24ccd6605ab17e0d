//! The organization's databases, as far as a client that connects needs to know them.

use std::collections::HashSet;

use reqwest::Method;
use serde::Deserialize;

use super::client::Client;
use super::deadline::Deadline;
use super::error::Error;
use super::response::decode;
use super::token_entry::null_as_default;
use super::token_format::is_path_id;
use super::transport::LIST_LIMIT;
use super::transport::OBJECT_LIMIT;
use super::transport::Request;
use crate::secret::Secret;

/// The largest page that the API gives.
const PAGE: usize = 100;

/// A database.
///
/// The API's own answer also holds pre-signed download links, which are dropped as it is read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Database {
    /// `AWS`, `GCP` or `AZURE`; empty when not given.
    pub cloud_provider: String,
    /// The base of its HTTP APIs in the primary region, without the path that the API adds; empty
    /// when not given.
    pub data_endpoint: String,
    /// Where it runs, in the API's order.
    pub datacenters: Vec<Datacenter>,
    /// The id, a UUID.
    pub id: String,
    /// Whether it stores vectors, which the API says by its type.
    pub is_vector: bool,
    /// The default keyspace; empty when it has none.
    pub keyspace: String,
    /// All its keyspaces that the API lists, sorted, without repetition.
    pub keyspaces: Vec<String>,
    /// The name, which need not be unique.
    pub name: String,
    /// The organization's id.
    pub org_id: String,
    /// The primary region.
    pub region: String,
    /// For instance `ACTIVE` or `HIBERNATED`; the list of known ones is not closed.
    pub status: String,
}

/// One region of a database.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct Datacenter {
    /// `AWS`, `GCP` or `AZURE`; empty when not given.
    #[serde(deserialize_with = "null_as_default")]
    pub cloud_provider: String,
    /// The database's id, a hyphen and a number.
    #[serde(deserialize_with = "null_as_default")]
    pub id: String,
    /// The region's name, for instance `us-east1`.
    #[serde(deserialize_with = "null_as_default")]
    pub region: String,
    /// Often empty.
    #[serde(deserialize_with = "null_as_default")]
    pub status: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DatabaseResponse {
    #[serde(default, deserialize_with = "null_as_default")]
    data_endpoint_url: String,
    id: String,
    #[serde(default, deserialize_with = "null_as_default")]
    info: Info,
    #[serde(default, deserialize_with = "null_as_default")]
    org_id: String,
    #[serde(default, deserialize_with = "null_as_default")]
    status: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Info {
    #[serde(deserialize_with = "null_as_default")]
    additional_keyspaces: Vec<String>,
    #[serde(deserialize_with = "null_as_default")]
    cloud_provider: String,
    #[serde(deserialize_with = "null_as_default")]
    datacenters: Vec<Datacenter>,
    #[serde(deserialize_with = "null_as_default")]
    db_type: String,
    #[serde(deserialize_with = "null_as_default")]
    keyspace: String,
    #[serde(deserialize_with = "null_as_default")]
    keyspaces: Vec<String>,
    #[serde(deserialize_with = "null_as_default")]
    name: String,
    #[serde(deserialize_with = "null_as_default")]
    region: String,
}

/// A secure connect bundle's links.  With all regions asked for the API answers with a list, else
/// with one object, and it misspells one name.
#[derive(Deserialize)]
#[serde(untagged)]
enum Bundles {
    Many(Vec<Bundle>),
    One(Bundle),
}

#[derive(Deserialize)]
struct Bundle {
    #[serde(alias = "datcenterID", rename = "datacenterID")]
    datacenter_id: Option<String>,
    #[serde(rename = "downloadURL")]
    download_url: Option<Secret>,
    region: Option<String>,
}

impl Client {
    /// All databases of the organization that are not terminated; at most 16 MiB over all pages.
    pub async fn databases(&self, deadline: Deadline) -> Result<Vec<Database>, Error> {
        let mut all: Vec<Database> = Vec::new();
        let mut seen = HashSet::new();
        // Nothing else bounds how many pages there are.
        let mut room = LIST_LIMIT;
        loop {
            let after = all
                .last()
                .map(|last| format!("&starting_after={}", last.id));
            let query = format!(
                "include=nonterminated&provider=ALL&limit={PAGE}{}",
                after.unwrap_or_default()
            );
            let request = Request::new(Method::GET, "/v2/databases", LIST_LIMIT).query(query);
            let body = self.fetch(&request, deadline).await?;
            let call = request.call(1);
            room = room.checked_sub(body.len()).ok_or(Error::TooLarge {
                call: call.clone(),
                limit: LIST_LIMIT,
            })?;
            let page: Vec<DatabaseResponse> = decode(&call, &body)?;
            let length = page.len();
            for response in page {
                if !is_path_id(&response.id) {
                    let reason = "a database's id is not an id".to_owned();
                    return Err(Error::Malformed { call, reason });
                }
                // The same again means that the API does not page after all.
                if !seen.insert(response.id.clone()) {
                    return Ok(all);
                }
                all.push(response.into());
            }
            if length < PAGE {
                return Ok(all);
            }
        }
    }

    /// One database.
    pub async fn database(&self, id: &str, deadline: Deadline) -> Result<Database, Error> {
        let path = format!("/v2/databases/{}", database_id(id)?);
        let request = Request::new(Method::GET, path, OBJECT_LIMIT);
        let body = self.fetch(&request, deadline).await?;
        Ok(decode::<DatabaseResponse>(&request.call(1), &body)?.into())
    }

    /// A link from which the database's secure connect bundle can be downloaded for about five
    /// minutes by anyone who has it: for the primary region, or for `region`.
    ///
    /// [`Error::Conflict`] when the database is not in a state to give one.
    pub async fn secure_bundle_url(
        &self,
        id: &str,
        region: Option<&str>,
        deadline: Deadline,
    ) -> Result<Secret, Error> {
        let path = format!("/v2/databases/{}/secureBundleURL", database_id(id)?);
        // Making a link has no lasting effect, so it may be repeated.
        let mut request = Request::new(Method::POST, path, OBJECT_LIMIT);
        if region.is_some() {
            request = request.query("all=true");
        }
        let body = self.fetch(&request, deadline).await?;
        let call = request.call(1);
        let mut bundles = match decode(&call, &body)? {
            Bundles::Many(bundles) => bundles,
            Bundles::One(bundle) => vec![bundle],
        };
        if let Some(region) = region {
            self.keep_region(&mut bundles, id, region, deadline).await?;
        }
        let url = bundles.into_iter().find_map(|bundle| bundle.download_url);
        url.filter(|url| url.expose().starts_with("http"))
            .ok_or_else(|| Error::Malformed {
                call,
                reason: match region {
                    Some(region) => format!("it has no bundle for the region {region:?}"),
                    None => "it has no bundle".to_owned(),
                },
            })
    }

    /// Keeps the bundles of `region`; those that do not name one are known by their datacenter.
    async fn keep_region(
        &self,
        bundles: &mut Vec<Bundle>,
        id: &str,
        region: &str,
        deadline: Deadline,
    ) -> Result<(), Error> {
        if bundles.iter().all(|bundle| bundle.region.is_some()) {
            bundles.retain(|bundle| bundle.region.as_deref() == Some(region));
            return Ok(());
        }
        let database = self.database(id, deadline).await?;
        let in_region =
            |datacenter: &Datacenter, id: &str| datacenter.id == id && datacenter.region == region;
        bundles.retain(|bundle| match (&bundle.region, &bundle.datacenter_id) {
            (Some(named), _) => named == region,
            (None, Some(id)) => database
                .datacenters
                .iter()
                .any(|datacenter| in_region(datacenter, id)),
            (None, None) => false,
        });
        Ok(())
    }
}

impl From<DatabaseResponse> for Database {
    fn from(response: DatabaseResponse) -> Self {
        let DatabaseResponse {
            data_endpoint_url,
            id,
            info,
            org_id,
            status,
        } = response;
        let mut keyspaces = info.keyspaces;
        keyspaces.extend(info.additional_keyspaces);
        keyspaces.push(info.keyspace.clone());
        keyspaces.retain(|keyspace| !keyspace.is_empty());
        keyspaces.sort_unstable();
        keyspaces.dedup();
        Self {
            cloud_provider: info.cloud_provider,
            data_endpoint: base_of(&data_endpoint_url).to_owned(),
            datacenters: info.datacenters,
            id,
            is_vector: info.db_type.eq_ignore_ascii_case("vector"),
            keyspace: info.keyspace,
            keyspaces,
            name: info.name,
            org_id,
            region: info.region,
            status,
        }
    }
}

/// The API gives the address of its REST API, also for databases that have another one.
fn base_of(data_endpoint_url: &str) -> &str {
    let trimmed = data_endpoint_url.trim_end_matches('/');
    trimmed.strip_suffix("/api/rest").unwrap_or(trimmed)
}

fn database_id(id: &str) -> Result<&str, Error> {
    match is_path_id(id) {
        true => Ok(id),
        false => Err(Error::invalid_id("database", id)),
    }
}
