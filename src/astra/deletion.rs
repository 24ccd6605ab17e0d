//! What became of a request to delete something.

/// How the deletion ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Deletion {
    /// It was not there before, as a list confirmed.
    AlreadyAbsent,
    /// It is deleted now.
    Deleted,
}
