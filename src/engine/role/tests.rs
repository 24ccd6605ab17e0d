//! Roles on a real client and emulator.
