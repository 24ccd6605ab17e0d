//! Deleting a token, and being sure that it is gone.

use reqwest::Method;

use super::client::Client;
use super::deadline::Deadline;
use super::deletion::Absence;
use super::deletion::Deletion;
use super::error::Error;
use super::token::OWN_PATH;
use super::token_format::is_path_id;
use super::transport::OBJECT_LIMIT;
use super::transport::Request;
use crate::random;

impl Client {
    /// Deletes a token, so that it no longer works.
    ///
    /// Any 2xx is success whose body is empty or JSON; another body may be of something else than the
    /// API.  The API does not say how it answers for a token that is not there.  So every answer that
    /// leaves open whether the token is there is checked against the token list: only a list without
    /// the id makes it [`Deletion::AlreadyAbsent`], and otherwise the first error stands.  Those who
    /// need such a check at the same time share list calls, each of which began after the answer
    /// that is to be checked.
    pub async fn delete_token(&self, id: &str, deadline: Deadline) -> Result<Deletion, Error> {
        if !is_path_id(id) {
            return Err(Error::invalid_id("token", id));
        }
        self.check_org(deadline).await?;
        let path = [OWN_PATH, "/", id].concat();
        let request = Request::new(Method::DELETE, path, OBJECT_LIMIT);
        let error = match self.perform(&request, deadline).await {
            Ok(()) => return Ok(Deletion::Deleted),
            // Whatever says 200 to everything may not be the API.
            Err(error @ Error::Malformed { .. }) => error,
            Err(error) if may_mean_unknown_id(&error) => error,
            Err(error) => return Err(error),
        };
        match self.is_listed(id, deadline).await {
            Ok((false, list)) => {
                let org_id = Some(self.own_org(deadline).await?.to_owned());
                Ok(Deletion::AlreadyAbsent(Absence { list, org_id }))
            }
            Ok((true, _)) => Err(error),
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
        let path = format!("{OWN_PATH}/{}", unused_id());
        let request = Request::new(Method::DELETE, path, OBJECT_LIMIT);
        match self.perform(&request, deadline).await {
            Ok(()) => Ok(()),
            Err(error @ Error::Forbidden { .. }) => Err(error),
            Err(error) if may_mean_unknown_id(&error) => Ok(()),
            Err(error) => Err(error),
        }
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
fn unused_id() -> String {
    [random::bits(), random::bits()]
        .iter()
        .flat_map(|bits| bits.to_be_bytes())
        .take(24)
        .map(|byte| char::from(b'a' + byte % 26))
        .collect()
}
