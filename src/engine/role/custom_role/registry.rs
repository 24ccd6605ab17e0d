//! The notes about custom Astra roles of one mount.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::nonce::Nonce;
use super::note::Note;
use super::note::PendingNote;
use super::scope::Scope;
use crate::astra::is_same_organization;
use crate::engine::connection::Connection;
use crate::engine::error::Error;
use crate::engine::failpoint;
use crate::engine::role::policy_owner::PolicyOwner;
use crate::engine::store::Key;
use crate::engine::store::Store;
use crate::engine::store::StoreError;

/// Since when something is so, by a note's key.
#[derive(Default)]
struct Since(Mutex<HashMap<Key, Instant>>);

impl Since {
    /// It begins again the next time that it is asked for.
    fn forget(&self, key: &Key) {
        self.0.lock().remove(key);
    }

    /// Whether it has been so for `window`, since it was asked for the first time.
    fn has_lasted(&self, key: Key, window: Duration) -> bool {
        let now = Instant::now();
        let mut since = self.0.lock();
        now.duration_since(*since.entry(key).or_insert(now)) >= window
    }
}

/// Custom roles that were made a moment ago: that Astra does not show one yet says nothing.
pub(super) struct YoungRoles {
    /// How long one may not be shown.
    window: Duration,
    /// When this process began: it does not know what the one before has made.
    began: Instant,
    /// Until when those that it has made may not be shown.
    until: Mutex<HashMap<String, Instant>>,
}

impl YoungRoles {
    fn new(window: Duration) -> Self {
        Self {
            window,
            began: Instant::now(),
            until: Mutex::default(),
        }
    }

    /// Astra has just made the custom role `role_id`.
    pub(super) fn add(&self, role_id: String) {
        let mut young = self.until.lock();
        young.retain(|_, until| *until > Instant::now());
        young.insert(role_id, Instant::now() + self.window);
    }

    /// Whether the custom role `role_id` may not be shown yet.
    pub(super) fn contains(&self, role_id: &str) -> bool {
        if self.began.elapsed() < self.window {
            return true;
        }
        let young = self.until.lock();
        young
            .get(role_id)
            .is_some_and(|until| *until > Instant::now())
    }
}

/// Keeps custom Astra roles in step with the roles that have a policy.
pub(crate) struct CustomRoles {
    store: Store,
    /// How long a change that no one waits for any more may still take effect.
    late_window: Duration,
    /// What was made a moment ago.
    pub(super) young: YoungRoles,
    /// Since when lists show none of a note's creates, by the note's key.
    clean_since: Since,
    /// Since when a note's updates may be on their way, by the note's key.
    updates_since: Since,
    /// Notes of which it was logged that their organization cannot be reached.
    out_of_reach: Mutex<HashSet<Key>>,
}

impl CustomRoles {
    /// The custom roles noted in `store`; `late_window` is how long a change that no one waits for any
    /// more may still take effect in Astra.
    pub(crate) fn new(store: Store, late_window: Duration) -> Self {
        Self {
            store,
            late_window,
            young: YoungRoles::new(late_window),
            clean_since: Since::default(),
            updates_since: Since::default(),
            out_of_reach: Mutex::default(),
        }
    }

    /// By config, the notes in `folder`: `Key::CUSTOM_ROLES` for roles, `Key::STATIC_CUSTOM_ROLES`
    /// for static roles.
    pub(crate) async fn pending(
        &self,
        folder: &str,
    ) -> Result<BTreeMap<String, Vec<PendingNote>>, Error> {
        let mut pending = BTreeMap::new();
        for config in self.store.list(folder).await? {
            let notes = self.notes_of(folder, &config).await?;
            pending.insert(config, notes);
        }
        Ok(pending)
    }

    /// The notes of one config in `folder`.
    async fn notes_of(&self, folder: &str, config: &str) -> Result<Vec<PendingNote>, Error> {
        let mut notes = Vec::new();
        for org_id in self.store.list(&format!("{folder}{config}/")).await? {
            let names = self
                .store
                .list(&format!("{folder}{config}/{org_id}/"))
                .await?;
            notes.extend(names.into_iter().map(|name| PendingNote {
                org_id: org_id.clone(),
                name,
            }));
        }
        Ok(notes)
    }

    /// How many notes there are about custom roles in the organization of the config of `connection`, all of
    /// that config where it does not tell its organization.
    pub(crate) async fn pending_of(&self, connection: &Connection) -> Result<usize, Error> {
        let own = connection.entry.org_id.as_deref();
        let mut count = 0;
        for folder in [Key::CUSTOM_ROLES, Key::STATIC_CUSTOM_ROLES] {
            let mut notes = self.notes_of(folder, &connection.name).await?;
            notes.retain(|note| own.is_none_or(|own| is_same_organization(own, &note.org_id)));
            count += notes.len();
        }
        Ok(count)
    }

    /// The entry of the owner is stored with the custom role that was written with `nonces`, newest last.
    /// A note that cannot be changed is finished by the next tick.
    pub(crate) async fn stored(&self, scope: &Scope<'_>, nonces: &[Nonce]) {
        let finished = async {
            let mut note = self.load(scope).await?;
            // Of the others each may still take effect, or make a custom role of its own.
            note.updates.retain(|update| nonces.last() != Some(update));
            note.creates.retain(|create| nonces.last() != Some(create));
            self.save(scope, &note).await
        };
        if let Err(error) = finished.await {
            tracing::debug!(owner = %scope.owner, %error, "the note of a custom role stays until \
                the next tick");
        }
    }

    /// The note of `scope`; an empty one where there is none.
    pub(super) async fn load(&self, scope: &Scope<'_>) -> Result<Note, Error> {
        self.load_at(&scope.key(), scope.owner).await
    }

    /// The note of `owner` that is stored under `key`; an empty one where there is none.
    pub(super) async fn load_at(&self, key: &Key, owner: PolicyOwner<'_>) -> Result<Note, Error> {
        match self.store.get(key).await {
            Ok(note) => Ok(note.unwrap_or_default()),
            // What it told is lost; the role must not be lost with it.
            Err(error @ StoreError::Damaged { .. }) => {
                tracing::error!(%owner, %error, "the note of a custom role cannot be \
                    read; a custom role of an interrupted write may stay in Astra");
                Ok(Note::default())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Makes `note` durable; one that has nothing to tell is removed.
    pub(super) async fn save(&self, scope: &Scope<'_>, note: &Note) -> Result<(), Error> {
        self.save_at(&scope.key(), note).await
    }

    /// The same under `key`.
    pub(super) async fn save_at(&self, key: &Key, note: &Note) -> Result<(), Error> {
        if note.is_done() {
            self.store.delete(key).await?;
            failpoint::hit("custom-role.note-dropped");
            self.clean_since.forget(key);
            self.updates_since.forget(key);
            self.out_of_reach.lock().remove(key);
        } else {
            self.store.put(key, note).await?;
            failpoint::hit("custom-role.noted");
        }
        Ok(())
    }

    /// A create is sent: lists of before say nothing about it.
    pub(super) fn expect_create(&self, scope: &Scope<'_>) {
        self.clean_since.forget(&scope.key());
    }

    /// Whether no list has shown a create of `scope` for as long as one may be on its way.  Told when
    /// a list shows none.
    pub(super) fn absent_since_window(&self, scope: &Scope<'_>) -> bool {
        self.clean_since.has_lasted(scope.key(), self.late_window)
    }

    /// An update is sent: the time of those before says nothing about it.
    pub(super) fn expect_update(&self, scope: &Scope<'_>) {
        self.updates_since.forget(&scope.key());
    }

    /// Whether no update of `scope` can take effect any more, because this was asked the first time so
    /// long ago.
    pub(super) fn updates_are_over(&self, scope: &Scope<'_>) -> bool {
        self.updates_since.has_lasted(scope.key(), self.late_window)
    }

    /// The organization of `scope` is in reach.
    pub(super) fn is_in_reach(&self, scope: &Scope<'_>) {
        self.out_of_reach.lock().remove(&scope.key());
    }

    /// Whether it is the first time that the organization of the note under `key` is out of reach.
    pub(crate) fn is_first_out_of_reach(&self, key: Key) -> bool {
        self.out_of_reach.lock().insert(key)
    }
}
