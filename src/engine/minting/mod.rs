//! Minting tokens: none is left behind, whatever fails, and none is taken that does not end when it
//! was asked to.

mod attempt;
mod error;
mod lifetime;
mod mint;
mod propagation;
mod uncertain_write;
mod uncommitted;

pub use lifetime::AskedExpiry;
pub use lifetime::Lifetime;
pub use lifetime::MINT_SLACK;
pub use mint::Mint;
pub use propagation::PropagationBackoff;
pub use uncertain_write::UncertainWrites;
pub use uncertain_write::decide;
pub use uncommitted::UncommittedToken;
pub use uncommitted::take_back;
