//! `status`: how each config fares.

mod config_status;
mod fields;
mod live_tokens;
mod paths;

pub(super) use live_tokens::Source;
pub(super) use live_tokens::look;
pub(super) use paths::paths;
