//! The form of an application token (docs/internals/astra-api.md, "Formats").

use std::fmt::Write;

use sha2::Digest;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::secret::Secret;

const PREFIX: &str = "AstraCS:";
const CLIENT_ID_LENGTH: usize = 24;
const HASH_LENGTH: usize = 64;

/// Why a text is not an application token.  No message repeats any part of it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TokenFormatError {
    /// The client id in the middle is not 24 letters.
    #[error("the part after \"AstraCS:\" must be a client id of 24 letters")]
    ClientId,
    /// The last part is not 64 lower-case hexadecimal digits.
    #[error("the part after the client id must be 64 lower-case hexadecimal digits")]
    Hash,
    /// It does not have three parts.
    #[error("an application token has three parts separated by \":\", this one has {0}")]
    Parts(usize),
    /// Something stands before `AstraCS:`.
    #[error("{0} before \"AstraCS:\": leave out what is not part of the token")]
    Before(&'static str),
    /// A quotation mark ends it.
    #[error("there is a quotation mark after the token: leave out what is not part of the token")]
    After,
    /// It does not begin with `AstraCS:`.
    #[error(
        "an application token begins with \"AstraCS:\"; a client id, a client secret or a JSON \
         document is not one"
    )]
    Prefix,
    /// It has zeros between its letters.
    #[error("the file is in UTF-16: save it as UTF-8, without a byte order mark")]
    Utf16,
    /// It has space or a line break at an end or within.
    #[error("an application token contains no spaces or line breaks")]
    Whitespace,
}

/// Checks that `token` is `AstraCS:<client id>:<sha256>` and returns the client id, which is no
/// secret and is case-sensitive.
///
/// The form is a convention of the service and its clients, not a promise, so a caller may choose
/// to go on after an error.
pub fn client_id(token: &str) -> Result<&str, TokenFormatError> {
    let rest = token.strip_prefix(PREFIX).ok_or_else(|| no_prefix(token))?;
    if token.contains(char::is_whitespace) {
        return Err(TokenFormatError::Whitespace);
    }
    if rest.ends_with(['"', '\'']) {
        return Err(TokenFormatError::After);
    }
    let (id, hash) = rest
        .split_once(':')
        .filter(|(_, hash)| !hash.contains(':'))
        .ok_or_else(|| TokenFormatError::Parts(token.split(':').count()))?;
    if id.len() != CLIENT_ID_LENGTH || !id.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Err(TokenFormatError::ClientId);
    }
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if hash.len() != HASH_LENGTH || !hash.bytes().all(is_hex) {
        return Err(TokenFormatError::Hash);
    }
    Ok(id)
}

/// Why `token` does not begin as one.
fn no_prefix(token: &str) -> TokenFormatError {
    match token.split_once(PREFIX) {
        None if token.contains('\0') => TokenFormatError::Utf16,
        None => TokenFormatError::Prefix,
        Some((before, _)) if before.trim().is_empty() => TokenFormatError::Whitespace,
        Some((before, _)) => TokenFormatError::Before(match before.chars().next() {
            Some('\u{feff}') => {
                "there is a byte order mark, which editors do not show, at the start of the file"
            }
            Some('"' | '\'') => "there is a quotation mark",
            _ if before.chars().any(char::is_control) || before.contains('\u{200b}') => {
                "there are characters that are not shown"
            }
            _ => "there is other text",
        }),
    }
}

/// The application token that belongs to a client id and its client secret: the API defines its
/// last part as the SHA-256 of the secret, so the two are one credential in two forms.
pub fn token_from_secret(client_id: &str, secret: &Secret) -> Secret {
    let digest = Sha256::digest(secret.expose().as_bytes());
    let mut text = Zeroizing::new(String::with_capacity(
        PREFIX.len() + client_id.len() + 1 + HASH_LENGTH,
    ));
    text.push_str(PREFIX);
    text.push_str(client_id);
    text.push(':');
    // Writing to a String cannot fail.
    let _ = write!(text, "{digest:x}");
    Secret::new(std::mem::take(&mut *text))
}

/// Whether `id` can stand in a request's path as it is: the ids of the API are UUIDs or letters.
pub(super) fn is_path_id(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !id.is_empty() && id.len() <= 128 && id.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::any;
    use proptest::proptest;

    use super::TokenFormatError;
    use super::client_id;
    use super::is_path_id;
    use super::token_from_secret;
    use crate::secret::Secret;

    const SECRET: &str = "FAKE-secret_for.docs,only+FBmANGxCW_PEhj_RhvqcitqBTHYXvprq3H6Hy3CA0q,\
                          VFrQEZRqLbgxW_KzJxMrk_N8EU+297qZ8N.+nNnGZsTr32bZw_KoJ8dmb_c";
    const TOKEN: &str = "AstraCS:FakeClientIdForDocsOnlyA:\
                         6dc07f2654d4bffaa8a873bae0b19da83313069afafac43f2d0ba8c96067d8ec";

    #[test]
    fn derives_the_token_from_the_secret() {
        let token = token_from_secret("FakeClientIdForDocsOnlyA", &Secret::new(SECRET.into()));
        assert_eq!(token.expose(), TOKEN);
    }

    #[test]
    fn finds_the_client_id() {
        assert_eq!(client_id(TOKEN), Ok("FakeClientIdForDocsOnlyA"));
    }

    #[test]
    fn names_what_is_wrong() {
        let hash = "a".repeat(64);
        let id = "b".repeat(24);
        for (text, expected) in [
            (String::new(), TokenFormatError::Prefix),
            (SECRET.to_owned(), TokenFormatError::Prefix),
            ("some words".to_owned(), TokenFormatError::Prefix),
            (
                "\u{fffd}\u{fffd}A\0s\0t\0r\0a\0C\0S\0:\0".to_owned(),
                TokenFormatError::Utf16,
            ),
            (
                format!("Bearer AstraCS:{id}:{hash}"),
                TokenFormatError::Before("there is other text"),
            ),
            (
                format!("AstraCS:{id}:{hash} AstraCS:{id}:{hash}"),
                TokenFormatError::Whitespace,
            ),
            (format!("astracs:{id}:{hash}"), TokenFormatError::Prefix),
            (
                format!("AstraCS:{id}:{hash}\n"),
                TokenFormatError::Whitespace,
            ),
            (
                format!(" AstraCS:{id}:{hash}"),
                TokenFormatError::Whitespace,
            ),
            (format!("AstraCS:{id}"), TokenFormatError::Parts(2)),
            (format!("AstraCS:{id}:{hash}:x"), TokenFormatError::Parts(4)),
            (format!("AstraCS:{id}b:{hash}"), TokenFormatError::ClientId),
            (
                format!("AstraCS:{}1:{hash}", "b".repeat(23)),
                TokenFormatError::ClientId,
            ),
            (
                format!("AstraCS:{id}:{}", "A".repeat(64)),
                TokenFormatError::Hash,
            ),
            (format!("AstraCS:{id}:{hash}a"), TokenFormatError::Hash),
        ] {
            assert_eq!(client_id(&text), Err(expected), "{text}");
        }
    }

    #[test]
    fn ids_cannot_leave_their_path_segment() {
        assert!(is_path_id("FakeClientIdForDocsOnlyA"));
        assert!(is_path_id("ad0566b5-2a67-49de-89e8-92258c2f2c98"));
        for id in [
            "",
            ".",
            "..",
            "a/b",
            "a?b",
            "a b",
            "a%2Fb",
            &"a".repeat(129),
        ] {
            assert!(!is_path_id(id), "{id}");
        }
    }

    proptest! {
        #[test]
        fn client_id_never_panics(text in any::<String>()) {
            let _ = client_id(&text);
            let _ = client_id(&format!("AstraCS:{text}"));
        }
    }
}
