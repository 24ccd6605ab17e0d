//! Removing what the archived engine left: after this there is no way back to it.

use serde_json::Map;
use serde_json::json;

use super::import_error::ImportError;
use super::remaining::Remaining;
use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::archived_engine::Folder;
use crate::engine::archived_engine::Record;
use crate::engine::error::Error;
use crate::engine::failpoint;
use crate::engine::time_text::time_text;
use crate::vault::Response;

/// How the takeover is to be finished.
pub(super) struct Finish<'a> {
    pub(super) dry_run: bool,
    /// Although something would be lost.
    pub(super) force: bool,
    pub(super) mount_point: &'a str,
}

impl Finish<'_> {
    /// Finishes it, or goes on with that.
    pub(super) async fn run(
        self,
        engine: &Engine,
        mut record: Record,
        deadline: Deadline,
    ) -> Result<Response, Error> {
        let left = Remaining::count(engine, &record).await?;
        let is_ready = !left.is_open() && left.open_tokens == 0;
        if !is_ready && !self.force && record.is_open() {
            return Err(ImportError::NotReady {
                configs: left.open_configs,
                roles: left.open_roles,
                tokens: left.open_tokens,
                mount_point: self.mount_point.to_owned(),
            }
            .into());
        }
        let mut complete = false;
        if !self.dry_run {
            if record.is_open() {
                leave_out_configs(engine, &mut record).await?;
                record.finished_at = Some(engine.clock.now());
                engine.archived.records.put(&record).await?;
                failpoint::hit("finish.marked");
                tracing::info!("the takeover of the archived engine's mount is finished");
            }
            complete = remove_all(engine, deadline).await?;
        }
        let mut data = Map::new();
        data.insert("dry_run".into(), self.dry_run.into());
        data.insert("complete".into(), complete.into());
        data.insert("finished_at".into(), time_text(record.finished_at).into());
        let removed = json!({"configs": left.configs, "roles": left.roles, "tokens": left.tokens});
        data.insert("removed".into(), removed);
        let mut warnings = vec![
            "rotate the root tokens: the archived engine showed them to everyone who could read \
             config"
                .to_owned(),
        ];
        if !complete && !self.dry_run {
            warnings.push("not all was removed in the time allowed: finish again".to_owned());
        }
        Ok(Response::new(data).with_warnings(warnings))
    }
}

/// Notes which configs are removed that nothing took the place of: leases that name no organization must not
/// end as if these had been asked.
async fn leave_out_configs(engine: &Engine, record: &mut Record) -> Result<(), Error> {
    for (org_key, _) in engine.archived.entries.configs().await? {
        if !record.configs.contains_key(&org_key) {
            record.left_out.insert(org_key);
        }
    }
    Ok(())
}

/// Removes all entries, configs last, and says whether there was time for all.
async fn remove_all(engine: &Engine, deadline: Deadline) -> Result<bool, Error> {
    let entries = &engine.archived.entries;
    for folder in [Folder::Roles, Folder::Tokens, Folder::Configs] {
        for key in entries.keys(folder).await? {
            if deadline.is_over() {
                return Ok(false);
            }
            entries.delete(&key).await?;
            failpoint::hit("finish.entry-removed");
        }
    }
    Ok(true)
}
