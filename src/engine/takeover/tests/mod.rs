//! Taking over what the archived Go engine left.

mod leases;
mod old_mount;
