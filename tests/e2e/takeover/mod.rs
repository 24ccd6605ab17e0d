//! Mounts of the archived engine, taken over as `docs/takeover.md` says.

mod archived;
mod cluster;
mod page;
