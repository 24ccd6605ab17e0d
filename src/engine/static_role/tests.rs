//! Static roles against the emulator: good, bad, and whatever fails at whichever step.
#![allow(clippy::unwrap_used, clippy::panic)]
