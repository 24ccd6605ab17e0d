//! Clients of the archived engine's configs, for what it leased and no one has imported yet.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;

use super::entry::OldConfig;
use crate::astra::BaseUrl;
use crate::astra::Client;
use crate::astra::ClientConfig;

/// How long one attempt of a request may take, as for a new config.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How many requests may run at once, as for a new config.
const CONCURRENCY: usize = 32;

/// The clients that were needed so far, by the organization's key.
#[derive(Default)]
pub(crate) struct OldClients(Mutex<HashMap<String, (OldConfig, Client)>>);

impl OldClients {
    /// The client of `config`; the error says why there can be none.
    pub(crate) fn client(&self, org_key: &str, config: &OldConfig) -> Result<Client, String> {
        let mut clients = self.0.lock();
        if let Some((_, client)) = clients.get(org_key).filter(|(known, _)| known == config) {
            return Ok(client.clone());
        }
        let client = build(config)?;
        clients.insert(org_key.to_owned(), (config.clone(), client.clone()));
        Ok(client)
    }
}

fn build(config: &OldConfig) -> Result<Client, String> {
    let settings = ClientConfig {
        base_url: BaseUrl::parse(&config.url).map_err(|error| format!("url: {error}"))?,
        ca_cert_pem: None,
        max_concurrent_requests: CONCURRENCY,
        // The key of its entry need not be the organization's id.
        org_id: None,
        request_timeout: REQUEST_TIMEOUT,
        token: config.astra_token.clone(),
        user_agent: concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")).to_owned(),
    };
    Client::new(settings).map_err(|error| error.to_string())
}
