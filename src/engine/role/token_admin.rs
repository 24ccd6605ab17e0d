//! Which Astra roles would let a token make lasting credentials of its own.
//!
//! That is judged when a role is written, and again by each list of the organization's roles: an Astra
//! role may get such rights later, and `allow_token_admin` may be taken back.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use parking_lot::MutexGuard;
use tokio::time::Instant;

use super::Granted;
use super::error::RoleError;
use crate::astra::Deadline;
use crate::astra::Role;
use crate::engine::connection::Connection;
use crate::engine::error::Error;

/// How old a list may be that a refusal rests on.
const BELIEVED: Duration = Duration::from_secs(60);

/// By config, the Astra roles that the last list showed as token admins.
#[derive(Default)]
pub(crate) struct TokenAdmins {
    seen: Mutex<HashMap<String, Seen>>,
}

/// What one list showed.
struct Seen {
    /// Their ids; few, and each mint compares with them.
    admins: Vec<String>,
    at: Instant,
}

impl Seen {
    fn is_admin(&self, id: &str) -> bool {
        let mut admins = self.admins.iter();
        admins.any(|admin| admin.eq_ignore_ascii_case(id))
    }
}

impl TokenAdmins {
    /// Remembers what a list of the organization of `config` showed.
    pub(crate) fn learn(&self, config: &str, roles: &[Role]) {
        let admins = roles.iter().filter(|role| role.grants_token_admin());
        let seen = Seen {
            admins: admins.map(|role| role.id.clone()).collect(),
            at: Instant::now(),
        };
        self.seen().insert(config.to_owned(), seen);
    }

    /// The role `id` has other rights by now than those that were listed.
    pub(crate) fn forget(&self, config: &str, id: &str) {
        if let Some(seen) = self.seen().get_mut(config) {
            seen.admins.retain(|admin| !admin.eq_ignore_ascii_case(id));
        }
    }

    /// Refuses to mint tokens with `granted` where they could make lasting credentials and the config
    /// does not allow that.  Asks Astra only before it refuses.
    pub(crate) async fn check(
        &self,
        connection: &Connection,
        granted: &Granted,
        deadline: Deadline,
    ) -> Result<(), Error> {
        if connection.entry.allow_token_admin {
            return Ok(());
        }
        let config = &connection.name;
        let Some((given, id)) = suspect(self, config, granted) else {
            return Ok(());
        };
        // What was seen last may be of the past.
        if !self.is_recent(config)
            && let Ok(roles) = connection.client.roles(deadline).await
        {
            self.learn(config, &roles);
            return match suspect(self, config, granted) {
                Some((given, id)) => Err(refusal(config, &given, &id)),
                None => Ok(()),
            };
        }
        Err(refusal(config, &given, &id))
    }

    /// Whether the last list showed the role `id` as a token admin; `None` where there was no list.
    fn is_admin(&self, config: &str, id: &str) -> Option<bool> {
        let seen = self.seen();
        Some(seen.get(config)?.is_admin(id))
    }

    fn is_recent(&self, config: &str) -> bool {
        let seen = self.seen();
        seen.get(config)
            .is_some_and(|seen| seen.at.elapsed() < BELIEVED)
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<String, Seen>> {
        self.seen.lock()
    }
}

/// The first Astra role of `granted` that is a token admin, as far as is known: what was written and
/// its id.
fn suspect(admins: &TokenAdmins, config: &str, granted: &Granted) -> Option<(String, String)> {
    let of_roles = granted.astra_roles.iter().find(|role| {
        let seen = admins.is_admin(config, &role.id);
        seen.unwrap_or(role.is_token_admin)
    });
    if let Some(role) = of_roles {
        return Some((role.given.clone(), role.id.clone()));
    }
    let custom = granted.policy.as_ref()?;
    let is_admin = custom.policy.check_token_admin(false).is_err()
        || admins.is_admin(config, &custom.role_id) == Some(true);
    is_admin.then(|| (custom.name.clone(), custom.role_id.clone()))
}

fn refusal(config: &str, given: &str, id: &str) -> Error {
    RoleError::BecameTokenAdmin {
        config: config.to_owned(),
        given: given.to_owned(),
        id: id.to_owned(),
    }
    .into()
}
