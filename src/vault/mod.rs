//! Vault's vocabulary: what a host asks of a secrets engine and what it hands to one.
//!
//! Nothing here names an engine.  The `codec` submodule is the only code that knows both these types
//! and the generated protobuf messages.

mod backend;
pub mod codec;
mod error;
mod event;
pub mod memory;
mod operation;
mod request;
mod response;
mod storage;
mod system;

pub use backend::Backend;
pub use backend::Factory;
pub use backend::Mount;
pub use backend::SpecialPaths;
pub use error::Error;
pub use error::FailureStatus;
pub use event::Event;
pub use event::Events;
pub use operation::Operation;
pub use request::LeaseInfo;
pub use request::Request;
pub use response::Lease;
pub use response::Response;
pub(crate) use response::Undo;
pub use storage::Entry;
pub use storage::Storage;
pub use storage::StorageError;
pub use system::HostInfo;
pub use system::ReplicationState;
pub use system::SystemError;
pub use system::SystemView;

/// What handling a request results in.  `None` is the host's "nil response": 404 on a read, 204 on a
/// write, success on a revoke.
pub type HandlerResult = Result<Option<Response>, Error>;
