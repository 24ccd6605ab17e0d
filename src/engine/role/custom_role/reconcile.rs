//! What the host's tick does about a note: the stored role decides.

use super::ensure::list;
use super::error::refused;
use super::nonce::Nonce;
use super::nonce::is_foreign;
use super::note::Note;
use super::policy_role::PolicyRole;
use super::registry::CustomRoles;
use super::release::Removal;
use super::scope::Scope;
use crate::astra;
use crate::astra::Deadline;
use crate::astra::Deletion;
use crate::astra::Role;
use crate::engine::astra_error;
use crate::engine::error::Error;
use crate::engine::failpoint;
use crate::engine::role::previous_token::PreviousToken;

/// What storage says of an owner in one organization.
#[derive(Clone, Copy, Default)]
pub(crate) struct Claim<'a> {
    /// The custom role that the stored role names.
    pub custom: Option<&'a PolicyRole>,
    /// Replaced tokens that live on, which may need a custom role that was given up.
    pub overlapping: &'a [PreviousToken],
}

impl CustomRoles {
    /// Brings Astra in step with what is stored.  The caller keeps everyone else from changing the
    /// role meanwhile.
    pub(crate) async fn reconcile(
        &self,
        scope: &Scope<'_>,
        claim: Claim<'_>,
        deadline: Deadline,
    ) -> Result<(), Error> {
        let mut note = self.load(scope).await?;
        if note.is_done() {
            return Ok(());
        }
        let connection = scope.connection;
        let own = connection.client.own_org(deadline).await.map_err(|error| {
            astra_error::request_error("ask for the root token's organization", connection, &error)
        })?;
        if !astra::is_same_organization(own, scope.org_id) {
            if self.is_first_out_of_reach(scope.key()) {
                tracing::warn!(
                    config = connection.name,
                    owner = %scope.owner,
                    org_id = scope.org_id,
                    "custom roles wait to be brought in step in an organization that the config is \
                     no longer for"
                );
            }
            return Ok(());
        }
        self.is_in_reach(scope);
        let roles = list(connection, deadline).await?;
        // What fails in one step keeps the next from nothing.
        let updated = match claim.custom {
            Some(custom) => {
                self.resolve_updates(scope, &mut note, custom, &roles, deadline)
                    .await
            }
            None => {
                note.updates.clear();
                Ok(())
            }
        };
        let created = self
            .resolve_creates(scope, &mut note, claim, &roles, deadline)
            .await;
        let removed = self
            .remove_all_released(scope, &mut note, claim, &roles, deadline)
            .await;
        let saved = self.save(scope, &note).await;
        updated.and(created).and(removed).and(saved)
    }

    /// Brings the custom role that the stored role names in step, and forgets the changes that can no longer
    /// take effect.
    async fn resolve_updates(
        &self,
        scope: &Scope<'_>,
        note: &mut Note,
        custom: &PolicyRole,
        roles: &[Role],
        deadline: Deadline,
    ) -> Result<(), Error> {
        // A crash came before the role was stored without it.
        note.released
            .retain(|released| released.role_id != custom.role_id);
        let resent = match note.updates.is_empty() {
            true => Ok(()),
            false => self.resend(scope, note, custom, roles, deadline).await,
        };
        // One that hung may take effect after what was sent now, and is known by its nonce alone.
        if self.updates_are_over(scope) {
            let shown = Role::with_id(roles, &custom.role_id).and_then(Nonce::of);
            let is_needed = |update: &Nonce| resent.is_err() && shown.as_ref() == Some(update);
            note.updates.retain(is_needed);
        }
        resent
    }

    /// Sends the stored policy, unless somebody else wrote the custom role since.
    async fn resend(
        &self,
        scope: &Scope<'_>,
        note: &Note,
        custom: &PolicyRole,
        roles: &[Role],
        deadline: Deadline,
    ) -> Result<(), Error> {
        let owner = scope.owner;
        let listed = Role::with_id(roles, &custom.role_id);
        let known = || custom.nonces.iter().chain(&note.updates);
        match listed {
            None => {
                tracing::warn!(%owner, "the custom role was deleted in Astra; write the role \
                    again");
                Ok(())
            }
            Some(role) if is_foreign(role, known()) => {
                tracing::warn!(%owner, custom_role = role.name, "the custom role is left alone: \
                    somebody else has written it since");
                Ok(())
            }
            // Astra has what storage says.
            Some(role) if Nonce::of(role).is_some_and(|own| custom.nonces.last() == Some(&own)) => {
                Ok(())
            }
            Some(role) => self.send_stored(scope, custom, role, deadline).await,
        }
    }

    /// Sends the policy of the stored `custom` to its custom role, which is listed as `role`.  Where Astra
    /// does not know the role, only another list shows whether it was deleted meanwhile.
    pub(crate) async fn send_stored(
        &self,
        scope: &Scope<'_>,
        custom: &PolicyRole,
        role: &Role,
        deadline: Deadline,
    ) -> Result<(), Error> {
        // What storage says is sent, its nonce included.
        let nonce = custom.nonces.last().cloned().unwrap_or_else(Nonce::random);
        let wanted = scope.wanted(&role.name, &custom.policy, &nonce);
        let client = &scope.connection.client;
        match client.update_role(&role.id, &wanted, deadline).await {
            Ok(()) => {
                failpoint::hit("tick.custom-role-sent");
                Ok(())
            }
            Err(error) => Err(refused(scope.connection, &error)),
        }
    }

    /// Deletes custom roles that interrupted creates made and that no stored role names.
    async fn resolve_creates(
        &self,
        scope: &Scope<'_>,
        note: &mut Note,
        claim: Claim<'_>,
        roles: &[Role],
        deadline: Deadline,
    ) -> Result<(), Error> {
        if note.creates.is_empty() {
            return Ok(());
        }
        let made = roles.iter().filter_map(|role| {
            let nonce = Nonce::of(role)?;
            note.creates.contains(&nonce).then_some((role, nonce))
        });
        let made: Vec<(&Role, Nonce)> = made.collect();
        let is_claimed = |role: &Role| {
            let custom = claim.custom;
            custom.is_some_and(|custom| custom.role_id.eq_ignore_ascii_case(&role.id))
        };
        let mut failed = None;
        for (role, nonce) in &made {
            // What was given up goes by itself, once no token needs it.
            if !is_claimed(role) && !note.has_released(&role.id) {
                tracing::info!(
                    config = scope.connection.name,
                    custom_role = role.name,
                    "deleting a custom role that no role names"
                );
                let client = &scope.connection.client;
                match client.delete_role(&role.id, deadline).await {
                    Ok(Deletion::Deleted) => failpoint::hit("tick.custom-role-deleted"),
                    // It was shown a moment ago: later lists tell.
                    Ok(Deletion::AlreadyAbsent(_)) => continue,
                    Err(error) => {
                        failed.get_or_insert(refused(scope.connection, &error));
                        continue;
                    }
                }
            }
            note.creates.retain(|create| create != nonce);
        }
        if made.is_empty() && self.absent_since_window(scope) {
            note.creates.clear();
        }
        failed.map_or(Ok(()), Err)
    }

    /// Deletes the custom roles that were given up, except those that a token still needs.
    async fn remove_all_released(
        &self,
        scope: &Scope<'_>,
        note: &mut Note,
        claim: Claim<'_>,
        roles: &[Role],
        deadline: Deadline,
    ) -> Result<(), Error> {
        for released in note.released.clone() {
            let id = &released.role_id;
            let mut overlapping = claim.overlapping.iter();
            if overlapping.any(|token| token.holds_custom_role(id)) {
                continue;
            }
            let removed = self
                .remove_released(scope, note, id, roles, deadline)
                .await?;
            if let Removal::Emptied(error) | Removal::Kept(error) = removed {
                tracing::warn!(
                    owner = %scope.owner,
                    custom_role = released.name,
                    %error,
                    "a custom role that was given up cannot be deleted; the next tick tries again"
                );
            }
        }
        Ok(())
    }
}
