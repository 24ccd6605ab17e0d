//! What tests of the engine share: one mount over storage in memory and the emulator in process, and
//! what callers got from it.

mod answers;
mod changed_answers;
mod credential;
mod mount;
pub mod simulation;
#[allow(clippy::unwrap_used)]
pub mod virtual_time;

pub use answers::not_renewed;
pub use answers::refused;
pub use answers::text;
pub use answers::warnings;
pub use changed_answers::change_answers;
pub use changed_answers::fall_behind_after_missed_deletions;
pub use credential::Credential;
pub use credential::Leased;
pub use mount::AstraMount;
pub use mount::READER;
pub use mount::READER_ID;
pub use mount::on_lease;
pub use mount::request;
pub use mount::until_hung;
