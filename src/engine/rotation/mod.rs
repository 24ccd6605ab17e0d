//! Replacing tokens that the mount itself keeps: what root tokens and static roles have in common,
//! and the rotation of root tokens.

mod error;
mod paths;
pub mod root;
mod root_spec;
#[cfg(test)]
mod tests;
mod tick;

pub use paths::paths;
pub use tick::tick;
