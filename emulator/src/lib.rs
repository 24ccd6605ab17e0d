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

mod archive;
mod auth;
mod body;
mod clock;
mod control;
mod emulator;
mod endpoints;
mod error;
pub mod fault;
mod ids;
mod invariants;
pub mod knobs;
mod limiter;
mod mangle;
mod options;
mod policy;
mod reply;
mod request;
mod router;
mod seed;
mod server;
mod shape;
mod shared;
mod state;
mod tls;
mod violations;
mod wire;

pub use emulator::Emulator;
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
pub use seed::DatabaseSeed;
pub use seed::OrgSeed;
pub use seed::Seeds;
pub use seed::TokenSeed;
pub use state::database::Database;
pub use state::journal::JournalEntry;
pub use state::role::Policy;
pub use state::role::Role;
pub use state::token::Origin;
pub use state::token::TokenState;
pub use state::token::TokenView;
pub use tls::Certificate;
pub use violations::Violation;
