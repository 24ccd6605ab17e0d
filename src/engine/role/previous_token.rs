//! A replaced token of a static role.

use serde::Deserialize;
use serde::Serialize;
use time::OffsetDateTime;

/// A replaced token.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct PreviousToken {
    /// Its client id.
    pub client_id: String,
    /// The organization it belongs to.
    pub org_id: String,
    /// The ids of the Astra roles it was minted with; empty in entries of older versions.
    #[serde(default)]
    pub role_ids: Vec<String>,
    /// Whether one of them is the custom Astra role of a policy.
    #[serde(default)]
    pub by_policy: bool,
    /// When it was minted, by this node's clock; `None` in entries of older versions.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub minted_at: Option<OffsetDateTime>,
    /// The same by Astra's clock; `None` where Astra did not tell, and in entries of older versions.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub minted_by_astra: Option<OffsetDateTime>,
    /// When it is to be deleted.
    #[serde(with = "time::serde::rfc3339")]
    pub delete_at: OffsetDateTime,
}

impl PreviousToken {
    /// Whether it may have its rights from the custom Astra role `id`.
    pub(crate) fn holds_custom_role(&self, id: &str) -> bool {
        let mut ids = self.role_ids.iter();
        self.by_policy && (self.role_ids.is_empty() || ids.any(|own| own.eq_ignore_ascii_case(id)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::PreviousToken;

    #[test]
    fn a_replaced_token_holds_its_own_custom_role_and_one_of_an_older_version_any() {
        let holds = |by_policy: bool, changes: serde_json::Value| {
            let mut token = json!({
                "client_id": "c", "org_id": "o", "by_policy": by_policy,
                "delete_at": "2026-11-23T12:00:00Z",
            });
            let changes = changes.as_object().unwrap().clone();
            token.as_object_mut().unwrap().extend(changes);
            let token: PreviousToken = serde_json::from_value(token).unwrap();
            token.holds_custom_role("aa")
        };
        assert!(holds(true, json!({"role_ids": ["AA"]})));
        assert!(!holds(true, json!({"role_ids": ["bb"]})));
        assert!(!holds(false, json!({"role_ids": ["aa"]})));
        assert!(holds(true, json!({})));
        assert!(!holds(false, json!({})));
    }
}
