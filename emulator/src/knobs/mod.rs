//! Behaviours of the service that are undocumented, differ between sources, or are wanted for a test.

mod by_org;
mod table;
mod values;

pub(crate) use by_org::KnobsByOrg;
pub use table::Knobs;
pub use values::BundleHost;
pub use values::DeleteMissing;
pub use values::DeleteReply;
pub use values::ExpiredReply;
pub use values::ExpiryEcho;
pub use values::GeneratedOnEcho;
pub use values::IamErrors;
pub use values::ListFields;
pub use values::MaxExpiryMode;
pub use values::RewriteExpiry;
pub use values::RoleCase;
pub use values::Scope;
