//! A change of the code, as `cargo mutants --list --json` tells it.

use std::path::Path;

use serde::Deserialize;

/// One change in one place.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Change {
    /// File, line, column and what is changed.
    pub(crate) name: String,
    /// The file, relative to the repository.
    pub(crate) file: String,
    pub(crate) genre: Genre,
    /// What stands there instead.
    pub(crate) replacement: String,
    pub(crate) span: Span,
    pub(crate) function: Option<Function>,
}

/// What kind of code is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Genre {
    FnValue,
    BinaryOperator,
    UnaryOperator,
    MatchArm,
    MatchArmGuard,
    #[serde(other)]
    Other,
}

/// The function that a change is in.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Function {
    pub(crate) return_type: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Span {
    pub(crate) start: Position,
    pub(crate) end: Position,
}

/// Line and column, in characters, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// The changes of a list.
///
/// # Errors
///
/// The file cannot be read or is no such list.
pub(crate) fn read(list: &Path) -> Result<Vec<Change>, String> {
    let text = std::fs::read_to_string(list);
    let text = text.map_err(|error| format!("{}: {error}", list.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", list.display()))
}
