//! The keys under which the archived Go engine stored things.

use sha2::Digest;
use sha2::Sha256;

/// What a role is called in reports and in the record: its organization's key and its name.
pub(crate) fn role_id(org_key: &str, name: &str) -> String {
    format!("{org_key}:{name}")
}

/// Where the roles of version 2, and of those before it, are stored.
pub(super) fn role_keys(org_key: &str, name: &str) -> [String; 2] {
    [
        format!("role/{org_key}:{name}"),
        format!("role/{org_key}-{name}"),
    ]
}

/// Where version 2 stored a token that has a logical name.
pub(super) fn named_token_key(org_key: &str, role: &str, logical_name: &str) -> String {
    let text = format!("{org_key}:{role}:{logical_name}");
    format!("token/{}", hex::encode(Sha256::digest(text.as_bytes())))
}

/// Where a token is stored; `None` for what is no part of such a key.
pub(super) fn token_key(id: &str) -> Option<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_part = !id.is_empty() && id.len() <= 128 && id.bytes().all(allowed);
    is_part.then(|| format!("token/{id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_token_is_stored_as_by_the_archived_engine() {
        // Of the fixtures, which were recorded.
        assert_eq!(
            named_token_key(
                "11111111-1111-4111-8111-111111111111",
                "api_ro_user",
                "app1"
            ),
            "token/f4e6368131a2bfceab8b6a8d7b48188b558f99c4bc84563e3ec2732aa7694390"
        );
        assert_eq!(token_key("a/b"), None);
        assert_eq!(token_key(""), None);
    }
}
