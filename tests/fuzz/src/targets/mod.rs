//! The targets, one for each door.

pub mod engine;
pub mod plugin;
pub mod request;
pub mod storage;
pub mod text;
pub mod upstream;

/// A target: it takes any bytes.
pub type Target = fn(&[u8]);

/// All targets by name, which is also that of their corpus.
pub const ALL: &[(&str, Target)] = &[
    ("engine", engine::run),
    ("plugin", plugin::run),
    ("request", request::run),
    ("storage", storage::run),
    ("text", text::run),
    ("upstream", upstream::run),
];
