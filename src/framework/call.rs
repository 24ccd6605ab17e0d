//! One request as a handler sees it.

use super::Fields;
use crate::vault::Request;

/// A routed request with its converted fields.
///
/// It has no `Debug`: both parts can hold secrets.
#[derive(Clone)]
pub struct Call {
    /// The request.  The parameters that the path declares have moved from `request.data` to
    /// `fields`; what is left are the undeclared ones.  On renew and revoke `data` is untouched.
    pub request: Request,
    /// The declared parameters; empty on renew, revoke and rollback.
    pub fields: Fields,
}
