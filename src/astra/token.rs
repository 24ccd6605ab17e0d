//! The organization's application tokens: listing and deleting them.

use std::sync::Arc;

use reqwest::Method;
use serde::Deserialize;
use time::OffsetDateTime;

use super::answer::decode;
use super::client::Client;
use super::credential::is_path_id;
use super::deadline::Deadline;
use super::error::Error;
use super::timestamp;
use super::token_list::Sight;
use super::token_list::TokenList;
use super::transport::OBJECT_LIMIT;
use super::transport::Request;

/// The tokens of the root token's own organization.
pub(super) const OWN_PATH: &str = "/v2/clientIdSecrets";

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
/// and what cannot be listed cannot be cleared up: this is room for a million of them.  None of it is
/// kept but what is looked for.
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
    /// What `look` makes of each token of the organization, whoever made it, the root token included;
    /// in the order of the list.  The API neither pages nor filters, so in a large organization this is
    /// a slow call, but only what `look` returns is kept.
    pub async fn tokens<T: Send + 'static>(
        &self,
        look: impl Fn(&TokenEntry) -> Option<T> + Send + Sync + 'static,
        deadline: Deadline,
    ) -> Result<Vec<T>, Error> {
        let look = Arc::new(look);
        let begin = || Kept {
            look: Arc::clone(&look),
            tokens: Vec::new(),
        };
        Ok(self.list(begin, deadline).await?.tokens)
    }

    /// The token with `id` as Astra lists it, without its secret.
    pub async fn token(&self, id: &str, deadline: Deadline) -> Result<Option<TokenEntry>, Error> {
        let id = id.to_owned();
        let look = move |token: &TokenEntry| (token.client_id == id).then(|| token.clone());
        Ok(self.tokens(look, deadline).await?.pop())
    }

    /// Shows a list to what `begin` makes; to another one when the list broke off and is asked for
    /// again.
    pub(super) async fn list<S: Sight>(
        &self,
        begin: impl Fn() -> S + Sync,
        deadline: Deadline,
    ) -> Result<S, Error> {
        let path = match self.is_foreign_org(deadline).await? {
            true => "/v2/tokens",
            false => OWN_PATH,
        };
        let request = Request::new(Method::GET, path, TOKEN_LIST_LIMIT);
        let listed = self.receive(&request, &TokenList(begin), deadline).await;
        listed.map_err(|failure| failure.error)
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
}

/// What is kept of a list.
struct Kept<T, L> {
    look: Arc<L>,
    tokens: Vec<T>,
}

impl<T, L> Sight for Kept<T, L>
where
    T: Send + 'static,
    L: Fn(&TokenEntry) -> Option<T> + Send + Sync + 'static,
{
    fn see(&mut self, token: &TokenEntry) {
        self.tokens.extend((self.look)(token));
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
