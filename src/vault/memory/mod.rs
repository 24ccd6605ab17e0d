//! A host in memory, for tests and tools.

mod fault;
mod storage;
mod system;
mod test_mount;

pub use fault::WriteFault;
pub use storage::MemoryStorage;
pub use storage::Operations;
pub use system::FixedSystem;
pub use system::NoEvents;
pub use test_mount::TestMount;
