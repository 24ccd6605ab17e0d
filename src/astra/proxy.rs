//! The proxy that requests go through: which it is, and whether its setting can be read.

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;

/// The variables of the environment that name one.
const VARIABLES: [&str; 6] = [
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "HTTP_PROXY",
    "http_proxy",
];

/// The proxy for requests to `url`, without a user name or a password.
pub(super) fn for_url(url: &str) -> Option<String> {
    let target: Uri = url.parse().ok()?;
    let found = Matcher::from_env().intercept(&target)?;
    Some(shown(found.uri()))
}

fn shown(proxy: &Uri) -> String {
    let scheme = proxy.scheme_str().unwrap_or("http");
    let host = proxy.host().unwrap_or_default();
    match proxy.port() {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    }
}

/// The variables whose value is no address of a proxy, so that they have no effect.
pub fn unusable_proxy_variables() -> Vec<&'static str> {
    unusable(|name| std::env::var(name).ok())
}

fn unusable(value: impl Fn(&str) -> Option<String>) -> Vec<&'static str> {
    VARIABLES
        .into_iter()
        .filter(|name| {
            value(name).is_some_and(|value| !value.trim().is_empty() && !is_proxy(value.trim()))
        })
        .collect()
}

fn is_proxy(value: &str) -> bool {
    let everywhere = Matcher::builder().all(value.to_owned()).build();
    let target = Uri::from_static("https://api.astra.datastax.com");
    everywhere
        .intercept(&target)
        .is_some_and(|found| found.uri().host().is_some_and(|host| !host.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_without_effect_is_found() {
        for (value, is_usable) in [
            ("http://proxy:3128", true),
            ("proxy:3128", true),
            ("http://user:secret@proxy.example.com:3128", true),
            ("", true),
            (":::bad", false),
            ("http://", false),
        ] {
            let found = unusable(|name| (name == "HTTPS_PROXY").then(|| value.to_owned()));
            assert_eq!(found.is_empty(), is_usable, "{value:?}: {found:?}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let proxy = Uri::from_static("http://user:secret@proxy.example.com:3128");
        assert_eq!(shown(&proxy), "http://proxy.example.com:3128");
    }
}
