//! The values that knobs can have.

use serde::Deserialize;
use serde::Serialize;
use time::Duration;
use time::OffsetDateTime;

/// Values of [`super::Knobs::list_fields`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListFields {
    /// As the service answers today.
    Full,
    /// Before 2025-12: without description and expiry.
    Legacy,
    /// As the OpenAPI document says: client id and roles.
    Oas,
    /// Without description, which a create still echoes.
    NoDescription,
    /// With an empty description, which a create still echoes.
    EmptyDescription,
    /// Without expiry, which a create still echoes.
    NoExpiry,
}

/// Values of [`super::Knobs::expiry_echo`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpiryEcho {
    /// The expiry that the token has.
    Stored,
    /// The expiry that was asked for, whatever the token has.
    Asked,
    /// None.
    Absent,
}

/// Values of [`super::Knobs::generated_on_echo`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GeneratedOnEcho {
    /// When the token was made.
    Stored,
    /// None.
    Absent,
    /// So many seconds later than it was made; earlier if negative.
    ShiftS(i64),
}

impl GeneratedOnEcho {
    /// What answers show of a token that was made at `made`.
    pub(crate) fn shown(self, made: OffsetDateTime) -> Option<OffsetDateTime> {
        match self {
            Self::Stored => Some(made),
            Self::Absent => None,
            Self::ShiftS(seconds) => Some(made.saturating_add(Duration::seconds(seconds))),
        }
    }
}

/// Values of [`super::Knobs::rewrite_expiry`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RewriteExpiry {
    /// So many seconds after the creation, whatever was asked for.
    LifeS(u64),
    /// So many seconds later than asked for; earlier if negative. No expiry stays none.
    ShiftS(i64),
}

/// Values of [`super::Knobs::iam_errors`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IamErrors {
    /// By operation, as reported: an `errors` object for list and delete of tokens, else a string.
    Mixed,
    /// A JSON string.
    String,
    /// `{"errors":[{"ID":…,"message":…}]}`.
    Errors,
    /// `text/plain`.
    Text,
}

/// Values of [`super::Knobs::delete_status`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeleteReply {
    /// 204.
    NoContent,
    /// 200 without a body.
    OkEmpty,
    /// 200 with `{}`.
    OkObject,
}

/// Values of [`super::Knobs::delete_missing`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeleteMissing {
    /// 404 with an `errors` object.
    NotFound,
    /// 400 with a JSON string.
    BadRequest,
    /// 204, as if it had been there.
    NoContent,
    /// 500 with an `errors` object.
    ServerError,
}

/// Values of [`super::Knobs::role_case`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoleCase {
    /// As recorded; the answer to a create in Pascal case.
    Snake,
    /// As the OpenAPI document names the fields.
    Oas,
    /// As old documentation shows them.
    Pascal,
    /// Historical: `Policy` is a string that holds JSON, which no client of today can read.
    PolicyAsString,
}

/// Values of [`super::Knobs::expired_reply`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpiredReply {
    /// 401 with error 340018, as for an unknown token.
    Unknown,
    /// 401 with error 340016, as for a malformed one.
    Malformed,
    /// 403 with a JSON string.
    Forbidden,
}

/// Values of [`super::Knobs::create_visible_scope`] and [`super::Knobs::delete_effective_scope`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Authentication and the list.
    Both,
    /// Authentication, which the data plane shares.
    Auth,
    /// The list.
    List,
    /// `DELETE` of the token.
    Delete,
    /// Authentication, the list and `DELETE`.
    All,
}

impl Scope {
    pub(crate) fn auth(self) -> bool {
        matches!(self, Self::Both | Self::Auth | Self::All)
    }

    pub(crate) fn list(self) -> bool {
        matches!(self, Self::Both | Self::List | Self::All)
    }

    pub(crate) fn delete(self) -> bool {
        matches!(self, Self::Delete | Self::All)
    }
}

/// Values of [`super::Knobs::org_max_token_expiry_mode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaxExpiryMode {
    /// The expiry becomes the maximum.
    Clamp,
    /// 400.
    #[serde(alias = "400")]
    Refuse,
}

/// Values of [`super::Knobs::bundle_host`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BundleHost {
    /// `127.0.0.1`, which every driver but the C++ one takes.
    #[serde(rename = "127.0.0.1")]
    Address,
    /// `localhost`, which every driver but the Node.js one takes.
    #[serde(rename = "localhost")]
    Name,
}

impl BundleHost {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Address => "127.0.0.1",
            Self::Name => "localhost",
        }
    }
}
