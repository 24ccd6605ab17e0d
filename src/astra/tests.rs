//! The client against a server that answers with exactly the bytes a test wants.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod database;
mod delete;
mod emulated;
mod fetch;
mod in_process;
mod mint;
mod outcome;
mod proxy;
mod role;
mod server;
mod shared_lists;
mod tls;

use std::time::Duration;

use super::BaseUrl;
use super::Client;
use super::ClientConfig;
use super::Deadline;
use super::retry::Policy;
use crate::secret::Secret;

const ROOT_ID: &str = "RootRootRootRootRootRoot";
const ROOT_HASH: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const ORG: &str = "dccb0000-0000-4000-8000-000000000510";
const DEAD: &str = r#"{"errors":[{"ID":340018,"message":"Resource not found"}]}"#;

fn config(url: &str) -> ClientConfig {
    ClientConfig {
        base_url: BaseUrl::parse(url).unwrap(),
        ca_cert_pem: None,
        max_concurrent_requests: 8,
        org_id: None,
        request_timeout: Duration::from_secs(60),
        token: Secret::new(format!("AstraCS:{ROOT_ID}:{ROOT_HASH}")),
        user_agent: "test/1.2.3".to_owned(),
    }
}

/// A client whose waits between attempts are negligible.
fn client(config: ClientConfig) -> Client {
    Client::with_policy(config, Policy::quick(), None).unwrap_or_else(|error| panic!("{error}"))
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(240))
}
