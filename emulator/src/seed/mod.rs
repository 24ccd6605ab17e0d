//! What an emulator holds at its start.

mod built_in_roles;
mod populate;

pub(crate) use populate::new_state;
pub(crate) use populate::organization;
