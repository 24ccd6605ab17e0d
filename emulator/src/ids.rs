//! Identifiers and secrets in Astra's formats, all drawn from the seed.

use sha2::Digest;
use sha2::Sha256;

const LETTERS: &[u8; 52] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const SECRET: &[u8; 67] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.,+_-";

fn draw(rng: &mut fastrand::Rng, alphabet: &[u8], length: usize) -> String {
    (0..length)
        .filter_map(|_| alphabet.get(rng.usize(..alphabet.len())))
        .map(|byte| char::from(*byte))
        .collect()
}

/// 24 ASCII letters.
pub(crate) fn client_id(rng: &mut fastrand::Rng) -> String {
    draw(rng, LETTERS, 24)
}

/// 128 characters of the alphabet seen in real secrets.
pub(crate) fn secret(rng: &mut fastrand::Rng) -> String {
    draw(rng, SECRET, 128)
}

/// A lower-case version 4 UUID.
pub(crate) fn uuid(rng: &mut fastrand::Rng) -> String {
    uuid::Builder::from_random_bytes(rng.u128(..).to_be_bytes())
        .into_uuid()
        .to_string()
}

/// The last part of a token: the lower-case hexadecimal SHA-256 of the secret.
pub(crate) fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// `AstraCS:<clientId>:<hash of the secret>`.
pub(crate) fn token(client_id: &str, hash: &str) -> String {
    format!("AstraCS:{client_id}:{hash}")
}

/// Splits a well-formed application token into client id and hash.
pub(crate) fn parse_token(text: &str) -> Option<(&str, &str)> {
    let (client_id, hash) = text.strip_prefix("AstraCS:")?.split_once(':')?;
    let well_formed = is_client_id(client_id)
        && hash.len() == 64
        && hash
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    well_formed.then_some((client_id, hash))
}

pub(crate) fn is_client_id(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// Only the canonical form: lower case, with hyphens.
pub(crate) fn is_uuid(text: &str) -> bool {
    uuid::Uuid::try_parse(text).is_ok_and(|uuid| uuid.hyphenated().to_string() == text)
}
