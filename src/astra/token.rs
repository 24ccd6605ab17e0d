//! The organization's application tokens: listing and deleting them.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use time::OffsetDateTime;

use super::answer::decode;
use super::client::Client;
use super::credential::is_path_id;
use super::deadline::Deadline;
use super::error::Call;
use super::error::Error;
use super::timestamp;
use super::transport::OBJECT_LIMIT;
use super::transport::Request;

/// The tokens of the root token's own organization.
const OWN_PATH: &str = "/v2/clientIdSecrets";

/// A shared list call may take this long; who waits for it is bound by a deadline of their own.
const SHARED_LIST_TIME: Duration = Duration::from_secs(55);

/// A token as the API lists it, without its secret, which is shown only once.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct TokenEntry {
    /// The id; case-sensitive.
    #[serde(alias = "clientID")]
    pub client_id: String,
    /// The description; `None` when the service does not tell.
    #[serde(default)]
    pub description: Option<String>,
    /// When it was made.
    #[serde(default, deserialize_with = "timestamp::lenient")]
    pub generated_on: Option<OffsetDateTime>,
    /// The ids of its Astra roles.  Old tokens may show names here, or roles that are gone.
    #[serde(default, deserialize_with = "null_as_default")]
    pub roles: Vec<String>,
    /// When it ends; `None` when never, or when the service does not tell.
    #[serde(default, deserialize_with = "timestamp::lenient")]
    pub token_expiry: Option<OffsetDateTime>,
}

/// The longest token list that is read.  The API does not page, nothing bounds the number of tokens,
/// and what cannot be listed cannot be cleared up: this is room for a million of them.
const TOKEN_LIST_LIMIT: usize = 256 << 20;

/// How something came to be gone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Deleted {
    /// It was not there before, as a list confirmed.
    AlreadyGone,
    /// It is deleted now.
    Now,
}

impl Client {
    /// All tokens of the organization: whoever made them, the root token included.  The API neither
    /// pages nor filters, so in a large organization this is a slow call.
    pub async fn tokens(&self, deadline: Deadline) -> Result<Vec<TokenEntry>, Error> {
        #[derive(Deserialize)]
        struct List {
            #[serde(deserialize_with = "null_as_default")]
            clients: Vec<TokenEntry>,
        }
        let path = match self.is_foreign_org(deadline).await? {
            true => "/v2/tokens",
            false => OWN_PATH,
        };
        let request = Request::new(Method::GET, path, TOKEN_LIST_LIMIT);
        let body = self.fetch(&request, deadline).await?;
        Ok(decode::<List>(&request.call(1), &body)?.clients)
    }

    /// [`Client::tokens`], sorted by id, shared with whoever asks at the same time: the list that is
    /// returned was begun after this call, so it shows every change that was made before.
    pub async fn shared_tokens(&self, deadline: Deadline) -> Result<Arc<Vec<TokenEntry>>, Error> {
        let client = self.clone();
        let list = self.0.listed.join(move || {
            let client = client.clone();
            async move {
                let mut tokens = client.tokens(Deadline::after(SHARED_LIST_TIME)).await?;
                tokens.sort_unstable_by(|a, b| a.client_id.cmp(&b.client_id));
                Ok(Arc::new(tokens))
            }
        });
        match tokio::time::timeout_at(deadline.instant(), list).await {
            Ok(Some(tokens)) => tokens,
            Ok(None) | Err(_) => Err(Error::TimedOut {
                call: Call::new("GET", OWN_PATH, 1),
                stage: "the list of tokens did not come in the time allowed".to_owned(),
            }),
        }
    }

    /// Deletes a token, so that it no longer works.
    ///
    /// Any 2xx is success.  The API does not say how it answers for a token that is not there, so
    /// every answer that might mean this is checked against the token list: only a list without
    /// the id makes it [`Deleted::AlreadyGone`], and otherwise the first error stands.  Those who
    /// need such a check at the same time share list calls, each of which began after the answer
    /// that is to be checked.
    pub async fn delete_token(&self, id: &str, deadline: Deadline) -> Result<Deleted, Error> {
        if !is_path_id(id) {
            return Err(Error::invalid_id("token", id));
        }
        let path = format!("{OWN_PATH}/{id}");
        let request = Request::new(Method::DELETE, path, OBJECT_LIMIT);
        let (error, outcome) = match self.fetch(&request, deadline).await {
            Ok(body) if body.is_empty() => return Ok(Deleted::Now),
            Ok(body) => match decode::<serde::de::IgnoredAny>(&request.call(1), &body) {
                Ok(_) => return Ok(Deleted::Now),
                // Whatever says 200 to everything may not be the API.
                Err(error) => (error, Deleted::Now),
            },
            Err(error @ Error::Malformed { .. }) => (error, Deleted::Now),
            Err(error) if may_mean_unknown_id(&error) => (error, Deleted::AlreadyGone),
            Err(error) => return Err(error),
        };
        match self.is_listed(id, deadline).await {
            Ok(false) => Ok(outcome),
            Ok(true) => Err(error),
            // The first error says more, unless the list shows what is wrong with all requests, or
            // only the list keeps an absent token from being taken for deleted.
            Err(list @ (Error::Unauthorized { .. } | Error::WrongUrl { .. })) => Err(list),
            Err(list) if list.is_retryable() && !error.is_retryable() => Err(list),
            Err(list) if matches!(error, Error::NotFound { .. } | Error::BadRequest { .. }) => {
                Err(list)
            }
            Err(_) => Err(error),
        }
    }

    /// Tries the right to delete tokens, which is also that to make them, on a token that does not
    /// exist.
    ///
    /// How the API answers for a token that is not there is not documented, so [`Error::Forbidden`]
    /// may also mean just that.
    pub async fn try_token_write(&self, deadline: Deadline) -> Result<(), Error> {
        let path = format!("{OWN_PATH}/{}", nobodys_id());
        let request = Request::new(Method::DELETE, path, OBJECT_LIMIT);
        match self.fetch(&request, deadline).await {
            Ok(_) => Ok(()),
            Err(error @ Error::Forbidden { .. }) => Err(error),
            Err(error) if may_mean_unknown_id(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn is_listed(&self, id: &str, deadline: Deadline) -> Result<bool, Error> {
        let tokens = self.shared_tokens(deadline).await?;
        let found = tokens.binary_search_by(|token| token.client_id.as_str().cmp(id));
        Ok(found.is_ok())
    }
}

/// The API documents 400, 403 and 500 for this call, and others answer an unknown id with 404.
fn may_mean_unknown_id(error: &Error) -> bool {
    match error {
        Error::BadRequest { status, .. } => *status == 400 || *status == 410,
        Error::Forbidden { status, .. } => *status == 403,
        Error::NotFound { .. } => true,
        Error::Unavailable { status, .. } => *status == 500,
        _ => false,
    }
}

/// A well-formed client id that no token has: 24 letters, chosen at random.
fn nobodys_id() -> String {
    uuid::Uuid::new_v4()
        .as_bytes()
        .iter()
        .chain(uuid::Uuid::new_v4().as_bytes())
        .take(24)
        .map(|byte| char::from(b'a' + byte % 26))
        .collect()
}

/// Go writes an empty list as `null`.
pub(super) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
