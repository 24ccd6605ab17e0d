//! What an emulator is started with.

use std::net::Ipv4Addr;
use std::net::SocketAddr;

use serde::Deserialize;
use serde::Serialize;
use time::OffsetDateTime;

/// How much a request may deviate from the published API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Every deviation is refused and recorded as a violation.
    #[default]
    Strict,
    /// As lenient as the real service is reported to be: unknown body fields, missing
    /// `Content-Type`, `Accept` or `User-Agent`, queries and bodies where none belong.
    Field,
}

/// Settings of one emulator; `Options::default()` fits tests.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address of the Astra API; port 0 takes a free one. Must be loopback.
    pub api: SocketAddr,
    /// Address of the control API; port 0 takes a free one. Must be loopback.
    pub control: SocketAddr,
    /// Every id, secret and draw of chance follows from it.
    pub seed: u64,
    /// Strict unless set.
    pub profile: Profile,
    /// Serve the API by TLS, with a certificate of a CA generated at start ([`crate::Emulator::ca_pem`]).
    pub tls: bool,
    /// Let `GET /control/state` and `GET /control/tokens` show secrets.
    pub show_secrets: bool,
    /// Journal entries kept, the oldest are dropped; 0 turns the journal off.
    pub journal_size: usize,
    /// Speak CQL on two more loopback ports, and serve secure connect bundles that lead there.
    pub cql: bool,
    /// A CQL server without authentication on loopback, to which authenticated clients are joined.
    /// Implies `cql`.
    pub cql_upstream: Option<SocketAddr>,
    /// Open a proxy on one more loopback port, which leads Astra's own host names here.
    pub proxy: bool,
    /// Where the virtual clock starts; the machine's time if `None`.
    pub start_time: Option<OffsetDateTime>,
}

impl Default for Options {
    fn default() -> Self {
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            api: loopback,
            control: loopback,
            seed: 1,
            profile: Profile::Strict,
            tls: false,
            show_secrets: false,
            journal_size: 200_000,
            cql: false,
            cql_upstream: None,
            proxy: false,
            start_time: None,
        }
    }
}
