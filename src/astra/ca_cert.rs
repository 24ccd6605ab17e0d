//! The certificates of a private authority, as an operator gives them.

use reqwest::Certificate;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";
const CERTIFICATE: &str = "CERTIFICATE";

/// Why a text holds no certificates.  No message repeats what is in it, which may be a private key.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CaCertError {
    /// The name of a file instead of what is in it.
    #[error(
        "it looks like the name of a file: write ca_cert=@FILE, so that the file's content is sent"
    )]
    FileName,
    /// No block begins.
    #[error("there is no CERTIFICATE block in it")]
    NoBlock,
    /// The file begins with a mark that is not shown.
    #[error("a byte order mark stands before it: save the file without one")]
    ByteOrderMark,
    /// Something else than a certificate.
    #[error(
        "there is a block {0:?} in it, and only CERTIFICATE blocks are taken: leave everything \
         else out, a private key above all"
    )]
    Label(String),
    /// A block has a beginning without a line of its own.
    #[error("line breaks are missing: give the file as it is, with ca_cert=@FILE")]
    LineBreaks,
    /// A block has no end.
    #[error("a block has no line \"-----END CERTIFICATE-----\": the end of the file is missing")]
    NoEnd,
    /// What is in a block is no base64.
    #[error(
        "what stands between BEGIN and END is not base64: give the file as it is, with \
         ca_cert=@FILE"
    )]
    NotBase64,
    /// What is in a block is no certificate.
    #[error("a CERTIFICATE block holds no certificate ({0})")]
    NotCertificate(String),
}

/// The CERTIFICATE blocks of `text`, without what stands around them, each checked.
pub fn certificate_blocks(text: &str) -> Result<String, CaCertError> {
    let blocks = split(text)?;
    parse(&blocks).map(|_| blocks)
}

/// The certificates in `pem`.
pub(super) fn parse(pem: &str) -> Result<Vec<Certificate>, CaCertError> {
    let blocks = split(pem)?;
    let mut checked = RootCertStore::empty();
    let mut found = Vec::new();
    let none = |error: &dyn std::fmt::Display| CaCertError::NotCertificate(error.to_string());
    for certificate in CertificateDer::pem_slice_iter(blocks.as_bytes()) {
        let certificate = certificate.map_err(|_| CaCertError::NotBase64)?;
        found.push(Certificate::from_der(&certificate).map_err(|error| none(&error))?);
        checked.add(certificate).map_err(|error| none(&error))?;
    }
    match found.is_empty() {
        true => Err(CaCertError::NotBase64),
        false => Ok(found),
    }
}

fn split(text: &str) -> Result<String, CaCertError> {
    if text.starts_with('\u{feff}') {
        return Err(CaCertError::ByteOrderMark);
    }
    if !text.contains(BEGIN) {
        return Err(match is_file_name(text.trim()) {
            true => CaCertError::FileName,
            false => CaCertError::NoBlock,
        });
    }
    let mut blocks = String::new();
    let mut is_inside = false;
    for line in text.lines().map(str::trim) {
        if let Some(label) = label(line, BEGIN)? {
            if is_inside {
                return Err(CaCertError::NoEnd);
            }
            if label != CERTIFICATE {
                return Err(CaCertError::Label(label.chars().take(40).collect()));
            }
            is_inside = true;
        }
        if is_inside {
            blocks.push_str(line);
            blocks.push('\n');
        }
        if label(line, END)?.is_some() {
            is_inside = false;
        }
    }
    match is_inside {
        true => Err(CaCertError::NoEnd),
        false => Ok(blocks),
    }
}

/// The label of a line that begins or ends a block, which is all that may be on the line.
fn label<'a>(line: &'a str, mark: &str) -> Result<Option<&'a str>, CaCertError> {
    let Some((before, rest)) = line.split_once(mark) else {
        return Ok(None);
    };
    match rest.strip_suffix(DASHES) {
        Some(label) if before.is_empty() && !label.contains(DASHES) => Ok(Some(label)),
        _ => Err(CaCertError::LineBreaks),
    }
}

fn is_file_name(text: &str) -> bool {
    let ends = [".pem", ".crt", ".cer", ".ca-bundle"];
    let lower = text.to_ascii_lowercase();
    !text.contains(char::is_whitespace)
        && (text.starts_with(['/', '.', '~']) || ends.iter().any(|end| lower.ends_with(end)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn certificate() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn each_fault_is_in_words_and_no_key_is_taken() {
        let (pem, key) = certificate();
        let cut = pem.replace("-----END CERTIFICATE-----", "");
        let no_base64 = pem.replace("MII", "!!!");
        let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (text, expected) in [
            ("/etc/ca.pem", CaCertError::FileName),
            ("ca.crt", CaCertError::FileName),
            ("certificate", CaCertError::NoBlock),
            (&format!("\u{feff}{pem}"), CaCertError::ByteOrderMark),
            (&pem.replace('\n', ""), CaCertError::LineBreaks),
            (&pem.replace(['\r', '\n'], " "), CaCertError::LineBreaks),
            (&pem.replace('\n', "\\n"), CaCertError::LineBreaks),
            (&cut, CaCertError::NoEnd),
            (&no_base64, CaCertError::NotBase64),
            (&key, CaCertError::Label("PRIVATE KEY".to_owned())),
            (
                &format!("{key}{pem}"),
                CaCertError::Label("PRIVATE KEY".to_owned()),
            ),
            (
                &format!("{pem}{key}"),
                CaCertError::Label("PRIVATE KEY".to_owned()),
            ),
        ] {
            let error = certificate_blocks(text).unwrap_err();
            assert_eq!(error, expected, "{text:?}");
            assert!(!error.to_string().contains("MII"), "{error}");
        }
        let error = certificate_blocks(no_certificate).unwrap_err();
        assert!(matches!(error, CaCertError::NotCertificate(_)), "{error:?}");
    }

    #[test]
    fn only_the_blocks_are_kept() {
        let (one, _) = certificate();
        let (other, _) = certificate();
        let one = one.replace("\r\n", "\n");
        let other = other.replace("\r\n", "\n");
        let both = format!("{one}{other}");
        assert_eq!(certificate_blocks(&both).unwrap(), both);
        let crlf = both.replace('\n', "\r\n");
        assert_eq!(certificate_blocks(&crlf).unwrap(), both);
        let with_text = format!("subject=/CN=x\n{one}\n# the other\n{other}");
        assert_eq!(certificate_blocks(&with_text).unwrap(), both);
        assert_eq!(parse(&both).unwrap().len(), 2);
    }
}
