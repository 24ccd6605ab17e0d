//! What the present root token is, so that the next can be the same.

use time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

use super::error::RotationError;
use super::error::UnclearRoot;
use crate::astra::Deadline;
use crate::astra::Role;
use crate::astra::TokenEntry;
use crate::engine::astra_error;
use crate::engine::connection::Connection;
use crate::engine::connection::RootLife;
use crate::engine::error::Error;

/// What the next root token is to be.
pub(super) struct RootSpec {
    /// The ids of its Astra roles.
    pub role_ids: Vec<String>,
    /// How long it is to last: as the operator's token was made to.
    pub life: RootLife,
    /// When it is to end by the schedule, where the operator's token had no end.
    pub scheduled_end: Option<OffsetDateTime>,
    /// When Astra ends the present one, by Astra's clock.
    pub present_end: Option<OffsetDateTime>,
}

impl RootSpec {
    /// What Astra's list tells of the root token of `connection`.
    pub(super) async fn of(
        connection: &Connection,
        now: OffsetDateTime,
        deadline: Deadline,
    ) -> Result<Self, Error> {
        let client = &connection.client;
        let client_id = connection.entry.token_client_id();
        let token = client.token(client_id, deadline).await.map_err(|error| {
            astra_error::request_error("list tokens to find the root token", connection, &error)
        })?;
        let refuse = |source| RotationError::PresentUnclear {
            config: connection.name.clone(),
            source,
        };
        let token = token.ok_or_else(|| refuse(UnclearRoot::NotListed(client_id.to_owned())))?;
        let is_id = |role: &String| Uuid::try_parse(role).is_ok();
        let roles = if token.roles.iter().all(is_id) {
            Vec::new()
        } else {
            client.roles(deadline).await.map_err(|error| {
                astra_error::request_error("list the organization's roles", connection, &error)
            })?
        };
        let entry = &connection.entry;
        let role_ids = role_ids(&token, &roles).map_err(refuse)?;
        // An end that an operator chose is kept.
        let life = match entry.root_life {
            Some(life) => life,
            None if entry.ends_by_schedule => RootLife::Unlimited,
            None => life(&token, entry.token_set_at),
        };
        let scheduled_end = match life {
            RootLife::Unlimited => entry.scheduled_end(now),
            RootLife::Seconds(_) => None,
        };
        Ok(Self {
            role_ids,
            life,
            scheduled_end,
            present_end: token.token_expiry,
        })
    }

    /// When a token that is minted at `now` is to end.
    pub(super) fn expiry(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let RootLife::Seconds(seconds) = self.life else {
            return self.scheduled_end;
        };
        let life = Duration::seconds(i64::try_from(seconds).unwrap_or(i64::MAX));
        now.replace_nanosecond(0).ok()?.checked_add(life)
    }
}

/// The ids of the token's roles.  Old tokens may be listed with the names of their roles.
fn role_ids(token: &TokenEntry, roles: &[Role]) -> Result<Vec<String>, UnclearRoot> {
    let mut ids = Vec::new();
    for role in &token.roles {
        if Uuid::try_parse(role).is_ok() {
            ids.push(role.clone());
            continue;
        }
        let named: Vec<&Role> = roles.iter().filter(|other| other.name == *role).collect();
        match named.as_slice() {
            [one] => ids.push(one.id.clone()),
            several => {
                return Err(UnclearRoot::AmbiguousRole {
                    role: role.clone(),
                    count: several.len(),
                });
            }
        }
    }
    ids.sort();
    ids.dedup();
    if ids.is_empty() {
        return Err(UnclearRoot::NoRoles);
    }
    Ok(ids)
}

/// As long as the token was made to last; where the list does not tell when it was made, or names a time
/// after its end, from when it was stored.
fn life(token: &TokenEntry, set_at: OffsetDateTime) -> RootLife {
    let life = token.token_expiry.map(|expiry| {
        let made = token.generated_on.filter(|made| *made < expiry);
        expiry - made.unwrap_or(set_at)
    });
    match life.map(|life| u64::try_from(life.whole_seconds())) {
        Some(Ok(seconds @ 1..)) => RootLife::Seconds(seconds),
        _ => RootLife::Unlimited,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn token(roles: &[&str]) -> TokenEntry {
        TokenEntry {
            client_id: "a".repeat(24),
            description: None,
            generated_on: None,
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            token_expiry: None,
        }
    }

    fn role(id: &str, name: &str) -> Role {
        Role {
            id: id.to_owned(),
            name: name.to_owned(),
            policy: None,
        }
    }

    const ONE: &str = "ad0566b5-2a67-49de-89e8-92258c2f2c98";
    const TWO: &str = "43745b73-25e4-4f7b-8a0b-4f2a3b1c0d9e";

    #[test]
    fn roles_are_the_same_whether_listed_by_id_or_by_name() {
        let roles = [role(ONE, "Administrator"), role(TWO, "Reader")];
        let ids = |listed: &[&str]| role_ids(&token(listed), &roles);
        assert_eq!(ids(&[ONE, TWO]).unwrap(), [TWO, ONE]);
        assert_eq!(ids(&["Administrator", TWO, ONE]).unwrap(), [TWO, ONE]);
        assert!(
            ids(&["Writer"])
                .unwrap_err()
                .to_string()
                .contains("0 roles of that name")
        );
        assert!(
            ids(&[])
                .unwrap_err()
                .to_string()
                .contains("without Astra roles")
        );
        let twice = [role(ONE, "Reader"), role(TWO, "Reader")];
        let error = role_ids(&token(&["Reader"]), &twice)
            .unwrap_err()
            .to_string();
        assert!(error.contains("2 roles of that name"), "{error}");
    }

    #[test]
    fn the_next_token_lasts_as_long_as_the_present_was_made_to_last() {
        let now = datetime!(2026-11-23 12:00:00.7 UTC);
        let set_at = datetime!(2026-11-02 00:00 UTC);
        let mut token = token(&[ONE]);
        let expiry = |token: &TokenEntry| {
            let spec = RootSpec {
                role_ids: Vec::new(),
                life: life(token, set_at),
                scheduled_end: None,
                present_end: token.token_expiry,
            };
            spec.expiry(now)
        };
        assert_eq!(expiry(&token), None);
        token.token_expiry = Some(datetime!(2026-12-01 00:00 UTC));
        assert_eq!(expiry(&token), Some(datetime!(2026-12-22 12:00 UTC)));
        token.generated_on = Some(datetime!(2026-11-01 00:00 UTC));
        assert_eq!(expiry(&token), Some(datetime!(2026-12-23 12:00 UTC)));
        // Nonsense is no reason for a token that never ends.
        token.generated_on = Some(datetime!(2026-12-02 00:00 UTC));
        assert_eq!(expiry(&token), Some(datetime!(2026-12-22 12:00 UTC)));
        token.token_expiry = Some(datetime!(2026-10-01 00:00 UTC));
        assert_eq!(expiry(&token), None);
    }
}
