//! The framework as a whole: requests in, answers out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod definitions;
mod existence;
mod help;
mod leases;
mod patch;
mod routing;
mod shelf;
mod warnings;
