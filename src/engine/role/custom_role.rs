//! The custom Astra role that the engine keeps for a role or a static role with a policy.
//!
//! Vault's storage and Astra cannot change in one step, so a [`Note`] is durable before Astra is
//! touched and goes away when both agree again.  A note that a dead process left is settled by the
//! host's tick ([`CustomRoles::reconcile`]): the stored role wins.  If it claims the custom role, its policy
//! is sent again; if not, the custom role is deleted.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::PoisonError;

use serde::Deserialize;
use serde::Serialize;
use tokio::time::Instant;

use super::PolicyOwner;
use super::PolicyRole;
use super::policy::Policy;
use crate::astra;
use crate::astra::CreateRoleError;
use crate::astra::Deadline;
use crate::astra::NewRole;
use crate::engine::astra_error;
use crate::engine::connection::Connection;
use crate::engine::error::Error;
use crate::engine::failpoint;
use crate::engine::intent::LATE_CREATE_WINDOW;
use crate::engine::store::Key;
use crate::engine::store::Store;
use crate::vault::Error as VaultError;

/// Keeps custom Astra roles in step with the roles that have a policy.
pub struct CustomRoles {
    store: Store,
    /// Since when the organization is known to have no role of a note's name, by the note's key.
    clean_since: Mutex<HashMap<Key, Instant>>,
}

/// The durable note that a role's custom Astra role may be out of step.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Note {
    /// The custom role's name.
    pub name: String,
    /// The organization it is in.
    pub org_id: String,
    /// Whether a create may be on its way, so that a list without it proves nothing yet.
    pub creating: bool,
}

/// What a note turned out to need.
#[derive(Debug, Eq, PartialEq)]
pub enum Reconciled {
    /// Nothing is left to do.
    Done,
    /// The next tick looks again.
    Later,
}

impl CustomRoles {
    /// The custom roles noted in `store`.
    pub fn new(store: Store) -> Self {
        Self {
            store,
            clean_since: Mutex::default(),
        }
    }

    /// Makes the custom role of `claimant` grant `policy`, and returns its id.
    ///
    /// `known_id` is the id of the custom role that `claimant` has already.  A note stands until
    /// [`CustomRoles::stored`], which is for the caller to call once the role is stored.
    pub async fn ensure(
        &self,
        connection: &Connection,
        claimant: PolicyOwner<'_>,
        policy: &Policy,
        known_id: Option<&str>,
        deadline: Deadline,
    ) -> Result<String, Error> {
        let wanted = NewRole {
            name: claimant.custom_role(connection),
            policy: policy.for_astra(&purpose(claimant)),
        };
        let refused = |error: &astra::Error| refused(connection, error);
        if let Some(id) = known_id {
            self.note(connection, claimant, false).await?;
            match connection.client.update_role(id, &wanted, deadline).await {
                Ok(()) => {
                    failpoint::hit("custom-role.updated");
                    return Ok(id.to_owned());
                }
                // Somebody deleted it in Astra.
                Err(astra::Error::NotFound { .. }) => {}
                Err(error) => return Err(refused(&error)),
            }
        }
        let noted = self.noted(&connection.name, claimant).await?;
        if let Some(found) = find(connection, &wanted.name, deadline).await? {
            // The mount's id is in the name, but after a restored snapshot two mounts share it: only
            // a note says that the custom role is this one's.
            if noted.is_none() {
                return Err(name_is_taken(connection, &wanted.name, &found));
            }
            let updated = connection.client.update_role(&found, &wanted, deadline);
            updated.await.map_err(|error| refused(&error))?;
            failpoint::hit("custom-role.adopted");
            return Ok(found);
        }
        self.note(connection, claimant, true).await?;
        match connection.client.create_role(&wanted, deadline).await {
            Ok(made) => {
                failpoint::hit("custom-role.made");
                Ok(made.id)
            }
            Err(CreateRoleError::NotMade(error)) => {
                // An earlier create may still be on its way; its note stays.
                if !noted.is_some_and(|note| note.creating)
                    && let Err(cause) = self.forget(&connection.name, claimant).await
                {
                    tracing::debug!(%claimant, %cause, "the note of a refused custom role stays until the next tick");
                }
                Err(refused(&error))
            }
            // Names are unique, so the list shows whether it was made.
            Err(CreateRoleError::Unknown(error)) => {
                match find(connection, &wanted.name, deadline).await {
                    Ok(Some(found)) => Ok(found),
                    Ok(None) | Err(_) => Err(refused(&error)),
                }
            }
        }
    }

    /// Notes durably that the custom role of `claimant` is to go, before the role that claims it goes.
    pub async fn note_removal(
        &self,
        connection: &Connection,
        claimant: PolicyOwner<'_>,
    ) -> Result<(), Error> {
        self.note(connection, claimant, false).await
    }

    /// Deletes the custom role that `claimant` no longer claims.  A failure is a warning: the note
    /// stands, and the tick tries again.
    pub async fn remove(
        &self,
        connection: &Connection,
        claimant: PolicyOwner<'_>,
        custom: &PolicyRole,
        deadline: Deadline,
    ) -> Option<String> {
        let id = &custom.role_id;
        match connection.client.delete_role(id, deadline).await {
            Ok(_) => {
                failpoint::hit("custom-role.deleted");
                let creating = match self.noted(&connection.name, claimant).await {
                    Ok(note) => note.is_some_and(|note| note.creating),
                    Err(_) => true,
                };
                if !creating && let Err(error) = self.forget(&connection.name, claimant).await {
                    tracing::debug!(%claimant, %error, "the note of a deleted custom role stays until the next tick");
                }
                None
            }
            Err(error) => {
                connection.health.failed(&error);
                let name = claimant.custom_role(connection);
                Some(format!(
                    "the custom Astra role \"{name}\" ({id}) could not be deleted yet: {error}. The engine tries again about \
                     once a minute; the root token needs org-role-delete"
                ))
            }
        }
    }

    /// Storage and Astra agree about the custom role of `claimant`.
    async fn forget(&self, config: &str, claimant: PolicyOwner<'_>) -> Result<(), Error> {
        let key = claimant.note_key(config);
        self.store.delete(&key).await?;
        failpoint::hit("custom-role.note-dropped");
        self.clean_since().remove(&key);
        Ok(())
    }

    /// The claim is stored, so Astra and storage agree; a note that cannot be dropped goes with the
    /// next tick.
    pub async fn stored(&self, connection: &Connection, claimant: PolicyOwner<'_>) {
        if let Err(error) = self.forget(&connection.name, claimant).await {
            tracing::debug!(%claimant, %error, "the note of a custom role stays until the next tick");
        }
    }

    /// By config, the names that have notes in `folder`: `Key::CUSTOM_ROLES` for roles,
    /// `Key::STATIC_CUSTOM_ROLES` for static roles.
    pub async fn pending(&self, folder: &str) -> Result<BTreeMap<String, Vec<String>>, Error> {
        let mut pending = BTreeMap::new();
        for config in self.store.list(folder).await? {
            let names = self.store.list(&format!("{folder}{config}/")).await?;
            pending.insert(config, names);
        }
        Ok(pending)
    }

    /// Brings Astra in step with what is stored: `claim` is what the stored role says.  The caller
    /// keeps everybody else from changing the role meanwhile.
    pub async fn reconcile(
        &self,
        connection: &Connection,
        claimant: PolicyOwner<'_>,
        claim: Option<&PolicyRole>,
        deadline: Deadline,
    ) -> Result<Reconciled, Error> {
        let Some(note) = self.noted(&connection.name, claimant).await? else {
            return Ok(Reconciled::Done);
        };
        let org_id = connection.entry.org_id.as_ref();
        if org_id.is_some_and(|org_id| *org_id != note.org_id) && !note.org_id.is_empty() {
            tracing::warn!(
                config = connection.name,
                custom_role = note.name,
                org_id = note.org_id,
                "a custom role waits to be settled in an organization that the config is no longer for"
            );
            return Ok(Reconciled::Later);
        }
        if let Some(claim) = claim {
            let wanted = NewRole {
                name: note.name.clone(),
                policy: claim.policy.for_astra(&purpose(claimant)),
            };
            match connection
                .client
                .update_role(&claim.role_id, &wanted, deadline)
                .await
            {
                Ok(()) => {
                    failpoint::hit("tick.custom-role-sent");
                    self.forget(&connection.name, claimant).await?;
                    return Ok(Reconciled::Done);
                }
                // One of that name that is there all the same is of a write that failed.
                Err(astra::Error::NotFound { .. }) => {
                    tracing::warn!(
                        %claimant,
                        "the custom role was deleted in Astra; write the role again"
                    );
                }
                Err(error) => return Err(refused(connection, &error)),
            }
        }
        if let Some(id) = find(connection, &note.name, deadline).await? {
            tracing::info!(
                config = connection.name,
                custom_role = note.name,
                "deleting a custom role that no role claims"
            );
            connection
                .client
                .delete_role(&id, deadline)
                .await
                .map_err(|error| refused(connection, &error))?;
            failpoint::hit("tick.custom-role-deleted");
        } else if note.creating && !self.absent_since_window(&connection.name, claimant) {
            return Ok(Reconciled::Later);
        }
        self.forget(&connection.name, claimant).await?;
        Ok(Reconciled::Done)
    }

    async fn note(
        &self,
        connection: &Connection,
        claimant: PolicyOwner<'_>,
        creating: bool,
    ) -> Result<(), Error> {
        let key = claimant.note_key(&connection.name);
        let before: Option<Note> = self.store.get(&key).await?;
        let note = Note {
            name: claimant.custom_role(connection),
            org_id: connection.entry.org_id.clone().unwrap_or_default(),
            // A create that an earlier note told of may still be on its way.
            creating: creating || before.as_ref().is_some_and(|before| before.creating),
        };
        if before.as_ref() != Some(&note) {
            self.store.put(&key, &note).await?;
            failpoint::hit("custom-role.noted");
        }
        if creating {
            self.clean_since().remove(&key);
        }
        Ok(())
    }

    async fn noted(&self, config: &str, claimant: PolicyOwner<'_>) -> Result<Option<Note>, Error> {
        Ok(self.store.get(&claimant.note_key(config)).await?)
    }

    fn absent_since_window(&self, config: &str, claimant: PolicyOwner<'_>) -> bool {
        let now = Instant::now();
        let mut clean_since = self.clean_since();
        let since = clean_since.entry(claimant.note_key(config)).or_insert(now);
        now.duration_since(*since) >= LATE_CREATE_WINDOW
    }

    fn clean_since(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Instant>> {
        self.clean_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The description where the operator gave none.
fn purpose(claimant: PolicyOwner<'_>) -> String {
    format!("Kept by Vault for {claimant}")
}

/// The id of the organization's custom role called `name`.
async fn find(
    connection: &Connection,
    name: &str,
    deadline: Deadline,
) -> Result<Option<String>, Error> {
    let roles = connection.client.roles(deadline).await.map_err(|error| {
        astra_error::request_error("list the organization's roles", connection, &error)
    })?;
    let found = roles.into_iter().find(|role| role.name == name);
    Ok(found.map(|role| role.id))
}

/// What a refusal of the custom role becomes for whoever writes the role.
fn refused(connection: &Connection, error: &astra::Error) -> Error {
    let config = &connection.name;
    match error {
        astra::Error::Forbidden { .. } => VaultError::BadRequest(format!(
            "policy: the root token of config \"{config}\" may not keep custom roles: give it org-role-write and org-role-delete, \
             or use astra_roles instead ({error})"
        )).into(),
        astra::Error::BadRequest { .. } => VaultError::BadRequest(format!(
            "policy: Astra does not accept it, so correct its resources and actions ({error})"
        )).into(),
        _ => astra_error::request_error(
            "keep the custom Astra role of the policy",
            connection,
            error,
        ),
    }
}

fn name_is_taken(connection: &Connection, name: &str, id: &str) -> Error {
    VaultError::BadRequest(format!(
        "policy: the organization of config \"{}\" already has a custom role \"{name}\" ({id}), of which this mount knows nothing; \
         a mount restored from the same snapshot may use it: delete or rename it in Astra, or give the Vault role another name",
        connection.name
    )).into()
}
