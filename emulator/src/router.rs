//! Paths and methods of the API.

use http::Method;

/// Which service answers: their refusals look different.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// Organizations, roles, users, tokens.
    Iam,
    /// Databases.
    Database,
}

/// An operation, with the variable parts of its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    CurrentOrg,
    ListTokens,
    CreateToken,
    /// `None` for `DELETE /v2/tokens` without an id.
    DeleteToken(Option<String>),
    ListRoles,
    CreateRole,
    GetRole(String),
    UpdateRole(String),
    DeleteRole(String),
    ListUsers,
    InviteUser,
    ListDatabases,
    ListServerlessRegions,
    GetDatabase(String),
    ListDatacenters(String),
    SecureBundleUrl(String),
    /// File name of the bundle.
    Bundle(String),
    /// `<database id>-<region>`, keyspace.
    DataApi(String, String),
    /// `<database id>-<region>`, keyspace, collection.
    DataCollection(String, String, String),
    /// `<database id>-<region>`.
    DataKeyspaces(String),
    /// `<database id>-<region>`, keyspace.
    DataCollections(String, String),
    /// `<database id>-<region>`, keyspace.
    DataGraphql(String, String),
}

impl Endpoint {
    pub(crate) fn family(&self) -> Family {
        match self {
            Self::ListDatabases
            | Self::ListServerlessRegions
            | Self::GetDatabase(_)
            | Self::ListDatacenters(_)
            | Self::SecureBundleUrl(_) => Family::Database,
            _ => Family::Iam,
        }
    }

    /// Takes a JSON body.
    pub(crate) fn has_body(&self) -> bool {
        matches!(
            self,
            Self::CreateToken
                | Self::CreateRole
                | Self::InviteUser
                | Self::UpdateRole(_)
                | Self::DataApi(..)
                | Self::DataCollection(..)
                | Self::DataGraphql(..)
        )
    }

    /// Takes query parameters.
    pub(crate) fn has_query(&self) -> bool {
        matches!(
            self,
            Self::ListDatabases
                | Self::ListServerlessRegions
                | Self::ListDatacenters(_)
                | Self::SecureBundleUrl(_)
                | Self::Bundle(_)
        )
    }
}

/// The operation at `method path`, exactly as spelt.
pub(crate) fn route(method: &Method, path: &str) -> Option<Endpoint> {
    let segments: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    if segments.iter().any(|segment| segment.is_empty()) {
        return None;
    }
    let own = |text: &&str| (*text).to_owned();
    let endpoint = match (method.as_str(), segments.as_slice()) {
        ("GET", ["v2", "currentOrg"]) => Endpoint::CurrentOrg,
        ("GET", ["v2", "clientIdSecrets" | "tokens"]) => Endpoint::ListTokens,
        ("POST", ["v2", "clientIdSecrets" | "tokens"]) => Endpoint::CreateToken,
        ("DELETE", ["v2", "clientIdSecrets" | "tokens", id]) => {
            Endpoint::DeleteToken(Some(own(id)))
        }
        ("DELETE", ["v2", "tokens"]) => Endpoint::DeleteToken(None),
        ("GET", ["v2", "organizations", "roles"]) => Endpoint::ListRoles,
        ("POST", ["v2", "organizations", "roles"]) => Endpoint::CreateRole,
        ("GET", ["v2", "organizations", "roles", id]) => Endpoint::GetRole(own(id)),
        ("PUT", ["v2", "organizations", "roles", id]) => Endpoint::UpdateRole(own(id)),
        ("DELETE", ["v2", "organizations", "roles", id]) => Endpoint::DeleteRole(own(id)),
        ("GET", ["v2", "organizations", "users"]) => Endpoint::ListUsers,
        ("PUT", ["v2", "organizations", "users"]) => Endpoint::InviteUser,
        ("GET", ["v2", "databases"]) => Endpoint::ListDatabases,
        ("GET", ["v2", "regions", "serverless"]) => Endpoint::ListServerlessRegions,
        ("GET", ["v2", "databases", id]) => Endpoint::GetDatabase(own(id)),
        ("GET", ["v2", "databases", id, "datacenters"]) => Endpoint::ListDatacenters(own(id)),
        ("POST", ["v2", "databases", id, "secureBundleURL"]) => Endpoint::SecureBundleUrl(own(id)),
        ("GET", ["_bundle", file]) => Endpoint::Bundle(own(file)),
        ("POST", ["_data", host, "api", "json", "v1", keyspace]) => {
            Endpoint::DataApi(own(host), own(keyspace))
        }
        ("POST", ["_data", host, "api", "json", "v1", keyspace, collection]) => {
            Endpoint::DataCollection(own(host), own(keyspace), own(collection))
        }
        ("GET", ["_data", host, "api", "rest", "v2", "schemas", "keyspaces"]) => {
            Endpoint::DataKeyspaces(own(host))
        }
        (
            "GET",
            [
                "_data",
                host,
                "api",
                "rest",
                "v2",
                "namespaces",
                keyspace,
                "collections",
            ],
        ) => Endpoint::DataCollections(own(host), own(keyspace)),
        ("POST", ["_data", host, "api", "graphql", keyspace]) => {
            Endpoint::DataGraphql(own(host), own(keyspace))
        }
        _ => return None,
    };
    Some(endpoint)
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    #[test]
    fn exact_spelling_only() {
        assert_eq!(
            route(&Method::GET, "/v2/currentOrg"),
            Some(Endpoint::CurrentOrg)
        );
        assert_eq!(route(&Method::GET, "/v2/currentorg"), None);
        assert_eq!(route(&Method::GET, "/v2/currentOrg/"), None);
        assert_eq!(route(&Method::GET, "/v2//currentOrg"), None);
        assert_eq!(route(&Method::PUT, "/v2/databases"), None);
        assert_eq!(route(&Method::DELETE, "/v2/clientIdSecrets"), None);
        assert_eq!(
            route(&Method::DELETE, "/v2/tokens"),
            Some(Endpoint::DeleteToken(None))
        );
    }
}
