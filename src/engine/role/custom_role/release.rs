//! Giving a custom Astra role up: noted first, deleted once the role no longer names it.

use super::error::refused;
use super::nonce::Nonce;
use super::nonce::is_foreign;
use super::note::Note;
use super::note::Released;
use super::policy_role::PolicyRole;
use super::registry::CustomRoles;
use super::scope::Scope;
use crate::astra;
use crate::astra::Deadline;
use crate::astra::Deletion;
use crate::astra::Role;
use crate::engine::error::Error;
use crate::engine::failpoint;
use crate::engine::role::policy::Policy;
use crate::engine::role::policy_owner::PolicyOwner;

/// A database that no organization has: a policy for it grants nothing.
const NO_DATABASE: &str = "00000000-0000-0000-0000-000000000000";

/// What became of a custom role that was given up.
#[derive(Debug)]
pub(crate) enum Removal {
    /// It is deleted, or Astra says so; then the next tick looks again if that is not certain.
    Gone,
    /// Somebody else wrote it since, so it is left alone and forgotten.
    Foreign,
    /// Astra refuses to delete it, but it grants nothing any more.  The next tick tries again.
    Emptied(astra::Error),
    /// It stays as it is.  The next tick tries again.
    Kept(astra::Error),
}

impl CustomRoles {
    /// Notes durably that `custom`, which `owner` has in the organization `org_id` of `config`, is to go,
    /// before the role that names it goes.  The config may be gone.
    pub(crate) async fn note_release(
        &self,
        config: &str,
        org_id: &str,
        owner: PolicyOwner<'_>,
        custom: &PolicyRole,
    ) -> Result<(), Error> {
        let key = owner.note_key(config, org_id);
        let mut note = self.load_at(&key, owner).await?;
        let mut nonces = custom.nonces.clone();
        // None makes room for another: each may be what Astra has.
        let updates = note.updates.iter();
        nonces.extend(
            updates
                .filter(|update| !custom.nonces.contains(update))
                .cloned(),
        );
        note.released
            .retain(|released| released.role_id != custom.role_id);
        note.released.push(Released {
            role_id: custom.role_id.clone(),
            name: custom.name.clone(),
            nonces,
            is_emptied: false,
            emptying: None,
        });
        self.save_at(&key, &note).await
    }

    /// Deletes the custom role `role_id`, whose release is noted and which no stored role names.
    pub(crate) async fn finish_release(
        &self,
        scope: &Scope<'_>,
        role_id: &str,
        deadline: Deadline,
    ) -> Result<Removal, Error> {
        let mut note = self.load(scope).await?;
        match scope.connection.client.roles(deadline).await {
            Ok(roles) => {
                self.remove_released(scope, &mut note, role_id, &roles, deadline)
                    .await
            }
            Err(error) => Ok(Removal::Kept(error)),
        }
    }

    /// Deletes one of the custom roles that `note` has as released; `roles` is what the organization
    /// lists.
    pub(super) async fn remove_released(
        &self,
        scope: &Scope<'_>,
        note: &mut Note,
        role_id: &str,
        roles: &[Role],
        deadline: Deadline,
    ) -> Result<Removal, Error> {
        let of_id = |released: &&Released| released.role_id == role_id;
        let Some(released) = note.released.iter().find(of_id) else {
            return Ok(Removal::Gone);
        };
        let listed = Role::with_id(roles, role_id);
        if listed.is_some_and(|role| is_foreign(role, released.nonces.iter())) {
            tracing::warn!(
                owner = %scope.owner,
                custom_role = released.name,
                role_id,
                "a custom role that was given up is left alone: somebody else has written it since"
            );
            self.forget_released(scope, note, role_id).await?;
            return Ok(Removal::Foreign);
        }
        let is_emptied = is_still_empty(released, listed);
        match scope.connection.client.delete_role(role_id, deadline).await {
            // One that was shown a moment ago, or is new, is perhaps only not shown: the next tick looks again.
            Ok(Deletion::AlreadyAbsent(_)) if listed.is_some() || self.young.contains(role_id) => {
                Ok(Removal::Gone)
            }
            Ok(_) => {
                failpoint::hit("custom-role.deleted");
                self.forget_released(scope, note, role_id).await?;
                Ok(Removal::Gone)
            }
            Err(error) if !error.is_refusal() || error.is_retryable() => Ok(Removal::Kept(error)),
            Err(error) if is_emptied => Ok(Removal::Emptied(error)),
            Err(error) => Ok(match self.empty(scope, note, role_id, deadline).await {
                Ok(()) => Removal::Emptied(error),
                Err(cause) => {
                    tracing::warn!(owner = %scope.owner, role_id, %cause, "a custom role that \
                        cannot be deleted keeps its rights");
                    Removal::Kept(error)
                }
            }),
        }
    }

    /// Takes all rights from a custom role that Astra refuses to delete.
    async fn empty(
        &self,
        scope: &Scope<'_>,
        note: &mut Note,
        role_id: &str,
        deadline: Deadline,
    ) -> Result<(), Error> {
        let of_id = |released: &&mut Released| released.role_id == role_id;
        let Some(released) = note.released.iter_mut().find(of_id) else {
            return Ok(());
        };
        // The same each time: there may be many ticks.
        let nonce = released.emptying.get_or_insert_with(Nonce::random).clone();
        if !released.nonces.contains(&nonce) {
            released.nonces.push(nonce.clone());
        }
        let name = match released.name.as_str() {
            "" => scope.owner.custom_role(scope.connection),
            name => name.to_owned(),
        };
        self.save(scope, note).await?;
        let nothing = Policy {
            resources: vec![format!("drn:astra:org:{}:db:{NO_DATABASE}", scope.org_id)],
            actions: vec!["db-cql".to_owned()],
            description: String::new(),
        };
        let wanted = scope.wanted(&name, &nothing, &nonce);
        let client = &scope.connection.client;
        let emptied = client.update_role(role_id, &wanted, deadline).await;
        emptied.map_err(|error| refused(scope.connection, &error))?;
        if let Some(released) = note.released.iter_mut().find(of_id) {
            released.is_emptied = true;
        }
        self.save(scope, note).await
    }

    async fn forget_released(
        &self,
        scope: &Scope<'_>,
        note: &mut Note,
        role_id: &str,
    ) -> Result<(), Error> {
        note.released.retain(|released| released.role_id != role_id);
        self.save(scope, note).await
    }
}

/// Whether a custom role that was emptied still is, as far as its organization shows: an earlier change
/// that hung may have given rights back.
fn is_still_empty(released: &Released, listed: Option<&Role>) -> bool {
    let shown = listed.filter(|role| role.policy.is_some());
    released.is_emptied && shown.is_none_or(|role| Nonce::of(role) == released.emptying)
}
