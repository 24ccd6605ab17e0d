//! Making a custom Astra role grant a policy.

use super::error::CustomRoleError;
use super::error::refused;
use super::nonce::Nonce;
use super::note::Note;
use super::policy_role::PolicyRole;
use super::registry::CustomRoles;
use super::scope::Scope;
use crate::astra;
use crate::astra::CreateRoleError;
use crate::astra::Deadline;
use crate::astra::Role;
use crate::engine::astra_error;
use crate::engine::connection::Connection;
use crate::engine::error::Error;
use crate::engine::failpoint;
use crate::engine::role::policy::Policy;

/// A custom role that grants what was asked for.
pub(crate) struct Ensured {
    /// Its id.
    pub role_id: String,
    /// Its name in Astra.
    pub name: String,
    /// What it was written with, or may have been or may be yet; newest last.
    pub nonces: Vec<Nonce>,
    /// What the operator should know.
    pub warning: Option<String>,
}

/// What became of a change of the custom role that the stored role has.
enum Update {
    /// It grants the policy.
    Done(Ensured),
    /// It is said not to exist.
    NotFound(astra::Error),
}

impl CustomRoles {
    /// Makes the custom role of `scope` grant `policy`.
    ///
    /// `known` is what is stored of it in this config's organization, `former` what the stored role has under
    /// whatever config.  A note stands until [`CustomRoles::stored`], which is for the caller to call once
    /// the role is stored.
    pub(crate) async fn ensure(
        &self,
        scope: &Scope<'_>,
        policy: &Policy,
        known: Option<&PolicyRole>,
        former: Option<&PolicyRole>,
        deadline: Deadline,
    ) -> Result<Ensured, Error> {
        let mut note = self.load(scope).await?;
        let mut not_found = None;
        if let Some(known) = known {
            let update = self.update(scope, &mut note, policy, known, deadline);
            match update.await? {
                Update::Done(updated) => return Ok(updated),
                Update::NotFound(error) => not_found = Some((known, error)),
            }
        }
        let roles = list(scope.connection, deadline).await?;
        // Another one in its place would take the rights of the tokens that hold it.
        if let Some((known, error)) = not_found
            && Role::with_id(&roles, &known.role_id).is_some()
        {
            return Err(refused(scope.connection, &error));
        }
        // What was given up is not used again: tokens may hold it.
        let is_lost = |role: &&Role| {
            let is_own = Nonce::of(role).is_some_and(|nonce| note.creates.contains(&nonce));
            is_own && !note.has_released(&role.id)
        };
        match roles.iter().find(is_lost) {
            Some(lost) => self.adopt(scope, note, policy, lost, deadline).await,
            None => {
                self.create(scope, note, policy, former, &roles, deadline)
                    .await
            }
        }
    }

    /// Refuses to send what `note` tells of by now, with `nonce`, where the config is being deleted: nothing
    /// would be left to clear it up.
    async fn check_not_ending(
        &self,
        scope: &Scope<'_>,
        note: &mut Note,
        nonce: &Nonce,
    ) -> Result<(), Error> {
        if !scope.connection.is_ending() {
            return Ok(());
        }
        note.updates.retain(|update| update != nonce);
        note.creates.retain(|create| create != nonce);
        self.save(scope, note).await?;
        let config = scope.connection.name.clone();
        Err(CustomRoleError::ConfigEnds { config }.into())
    }

    /// Sends `policy` to the custom role that the stored role has.
    async fn update(
        &self,
        scope: &Scope<'_>,
        note: &mut Note,
        policy: &Policy,
        known: &PolicyRole,
        deadline: Deadline,
    ) -> Result<Update, Error> {
        let nonce = Nonce::random();
        note.updates.push(nonce.clone());
        self.save(scope, note).await?;
        self.check_not_ending(scope, note, &nonce).await?;
        self.expect_update(scope);
        let name = match known.name.as_str() {
            "" => scope.owner.custom_role(scope.connection),
            name => name.to_owned(),
        };
        let wanted = scope.wanted(&name, policy, &nonce);
        let client = &scope.connection.client;
        match client.update_role(&known.role_id, &wanted, deadline).await {
            Ok(()) => {
                failpoint::hit("custom-role.updated");
                Ok(Update::Done(Ensured {
                    role_id: known.role_id.clone(),
                    name,
                    nonces: note.updates.clone(),
                    warning: None,
                }))
            }
            // It was deleted in Astra, or something in front of Astra says so after the update: the note
            // keeps its nonce.
            Err(error @ astra::Error::NotFound { .. }) => Ok(Update::NotFound(error)),
            Err(error) => Err(refused(scope.connection, &error)),
        }
    }

    /// Takes the custom role `lost`, which an earlier create of this owner made without an answer.
    async fn adopt(
        &self,
        scope: &Scope<'_>,
        mut note: Note,
        policy: &Policy,
        lost: &Role,
        deadline: Deadline,
    ) -> Result<Ensured, Error> {
        let nonce = Nonce::random();
        note.creates.push(nonce.clone());
        self.save(scope, &note).await?;
        self.check_not_ending(scope, &mut note, &nonce).await?;
        // An earlier try to take it may still be on its way, also one that was listed once.
        let nonces = note.creates.clone();
        let wanted = scope.wanted(&lost.name, policy, &nonce);
        let client = &scope.connection.client;
        let updated = client.update_role(&lost.id, &wanted, deadline).await;
        updated.map_err(|error| refused(scope.connection, &error))?;
        failpoint::hit("custom-role.adopted");
        if let Some(found) = Nonce::of(lost) {
            note.creates.retain(|create| *create != found);
            self.save(scope, &note).await?;
        }
        Ok(Ensured {
            role_id: lost.id.clone(),
            name: lost.name.clone(),
            nonces,
            warning: None,
        })
    }

    /// Makes a new custom role.
    async fn create(
        &self,
        scope: &Scope<'_>,
        mut note: Note,
        policy: &Policy,
        former: Option<&PolicyRole>,
        roles: &[Role],
        deadline: Deadline,
    ) -> Result<Ensured, Error> {
        let connection = scope.connection;
        let nonce = Nonce::random();
        let (name, warning) = free_name(scope, &note, former, roles, &nonce);
        note.creates.push(nonce.clone());
        self.save(scope, &note).await?;
        self.check_not_ending(scope, &mut note, &nonce).await?;
        self.expect_create(scope);
        let wanted = scope.wanted(&name, policy, &nonce);
        let ensured = |role_id| Ensured {
            role_id,
            name: name.clone(),
            nonces: vec![nonce.clone()],
            warning,
        };
        let error = match connection.client.create_role(&wanted, deadline).await {
            Ok(made) => {
                failpoint::hit("custom-role.made");
                self.young.add(made.id.clone());
                return Ok(ensured(made.id));
            }
            Err(error) => error,
        };
        // Whatever the answer says, only a list shows whether it was made.
        let made = list(connection, deadline).await.map(|roles| {
            let made = roles
                .into_iter()
                .find(|role| Nonce::of(role) == Some(nonce.clone()));
            made.map(|role| role.id)
        });
        match (made, &error) {
            (Ok(Some(role_id)), _) => return Ok(ensured(role_id)),
            (Ok(None), CreateRoleError::NotMade(_)) => {
                note.creates.retain(|create| *create != nonce);
                if let Err(cause) = self.save(scope, &note).await {
                    tracing::debug!(owner = %scope.owner, %cause, "the note of a refused custom \
                        role stays until the next tick");
                }
            }
            // It may be on its way, so the note stays for the tick.
            (Ok(None) | Err(_), _) => {}
        }
        Err(refused(connection, error.error()))
    }
}

/// The name of a new custom role, and a warning where it is not the usual one because of a custom role
/// that this mount does not know.
fn free_name(
    scope: &Scope<'_>,
    note: &Note,
    former: Option<&PolicyRole>,
    roles: &[Role],
    nonce: &Nonce,
) -> (String, Option<String>) {
    let usual = scope.owner.custom_role(scope.connection);
    let Some(other) = roles.iter().find(|role| role.name == usual) else {
        return (usual, None);
    };
    let name = scope
        .owner
        .other_custom_role(scope.connection, &nonce.to_string());
    let is_released = note.has_released(&other.id);
    let is_former = former.is_some_and(|former| former.role_id.eq_ignore_ascii_case(&other.id));
    let warning = (!is_released && !is_former).then(|| {
        format!(
            "policy: the organization of config \"{}\" already has a custom role \"{usual}\" ({}), \
             of which this mount knows nothing, perhaps of a mount restored from the same \
             snapshot: that one is left alone, and the role's own is called \"{name}\"",
            scope.connection.name, other.id
        )
    });
    (name, warning)
}

/// The organization's roles.
pub(crate) async fn list(connection: &Connection, deadline: Deadline) -> Result<Vec<Role>, Error> {
    let roles = connection.client.roles(deadline).await;
    roles.map_err(|error| {
        astra_error::request_error("list the organization's roles", connection, &error)
    })
}
