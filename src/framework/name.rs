//! What a name is, in a path as in a field.

/// Vault's name pattern, in the syntax of this crate's regular expressions.  Go's `\w` is ASCII.
pub(super) const NAME: &str = "[0-9A-Za-z_](?:[0-9A-Za-z_.-]*[0-9A-Za-z_])?";

/// How long a name may be: names become storage keys, and a host that keeps each in a file refuses longer
/// ones.
const NAME_LIMIT: usize = 240;

/// What a name is, for whom one was refused.
pub(super) const NAME_RULE: &str = "is not a name: use letters of English, digits and \"_\", and \
     between them also \"-\" and single \".\", 240 characters at most";

/// Whether `text` is a Vault name, in a path as in a field: with no "..", which hosts refuse in storage
/// keys.
pub fn is_name(text: &str) -> bool {
    let is_end = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let bytes = text.as_bytes();
    let ends = [bytes.first(), bytes.last()];
    bytes.len() <= NAME_LIMIT
        && !text.contains("..")
        && ends
            .into_iter()
            .all(|byte| byte.is_some_and(|byte| is_end(*byte)))
        && bytes
            .iter()
            .all(|byte| is_end(*byte) || matches!(byte, b'.' | b'-'))
}
