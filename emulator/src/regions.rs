//! Regions of serverless databases: a selection of those that Astra's documentation lists.

use serde::Serialize;

/// A region as `GET /v2/regions/serverless` shows it.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Region {
    pub(crate) classification: &'static str,
    #[serde(rename = "cloudProvider")]
    pub(crate) cloud_provider: &'static str,
    #[serde(rename = "displayName")]
    pub(crate) display_name: &'static str,
    pub(crate) enabled: bool,
    pub(crate) name: &'static str,
    pub(crate) region_type: &'static str,
    #[serde(rename = "reservedForQualifiedUsers")]
    pub(crate) reserved_for_qualified_users: bool,
    pub(crate) zone: &'static str,
}

const fn region(
    cloud_provider: &'static str,
    name: &'static str,
    display_name: &'static str,
    zone: &'static str,
    region_type: &'static str,
) -> Region {
    Region {
        classification: "standard",
        cloud_provider,
        display_name,
        enabled: true,
        name,
        region_type,
        reserved_for_qualified_users: false,
        zone,
    }
}

pub(crate) const REGIONS: [Region; 10] = [
    region(
        "AWS",
        "us-east-1",
        "US East (N. Virginia)",
        "na",
        "serverless",
    ),
    region("AWS", "us-east-2", "US East (Ohio)", "na", "vector"),
    region("AWS", "us-west-2", "US West (Oregon)", "na", "serverless"),
    region("AWS", "eu-west-1", "Europe (Ireland)", "emea", "serverless"),
    region(
        "AWS",
        "ap-south-1",
        "Asia Pacific (Mumbai)",
        "apac",
        "vector",
    ),
    region("AZURE", "westus3", "US West (Phoenix)", "na", "vector"),
    region(
        "AZURE",
        "westeurope",
        "Europe West (Netherlands)",
        "emea",
        "serverless",
    ),
    region(
        "GCP",
        "us-east1",
        "Moncks Corner, South Carolina",
        "na",
        "vector",
    ),
    region(
        "GCP",
        "europe-west1",
        "Saint-Ghislain, Belgium",
        "emea",
        "serverless",
    ),
    region("GCP", "asia-south1", "Mumbai, India", "apac", "serverless"),
];

/// The region of that provider and name.
pub(crate) fn find(cloud_provider: &str, name: &str) -> Option<&'static Region> {
    REGIONS
        .iter()
        .find(|region| region.cloud_provider == cloud_provider && region.name == name)
}
