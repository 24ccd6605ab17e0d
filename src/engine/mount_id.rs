//! Who this mount is in Astra's eyes.

use serde::Deserialize;
use serde::Serialize;
use tokio::sync::OnceCell;

use super::error::Error;
use super::failpoint;
use super::intent::MountId;
use super::store::Key;
use super::store::Store;

/// The mount's random id, made at the first use that can store it.
pub(crate) struct Identity {
    store: Store,
    mount_id: OnceCell<MountId>,
}

#[derive(Deserialize, Serialize)]
struct MountEntry {
    id: MountId,
}

impl Identity {
    /// The identity in `store`.
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            mount_id: OnceCell::new(),
        }
    }

    /// The mount's id.  Stored before it is used, so that no two ids are ever in use.
    pub(crate) async fn mount_id(&self) -> Result<MountId, Error> {
        self.mount_id
            .get_or_try_init(|| async {
                if let Some(entry) = self.store.get::<MountEntry>(&Key::mount()).await? {
                    return Ok::<_, Error>(entry.id);
                }
                let id = MountId::random();
                self.store.put(&Key::mount(), &MountEntry { id }).await?;
                failpoint::hit("mount.identified");
                Ok(id)
            })
            .await
            .copied()
    }
}
