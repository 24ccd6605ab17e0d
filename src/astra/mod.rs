//! The Astra DevOps API client: tokens, roles, the organization and its databases.
//!
//! One [`Client`] serves one organization with one root token.  It repeats what may safely be
//! repeated, says precisely how a call failed ([`Error`]), and of a token that it tried to make it
//! always says whether the token may exist ([`MintError`]).  The facts about the API, and which of
//! them are only inferred, are in `docs/internals/astra-api.md`.

mod action;
mod base_url;
mod batched_call;
mod batched_list;
mod ca_cert;
mod client;
mod database;
mod deadline;
mod deletion;
mod error;
mod error_body;
mod error_detail;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod http_service;
mod list_facts;
mod mint;
mod observer;
mod organization;
mod printable;
mod proxy;
mod response;
mod response_body;
mod retry;
mod rights;
mod role;
mod shared_lists;
mod timestamp;
mod token;
mod token_deletion;
mod token_entry;
mod token_format;
mod token_list;
mod token_page;
mod transport;

#[cfg(test)]
mod tests;

pub use base_url::BaseUrl;
pub use base_url::UrlError;
pub use ca_cert::CaCertError;
pub use ca_cert::certificate_blocks;
pub use client::Client;
pub use client::ClientConfig;
pub use client::SetupError;
pub use database::Database;
pub use database::Datacenter;
pub use deadline::Deadline;
pub use deletion::Absence;
pub use deletion::Deletion;
pub use error::Call;
pub use error::Error;
pub use error_detail::Detail;
pub use http_service::HttpService;
pub use http_service::SendError;
#[cfg(test)]
pub use http_service::simulated as simulated_network;
pub use list_facts::Descriptions;
pub use list_facts::ListFacts;
pub use mint::MintError;
pub use mint::MintedToken;
pub use mint::NewToken;
pub use observer::Observer;
pub use organization::is_same_organization;
pub(crate) use printable::redact;
pub use proxy::unusable_proxy_variables;
pub use retry::RateLimitWaits;
pub use rights::Lacking;
pub use role::CreateRoleError;
pub use role::NewRole;
pub use role::Policy;
pub use role::Role;
pub use shared_lists::SharedLists;
pub use token_entry::TokenEntry;
pub use token_format::TokenFormatError;
pub use token_format::client_id;
pub use token_format::token_from_secret;
pub use token_page::TokenPage;
