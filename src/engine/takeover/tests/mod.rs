//! Taking over what the archived Go engine left.

mod import;
mod leases;
mod old_mount;
mod org_token;
mod searches;
