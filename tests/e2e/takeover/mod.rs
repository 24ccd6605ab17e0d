//! Mounts of the archived engine, taken over as `docs/takeover.md` says.

mod archived;
mod archived_itself;
mod cluster;
mod page;
