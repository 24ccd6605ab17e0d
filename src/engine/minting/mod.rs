//! Minting tokens: none is left behind, whatever fails, and none is taken that does not end when it
//! was asked to.

mod attempt;
mod error;
mod mint;
mod propagation;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
mod uncertain_write;
mod uncommitted;

pub(super) use mint::Mint;
pub(super) use propagation::PropagationBackoff;
pub(super) use uncertain_write::UncertainWrites;
pub(super) use uncertain_write::decide;
pub(super) use uncommitted::UncommittedToken;
pub(super) use uncommitted::take_back;
