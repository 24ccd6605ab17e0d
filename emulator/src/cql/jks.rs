//! Java key stores (type "JKS", version 2), which the Java drivers read from a bundle.
//!
//! The layout is that of the JDK's `sun.security.provider.JavaKeyStore` and `KeyProtector`. It is old
//! and weak, and here it keeps nothing secret: the password is in the same archive.

use sha1::Digest;
use sha1::Sha1;

const MAGIC: u32 = 0xFEED_FEED;
const VERSION: u32 = 2;
const PRIVATE_KEY: u32 = 1;
const TRUSTED: u32 = 2;

/// The algorithm identifier of `KeyProtector`: object 1.3.6.1.4.1.42.2.17.1.1, parameters null.
const KEY_PROTECTOR: [u8; 16] = [
    0x30, 0x0E, 0x06, 0x0A, 0x2B, 0x06, 0x01, 0x04, 0x01, 0x2A, 0x02, 0x11, 0x01, 0x01, 0x05, 0x00,
];

/// A store with one certificate to trust.
pub(super) fn trust_store(alias: &str, certificate: &[u8], password: &str) -> Vec<u8> {
    let mut entry = header(TRUSTED, alias);
    put_certificate(&mut entry, certificate);
    store(&entry, password)
}

/// A store with one private key (PKCS #8) and its chain; store and key have the same password.
pub(super) fn key_store(
    alias: &str,
    key: &[u8],
    chain: &[&[u8]],
    password: &str,
    salt: [u8; 20],
) -> Vec<u8> {
    let mut entry = header(PRIVATE_KEY, alias);
    let protected = protect(key, password, salt);
    put_length(&mut entry, protected.len());
    entry.extend(protected);
    put_length(&mut entry, chain.len());
    for certificate in chain {
        put_certificate(&mut entry, certificate);
    }
    store(&entry, password)
}

fn store(entry: &[u8], password: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for number in [MAGIC, VERSION, 1] {
        body.extend(number.to_be_bytes());
    }
    body.extend(entry);
    let digest = sha1(&[&utf16(password), b"Mighty Aphrodite", &body]);
    body.extend(digest);
    body
}

fn header(kind: u32, alias: &str) -> Vec<u8> {
    let mut entry = kind.to_be_bytes().to_vec();
    put_text(&mut entry, alias);
    // The time of creation, which no driver looks at.
    entry.extend(0_u64.to_be_bytes());
    entry
}

fn put_certificate(out: &mut Vec<u8>, certificate: &[u8]) {
    put_text(out, "X.509");
    put_length(out, certificate.len());
    out.extend(certificate);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.extend(length.to_be_bytes());
    out.extend(text.as_bytes());
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    out.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

fn sha1(parts: &[&[u8]]) -> [u8; 20] {
    let mut digest = Sha1::new();
    for part in parts {
        digest.update(part);
    }
    digest.finalize().into()
}

/// An `EncryptedPrivateKeyInfo` whose octets are salt, key XOR stream, and a digest of the key.
fn protect(key: &[u8], password: &str, salt: [u8; 20]) -> Vec<u8> {
    let password = utf16(password);
    let mut octets = salt.to_vec();
    let mut block = salt;
    for chunk in key.chunks(20) {
        block = sha1(&[&password, &block]);
        octets.extend(chunk.iter().zip(block).map(|(byte, pad)| byte ^ pad));
    }
    octets.extend(sha1(&[&password, key]));
    let mut content = KEY_PROTECTOR.to_vec();
    content.extend(der(0x04, &octets));
    der(0x30, &content)
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let length = content.len().to_be_bytes();
            let digits: Vec<u8> = length.into_iter().skip_while(|digit| *digit == 0).collect();
            out.push(0x80 | u8::try_from(digits.len()).unwrap_or(8));
            out.extend(digits);
        }
    }
    out.extend(content);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_as_short_as_der_wants_them() {
        assert_eq!(der(4, &[7; 127])[..2], [4, 127]);
        assert_eq!(der(4, &[7; 128])[..3], [4, 0x81, 128]);
        assert_eq!(der(4, &[7; 256])[..4], [4, 0x82, 1, 0]);
    }
}
