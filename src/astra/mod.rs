//! The Astra DevOps API client: tokens, roles, the organization and its databases.
//!
//! One [`Client`] speaks for one organization with one root token.  It repeats what may safely be
//! repeated, says precisely how a call failed ([`Error`]), and of a token that it tried to make it
//! always says whether the token may exist ([`MintError`]).  The facts about the API, and which of
//! them are only inferred, are in `docs/astra-api.md`.

mod answer;
mod base_url;
mod body;
mod client;
mod credential;
mod database;
mod deadline;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod intake;
mod mint;
mod organization;
mod retry;
mod role;
mod shared_call;
mod shared_list;
mod timestamp;
mod token;
mod token_list;
mod transport;

#[cfg(test)]
mod tests;

pub use base_url::BaseUrl;
pub use base_url::UrlError;
pub use client::Client;
pub use client::ClientConfig;
pub use client::SetupError;
pub use credential::TokenFormatError;
pub use credential::client_id;
pub use credential::token_from_secret;
pub use database::Database;
pub use database::Datacenter;
pub use deadline::Deadline;
pub use error::Call;
pub use error::Detail;
pub use error::Error;
pub use mint::MintError;
pub use mint::MintedToken;
pub use mint::NewToken;
pub use role::NewRole;
pub use role::Policy;
pub use role::Role;
pub use token::Deleted;
pub use token::TokenEntry;
