//! Replacing tokens that the mount itself keeps: what root tokens and static roles have in common,
//! and the rotation of root tokens.

mod error;
mod paths;
pub(super) mod root;
mod root_spec;
#[cfg(test)]
mod tests;
mod tick;

pub(super) use paths::paths;
pub(super) use tick::tick;
