//! Astra's host names.

/// Environments: the domain of the DevOps API, and that of the databases.
const DOMAINS: [(&str, &str); 3] = [
    ("api.astra.datastax.com", "apps.astra.datastax.com"),
    ("api.dev.cloud.datastax.com", "apps.astra-dev.datastax.com"),
    (
        "api.test.cloud.datastax.com",
        "apps.astra-test.datastax.com",
    ),
];

/// What a client connects to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// The emulator's own address, or the DevOps API by its name.
    Api,
    /// A database in a region, `<database id>-<region>`.
    Data(String),
}

impl Host {
    /// The host that a CONNECT request names; `None` if it is not one of Astra's.
    pub(crate) fn parse(authority: &str) -> Option<Self> {
        let name = authority.strip_suffix(":443")?;
        DOMAINS.iter().find_map(|(api, data)| {
            if name == *api {
                return Some(Self::Api);
            }
            let label = name.strip_suffix(data)?.strip_suffix('.')?;
            let is_one = !label.is_empty() && !label.contains('.');
            is_one.then(|| Self::Data(label.to_owned()))
        })
    }

    /// The names that a certificate for all of them has.
    pub(crate) fn names() -> Vec<String> {
        DOMAINS
            .iter()
            .flat_map(|(api, data)| [(*api).to_owned(), format!("*.{data}")])
            .collect()
    }

    /// Where the emulator has what is at `path` of this host.
    pub(crate) fn path(&self, path: &str) -> String {
        match self {
            Self::Api => path.to_owned(),
            Self::Data(label) => format!("/_data/{label}{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_astra_are_known() {
        let host = |name: &str| Host::parse(&format!("{name}:443"));
        assert_eq!(host("api.astra.datastax.com"), Some(Host::Api));
        assert_eq!(host("api.test.cloud.datastax.com"), Some(Host::Api));
        let data = Some(Host::Data("id-us-east1".into()));
        assert_eq!(host("id-us-east1.apps.astra.datastax.com"), data);
        assert_eq!(host("id-us-east1.apps.astra-dev.datastax.com"), data);
    }

    #[test]
    fn other_hosts_and_ports_are_not() {
        for authority in [
            "api.astra.datastax.com",
            "api.astra.datastax.com:80",
            "astra.datastax.com:443",
            "apps.astra.datastax.com:443",
            ".apps.astra.datastax.com:443",
            "a.b.apps.astra.datastax.com:443",
            "xapps.astra.datastax.com:443",
            "id.apps.astra.datastax.com.example.com:443",
            "127.0.0.1:443",
        ] {
            assert_eq!(Host::parse(authority), None, "{authority}");
        }
    }

    #[test]
    fn a_database_is_below_its_own_path() {
        assert_eq!(Host::Api.path("/v2/currentOrg"), "/v2/currentOrg");
        let data = Host::Data("id-us-east1".into());
        assert_eq!(data.path("/api/rest/v2"), "/_data/id-us-east1/api/rest/v2");
    }
}
