//! `import`: what is taken over, and the answer to how far that is.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::Map;
use serde_json::json;

use super::apply;
use super::finish::Finish;
use super::import_error::ImportError;
use super::names::Names;
use super::old_role;
use super::old_role::OldRoles;
use super::plan_configs;
use super::plan_configs::StoredConfig;
use super::plan_roles;
use super::planning;
use super::planning::Planning;
use super::remaining::Remaining;
use super::report::StoredTokens;
use super::report::report;
use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::archived_engine::Record;
use crate::engine::error::Error;
use crate::engine::error::HandlerResult;
use crate::engine::store::StoreError;
use crate::engine::time_text::time_text;
use crate::framework::Call;
use crate::framework::Fields;
use crate::vault::Response;

/// Of the time of a request, so much is for organizations to answer; the rest is for storage.
const ASKING: f32 = 0.75;

/// How far the takeover is, from storage alone.
pub(super) async fn read(engine: Arc<Engine>, _call: Call) -> HandlerResult {
    let record = engine.archived.records.find().await?;
    let known = record.as_deref().cloned().unwrap_or_default();
    let left = Remaining::count(&engine, &known).await?;
    let state = match &record {
        Some(record) if !record.is_open() => "finished",
        None if left.is_empty() => "none",
        _ if left.is_open() => "open",
        Some(_) => "imported",
        None => "open",
    };
    let uses = engine.archived.org_token_uses.load(Ordering::Relaxed);
    let mut data = Map::new();
    data.insert("state".into(), state.into());
    data.insert("configs".into(), json!(known.configs));
    data.insert("roles".into(), json!(known.roles));
    data.insert("left_out".into(), json!(known.left_out));
    let counts = json!({"configs": left.configs, "roles": left.roles, "tokens": left.tokens});
    data.insert("left".into(), counts);
    data.insert("finished_at".into(), time_text(known.finished_at).into());
    data.insert("org_token_uses".into(), uses.into());
    Ok(Some(Response::new(data)))
}

/// Takes over what can be, or finishes the takeover.
pub(super) async fn update(engine: Arc<Engine>, call: Call) -> HandlerResult {
    engine.host.require_writer().await?;
    let deadline = Deadline::after(engine.deadlines.operation);
    let flag = |name| call.fields.bool(name).unwrap_or_default();
    let dry_run = flag("dry_run");
    let _importing = engine.archived.records.lock().await;
    let (record, warnings) = record(&engine).await?;
    let stored = Stored::read(&engine).await?;
    if record == Record::default() && stored.is_empty() {
        return Err(ImportError::Nothing.into());
    }
    let names = Names::read(call.fields.json("names"), &stored.keys())?;
    if flag("finish") {
        check_for_finish(&call.fields, &names)?;
        let finish = Finish {
            dry_run,
            force: flag("force"),
            mount_point: &call.request.mount_point,
        };
        let answer = finish.run(&engine, record, deadline).await?;
        return Ok(Some(answer.with_warnings(warnings)));
    }
    if let Some(finished_at) = record.finished_at {
        return Err(ImportError::Finished(time_text(Some(finished_at))).into());
    }
    if flag("force") {
        return Err(ImportError::OnlyForFinish.into());
    }
    let asked = Asked {
        dry_run,
        names,
        warnings,
    };
    take_over(&engine, &call.fields, asked, record, stored, deadline).await
}

/// Refuses what finishing would ignore, be it given as its default: there is no way back.
fn check_for_finish(fields: &Fields, names: &Names) -> Result<(), ImportError> {
    let was_given = |field: &&str| fields.was_sent(field) && !fields.is_null(field);
    let mut others = ["verify", "allow_token_admin"].into_iter();
    match others.find(was_given) {
        _ if !names.is_empty() => Err(ImportError::NotForFinish("names")),
        Some(field) => Err(ImportError::NotForFinish(field)),
        None => Ok(()),
    }
}

/// What is asked for, beside the fields that planning reads.
struct Asked {
    dry_run: bool,
    names: Names,
    warnings: Vec<String>,
}

async fn take_over(
    engine: &Engine,
    fields: &Fields,
    asked: Asked,
    mut record: Record,
    stored: Stored,
    deadline: Deadline,
) -> HandlerResult {
    let limits = engine.host.writer_limits().await?;
    let known = record.clone();
    let planning = Planning {
        engine,
        record: &known,
        names: &asked.names,
        verify: fields.bool("verify").unwrap_or(true),
        allow_token_admin: fields.bool("allow_token_admin").unwrap_or_default(),
        configs: planning::usable(engine).await?,
        token_ids: stored.token_ids(),
        deadline: deadline.at_most(deadline.remaining().mul_f32(ASKING)),
    };
    let mut configs = plan_configs::configs(&planning, &stored.configs).await?;
    let mut roles = plan_roles::roles(&planning, &stored.roles, &mut configs, limits).await?;
    if !asked.dry_run {
        apply::apply(engine, &mut record, &mut configs, &mut roles, deadline).await?;
        apply::note_left_out(engine, &mut record, &roles).await?;
    }
    Ok(Some(report(
        asked.dry_run,
        &configs,
        &roles,
        &stored.tokens,
        asked.warnings,
    )))
}

/// The record, or an empty one in the place of one that is damaged: what it said is found out again.
async fn record(engine: &Engine) -> Result<(Record, Vec<String>), Error> {
    match engine.archived.records.find().await {
        Ok(record) => Ok((record.as_deref().cloned().unwrap_or_default(), Vec::new())),
        Err(error @ StoreError::Damaged { .. }) => {
            let warning = format!("{error}: it is replaced");
            Ok((Record::default(), vec![warning]))
        }
        Err(error) => Err(error.into()),
    }
}

/// All that the archived engine has stored.
struct Stored {
    configs: Vec<StoredConfig>,
    roles: OldRoles,
    tokens: StoredTokens,
}

impl Stored {
    async fn read(engine: &Engine) -> Result<Self, Error> {
        let entries = &engine.archived.entries;
        Ok(Self {
            configs: entries.configs().await?,
            roles: old_role::sort(entries.roles().await?),
            tokens: entries.tokens().await?,
        })
    }

    fn is_empty(&self) -> bool {
        self.configs.is_empty() && self.roles.is_empty() && self.tokens.is_empty()
    }

    /// The keys of what can have a name.
    fn keys(&self) -> BTreeSet<&str> {
        let configs = self.configs.iter().map(|(org_key, _)| org_key.as_str());
        configs
            .chain(self.roles.keys().map(String::as_str))
            .collect()
    }

    fn token_ids(&self) -> Arc<BTreeSet<String>> {
        let read = self
            .tokens
            .iter()
            .filter_map(|(_, read)| read.as_ref().ok());
        Arc::new(read.map(|token| token.client_id.clone()).collect())
    }
}
