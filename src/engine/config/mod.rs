//! Configs: named connections to Astra organizations.

mod archived_command;
mod attributes;
mod error;
mod left_behind;
mod name;
mod paths;
pub(super) mod pending_deletion;
mod remove;
mod users;
mod write;

pub(super) use paths::paths;
