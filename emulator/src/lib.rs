//! A strict local stand-in for the DataStax Astra DevOps API, faulty on request.
//!
//! It serves the token, role, organization and database operations of the API from memory, refuses
//! and records what deviates from the published API, breaks requests by rule, and counts what a
//! client left behind. `README.md` lists operations, knobs, faults and the control API.
//!
//! ```no_run
//! # async fn example() -> Result<(), astra_emulator::Error> {
//! let astra = astra_emulator::Emulator::start(astra_emulator::Options::default()).await?;
//! let (url, token) = (astra.url(), astra.root_token());
//! // … point a client at them …
//! assert_eq!(astra.invariants().orphans, 0);
//! assert!(astra.violations().is_empty());
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]
#![warn(unreachable_pub)]

mod archive;
mod auth;
mod clock;
mod connection;
mod control;
mod cql;
mod emulator;
mod endpoints;
mod error;
pub mod fault;
mod grpc;
mod host;
mod ids;
mod in_flight;
mod invariants;
pub mod knobs;
mod listener;
mod options;
mod policy;
mod proxy;
mod rate_limit;
mod regions;
mod reply;
mod reply_body;
mod request;
mod response;
mod router;
mod seed;
mod server;
mod service;
mod shape;
mod start;
mod state;
mod tls;
mod violations;

pub use cql::CqlConnection;
pub use cql::CqlCredential;
pub use cql::CqlOutcome;
pub use emulator::AnswerBody;
pub use emulator::Emulator;
pub use emulator::NoAnswer;
pub use emulator::PortalToken;
pub use emulator::Stats;
pub use emulator::WaitFor;
pub use error::Error;
pub use fault::Fault;
pub use fault::FaultRule;
pub use fault::Matcher;
pub use invariants::Invariants;
pub use knobs::Knobs;
pub use options::Options;
pub use options::Profile;
pub use state::database::Database;
pub use state::journal::JournalEntry;
pub use state::org::User;
pub use state::role::Policy;
pub use state::role::Role;
pub use state::seeds::DatabaseSeed;
pub use state::seeds::OrgSeed;
pub use state::seeds::Seeds;
pub use state::seeds::TokenSeed;
pub use state::token::Origin;
pub use state::token::TokenState;
pub use state::token::TokenView;
pub use tls::Certificate;
pub use violations::RuleSource;
pub use violations::Violation;
