//! Making a token, and knowing whether it was made.

use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use serde::Serialize;
use time::OffsetDateTime;
use tokio::time::Instant;
use uuid::Uuid;

use super::client::Client;
use super::deadline::Deadline;
use super::error::Call;
use super::error::Error;
use super::organization::is_same_organization;
use super::response::decode;
use super::retry::Failure;
use super::retry::Repeat;
use super::timestamp;
use super::token::OWN_PATH;
use super::token_format;
use super::transport::OBJECT_LIMIT;
use super::transport::Request;
use crate::secret::Secret;

/// `generatedOn` and `Date` may differ by so much: `Date` is in whole seconds, and the answer is written a
/// moment after the token is made.  What makes an answer differ by more is not known.
const NEAR: time::Duration = time::Duration::seconds(2);

/// What a token is to be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewToken {
    /// Free text by which it can be found again; not sent when empty.
    pub description: String,
    /// When it ends, in whole seconds, rounded up.  Without it the organization's maximum applies,
    /// and if there is none the token never ends.
    pub expiry: Option<OffsetDateTime>,
    /// The ids of its Astra roles, one or more.  Never names: the API has been seen to accept a
    /// name and to make a token that can do nothing.
    pub roles: Vec<String>,
}

/// A token that was made and checked: its parts fit together, its roles are those asked for.
#[derive(Clone)]
pub struct MintedToken {
    /// When it was asked for, by this process' clock: it is no older than that.
    pub asked_at: Instant,
    /// The id; case-sensitive, not secret.
    pub client_id: String,
    /// The description as the API has it; `None` when it does not say.
    pub description: Option<String>,
    /// When it ends as the API has it; `None` when never or when it does not say.
    pub expiry: Option<OffsetDateTime>,
    /// When it was made, by Astra's clock: as the answer says, or when the answer came, where it does not
    /// say that or its header `Date` shows another time.
    pub generated_on: Option<OffsetDateTime>,
    /// The organization it belongs to; empty when neither the answer nor the client knew it.
    pub org_id: String,
    /// The ids of its Astra roles, as asked for.
    pub roles: Vec<String>,
    /// The client secret.
    pub secret: Secret,
    /// The application token, `AstraCS:…`.
    pub token: Secret,
}

impl MintedToken {
    /// How long it lives by Astra's own two times, so that no clock of this machine matters: zero when
    /// it was over before it began, `None` when it never ends or Astra gives only one of the times.
    pub fn lifetime(&self) -> Option<Duration> {
        let lifetime = self.expiry? - self.generated_on?;
        Some(lifetime.try_into().unwrap_or_default())
    }

    /// What is left of [`MintedToken::lifetime`] at the least, counted from when it was asked for.
    pub fn remaining(&self) -> Option<Duration> {
        Some(self.lifetime()?.saturating_sub(self.asked_at.elapsed()))
    }
}

/// Why there is no token to hand out, and whether one may exist all the same.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MintError {
    /// A token was made but is not what was asked for, so it must be deleted.
    #[error("{error}")]
    Mismatch {
        /// Its id, when the answer is consistent about it.  An answer that mixed up tokens could
        /// name the token of another client, so check its description before deleting it.
        client_id: Option<String>,
        /// What is wrong.
        error: Error,
    },
    /// There is certainly no token: nothing was sent, or Astra refused the request in its own form
    /// with a status that it uses for what it has not carried out.
    #[error("{0}")]
    NotMinted(Error),
    /// Astra, or what stands in front of it, asked for fewer requests.  It does not say that nothing
    /// was made, so only a request with another description may follow, after [`RateLimitWaits`](super::RateLimitWaits).
    #[error("{error}")]
    RateLimited {
        /// The failure.
        error: Error,
        /// How long it asks to wait, when it says so.
        wait: Option<Duration>,
    },
    /// A token may exist: the request may have been carried out, but its answer did not come or
    /// cannot be understood.
    #[error("{0}")]
    Unknown(Error),
}

impl MintError {
    fn from_failure(failure: Failure) -> Self {
        let Failure {
            error,
            maybe_applied,
            ..
        } = failure;
        match error {
            Error::RateLimited { wait, .. } => Self::RateLimited { error, wait },
            error if maybe_applied => Self::Unknown(error),
            error => Self::NotMinted(error),
        }
    }

    /// Whether a token may exist.
    pub fn may_exist(&self) -> bool {
        !matches!(self, Self::NotMinted(_))
    }

    /// The failure behind it.
    pub fn error(&self) -> &Error {
        match self {
            Self::Mismatch { error, .. }
            | Self::NotMinted(error)
            | Self::RateLimited { error, .. }
            | Self::Unknown(error) => error,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CreateTokenRequest<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    roles: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    token_expiry: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateTokenResponse {
    client_id: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default, deserialize_with = "timestamp::lenient")]
    generated_on: Option<OffsetDateTime>,
    #[serde(default)]
    org_id: Option<String>,
    #[serde(default)]
    roles: Option<Vec<String>>,
    #[serde(default)]
    secret: Option<Secret>,
    #[serde(default)]
    token: Option<Secret>,
    #[serde(default, deserialize_with = "timestamp::lenient")]
    token_expiry: Option<OffsetDateTime>,
}

impl Client {
    /// Makes a token.
    ///
    /// The API has no key for repeating this safely, so it is sent again only when no connection
    /// could be made.
    pub async fn create_token(
        &self,
        request: &NewToken,
        deadline: Deadline,
    ) -> Result<MintedToken, MintError> {
        let (post, org) = self
            .mint_request(request, deadline)
            .await
            .map_err(MintError::NotMinted)?;
        let asked_at = Instant::now();
        let sent = self.send(&post, deadline).await;
        let body = sent.map_err(MintError::from_failure)?;
        let answered_at = self.astra_time();
        let call = post.call(1);
        let made: CreateTokenResponse = decode(&call, &body).map_err(MintError::Unknown)?;
        if made.client_id.is_empty() {
            let reason = "it names no client id".to_owned();
            return Err(MintError::Unknown(Error::Malformed { call, reason }));
        }
        let root = self.0.root_client_id.as_deref();
        let mut token = made.check(request, org, call, root, asked_at)?;
        token.generated_on = made_at(token.generated_on, answered_at);
        if token
            .description
            .as_deref()
            .is_some_and(|text| !text.is_empty())
        {
            *self.0.described.lock() = Some(token.client_id.clone());
        }
        Ok(token)
    }

    /// The request, and the organization that its answer must name if that is known.
    async fn mint_request(
        &self,
        new: &NewToken,
        deadline: Deadline,
    ) -> Result<(Request, Option<String>), Error> {
        if new.roles.is_empty() {
            let reason = "a token needs at least one Astra role".to_owned();
            return Err(Error::InvalidArgument { reason });
        }
        if let Some(role) = new.roles.iter().find(|role| Uuid::try_parse(role).is_err()) {
            return Err(Error::invalid_id("role", role));
        }
        self.check_org(deadline).await?;
        let configured = self.0.org_id.as_deref();
        let token_expiry = new.expiry.map(|expiry| {
            timestamp::format(expiry).ok_or_else(|| Error::InvalidArgument {
                reason: "the token's expiry is beyond the year 9999".to_owned(),
            })
        });
        let body = CreateTokenRequest {
            description: &new.description,
            roles: &new.roles,
            token_expiry: token_expiry.transpose()?,
        };
        let json = serde_json::to_vec(&body).map_err(|error| Error::InvalidArgument {
            reason: format!("the request cannot be written as JSON: {error}"),
        })?;
        let post = Request::new(Method::POST, OWN_PATH, OBJECT_LIMIT)
            .json(json)
            .repeat(Repeat::Unsent);
        let org = configured.or(self.0.own_org.get().map(String::as_str));
        Ok((post, org.map(str::to_owned)))
    }
}

impl CreateTokenResponse {
    /// The token, if the answer fits together and is what was asked for.
    fn check(
        self,
        asked: &NewToken,
        org: Option<String>,
        call: Call,
        root: Option<&str>,
        asked_at: Instant,
    ) -> Result<MintedToken, MintError> {
        let mismatch = |client_id: Option<&str>, reason: &str| MintError::Mismatch {
            client_id: client_id.map(str::to_owned),
            error: Error::Malformed {
                call: call.clone(),
                reason: reason.to_owned(),
            },
        };
        let id = self.client_id.as_str();
        if root == Some(id) {
            return Err(mismatch(None, "it names the root token's own client id"));
        }
        if let Some(token) = &self.token
            && token.expose().split(':').nth(1) != Some(id)
        {
            return Err(mismatch(
                None,
                "its token and its client id do not belong together",
            ));
        }
        let Some(secret) = self.secret else {
            return Err(mismatch(Some(id), "it has no client secret"));
        };
        let derived = token_format::token_from_secret(id, &secret);
        if self.token.is_some_and(|token| token != derived) {
            return Err(mismatch(
                Some(id),
                "its token and its client secret do not belong together",
            ));
        }
        if let Some(roles) = &self.roles
            && !is_same_set(roles, &asked.roles)
        {
            return Err(mismatch(
                Some(id),
                "its Astra roles are not those that were asked for",
            ));
        }
        let answered = self.org_id.filter(|org| !org.is_empty());
        if let (Some(answered), Some(expected)) = (&answered, &org)
            && !is_same_organization(answered, expected)
        {
            return Err(mismatch(Some(id), "it belongs to another organization"));
        }
        Ok(MintedToken {
            asked_at,
            description: self.description,
            expiry: self.token_expiry,
            generated_on: self.generated_on,
            org_id: answered.or(org).unwrap_or_default(),
            roles: asked.roles.clone(),
            secret,
            token: derived,
            client_id: self.client_id,
        })
    }
}

/// When a token was made whose answer `told` one time and came at `answered_at`, both by Astra's clock.
///
/// All that Astra tells later, whether the token is there and whether it has ended, comes with a `Date`, so
/// that is the clock which counts.  A time that differs from it may be anything: were it believed, a token
/// that was just made could pass for old, or its lease could outlast it.
fn made_at(
    told: Option<OffsetDateTime>,
    answered_at: Option<OffsetDateTime>,
) -> Option<OffsetDateTime> {
    let Some(answered_at) = answered_at else {
        return told;
    };
    let is_near = |told: &OffsetDateTime| (*told - answered_at).abs() <= NEAR;
    told.filter(is_near).or(Some(answered_at))
}

/// Whether both have the same texts, in whatever order and case.  Tokens have a handful of roles.
pub(super) fn is_same_set(one: &[String], other: &[String]) -> bool {
    let is_in =
        |id: &String, ids: &[String]| ids.iter().any(|other| other.eq_ignore_ascii_case(id));
    one.iter().all(|id| is_in(id, other)) && other.iter().all(|id| is_in(id, one))
}
