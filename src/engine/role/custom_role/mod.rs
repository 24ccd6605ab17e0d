//! The custom Astra role that the engine keeps for a role or a static role with a policy.
//!
//! Vault's storage and Astra cannot change in one step, so a [`note`] is durable before Astra is
//! touched and goes away when both agree again.  A note that a dead process left is finished by the
//! host's tick: the stored role decides.
//!
//! The engine deletes and adopts only what it can prove to be its own.  Each time it writes a custom
//! role it puts a new random [`nonce`] into the policy's description.  Another nonce than those in
//! storage is that of somebody else: of a cluster that runs from a snapshot of the same storage, or of
//! a write after the snapshot that this storage was restored from.

mod ensure;
mod error;
mod nonce;
mod note;
mod policy_role;
mod reconcile;
mod registry;
mod release;
mod scope;

#[cfg(test)]
pub use nonce::Nonce;
pub use nonce::is_foreign;
pub use note::PendingNote;
pub use note::remember;
pub use policy_role::PolicyRole;
pub use reconcile::Claim;
pub use registry::CustomRoles;
pub use release::Removal;
pub use scope::Scope;
