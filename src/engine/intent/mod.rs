//! Intents: the durable notes that a token may come to exist.
//!
//! A mint takes its intent out of a [`Block`](block::Block) that was reserved with one durable
//! write, so that most mints write nothing before Astra is called.  When the token is there, the
//! intent is marked done in the block's entry, and concurrent mints share that write; the answer
//! leaves only after its own mark is durable.  Whatever a dead process left unmarked is searched in
//! Astra by [`Tag`] and deleted.  The argument why this loses nothing is in
//! `docs/internals/architecture.md`.

mod block;
mod clearing;
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

pub(super) use block::Completed;
pub(super) use block::Intent;
pub(super) use description::Description;
pub(super) use description::DescriptionForm;
pub(super) use description::Purpose;
#[cfg(test)]
pub(super) use entry::BlockEntry;
pub(super) use in_use::InUseTokens;
pub(super) use ledger::Ledger;
pub(super) use recovery::LATE_CREATE_WINDOW;
pub(super) use sweep::ClearError;
#[cfg(test)]
pub(super) use tag::BlockId;
pub(super) use tag::ConfigMark;
pub(super) use tag::MountId;
pub(super) use tag::Owner;
pub(super) use tag::RequestMark;
pub(super) use tag::Tag;
