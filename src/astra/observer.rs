//! What a client tells of its requests, for metrics.

use std::time::Duration;

/// Hears of every request to an organization.  Called from the middle of requests: it must be quick.
pub trait Observer: Send + Sync {
    /// An attempt of `call` ended after `took`: well, or with the class of its failure
    /// ([`Error::kind`](super::Error::kind)).
    fn attempted(
        &self,
        call: &'static str,
        failure: Option<&'static str>,
        is_retry: bool,
        took: Duration,
    );

    /// A request waited for its permit, so that no more than the permitted number run at once.
    fn waited(&self, time: Duration);
}

/// The name of a request in metrics: one of a few, whatever ids its path has.
pub(super) fn call_name(method: &str, path: &str) -> &'static str {
    let mut parts = path.trim_start_matches("/v2/").split('/');
    let (first, second, third) = (parts.next(), parts.next(), parts.next());
    match (method, first, second, third) {
        ("POST", Some("clientIdSecrets"), None, _) => "create-token",
        ("GET", Some("clientIdSecrets"), None, _) => "list-tokens",
        ("DELETE", Some("clientIdSecrets"), Some(_), None) => "delete-token",
        ("GET", Some("currentOrg"), None, _) => "read-organization",
        ("GET", Some("organizations"), Some("roles"), None) => "list-roles",
        ("POST", Some("organizations"), Some("roles"), None) => "create-role",
        ("GET", Some("organizations"), Some("roles"), Some(_)) => "read-role",
        ("PUT", Some("organizations"), Some("roles"), Some(_)) => "update-role",
        ("DELETE", Some("organizations"), Some("roles"), Some(_)) => "delete-role",
        ("GET", Some("databases"), None, _) => "list-databases",
        ("GET", Some("databases"), Some(_), None) => "read-database",
        ("POST", Some("databases"), Some(_), Some("secureBundleURL")) => "create-bundle-url",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use reqwest::Method;

    use super::*;

    #[test]
    fn each_request_has_a_name_without_an_id() {
        for (method, path, name) in [
            (Method::POST, "/v2/clientIdSecrets", "create-token"),
            (Method::GET, "/v2/clientIdSecrets", "list-tokens"),
            (Method::DELETE, "/v2/clientIdSecrets/abc", "delete-token"),
            (Method::GET, "/v2/currentOrg", "read-organization"),
            (Method::GET, "/v2/organizations/roles", "list-roles"),
            (Method::POST, "/v2/organizations/roles", "create-role"),
            (Method::PUT, "/v2/organizations/roles/1", "update-role"),
            (Method::DELETE, "/v2/organizations/roles/1", "delete-role"),
            (Method::GET, "/v2/databases", "list-databases"),
            (Method::GET, "/v2/databases/1", "read-database"),
            (
                Method::POST,
                "/v2/databases/1/secureBundleURL",
                "create-bundle-url",
            ),
            (Method::GET, "/v2/databases/1/x/y", "other"),
        ] {
            assert_eq!(call_name(method.as_str(), path), name, "{method} {path}");
        }
    }
}
