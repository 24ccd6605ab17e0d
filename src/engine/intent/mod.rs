//! Intents: the durable notes that a token may come to exist.
//!
//! A mint takes its intent out of a [`Block`](block::Block) that was reserved with one durable
//! write, so that most mints write nothing before Astra is called.  When the token is there, the
//! intent is marked done in the block's entry, and concurrent mints share that write; the answer
//! leaves only after its own mark is durable.  Whatever a dead process left unmarked is searched in
//! Astra by [`Tag`] and deleted.  The argument why this loses nothing is in
//! `docs/internals/architecture.md`.

mod block;
mod description;
mod entry;
mod in_use;
mod ledger;
mod recovery;
mod sweep;
mod tag;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;

pub use block::Completed;
pub use block::Intent;
pub use description::Description;
pub use description::DescriptionForm;
pub use description::Purpose;
#[cfg(test)]
pub use entry::BlockEntry;
pub use in_use::InUseTokens;
pub use ledger::ClearError;
pub use ledger::Ledger;
pub use recovery::LATE_CREATE_WINDOW;
#[cfg(test)]
pub use tag::BlockId;
pub use tag::ConfigMark;
pub use tag::MountId;
pub use tag::Owner;
pub use tag::RequestMark;
pub use tag::Tag;
