//! A running emulator: the library API.

mod data_plane;
mod handle;
mod in_process;
mod lifecycle;
mod numbered;
mod observe;
mod portal;
mod rules;

pub use handle::Emulator;
pub(crate) use handle::WeakEmulator;
pub use in_process::AnswerBody;
pub use in_process::NoAnswer;
pub use observe::Stats;
pub use observe::WaitFor;
pub use portal::PortalToken;
