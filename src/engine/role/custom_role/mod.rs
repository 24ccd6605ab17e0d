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

pub(crate) use ensure::list;
#[cfg(test)]
pub(crate) use nonce::Nonce;
pub(crate) use nonce::is_foreign;
pub(crate) use note::PendingNote;
pub(crate) use note::remember;
pub(crate) use policy_role::PolicyRole;
pub(crate) use reconcile::Claim;
pub(crate) use registry::CustomRoles;
pub(crate) use release::Removal;
pub(crate) use scope::Scope;
