//! What planning goes by.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::names::Given;
use super::names::Names;
use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::archived_engine::Record;
use crate::engine::connection::Connection;
use crate::engine::error::Error;
use crate::engine::registry::Loaded;

/// What the operator asks for, and what is there.
pub(super) struct Planning<'a> {
    pub(super) engine: &'a Engine,
    /// What was taken over before.
    pub(super) record: &'a Record,
    pub(super) names: &'a Names,
    /// Whether organizations are asked.
    pub(super) verify: bool,
    /// Whether roles may make tokens.
    pub(super) allow_token_admin: bool,
    /// The configs that can be used.
    pub(super) configs: Vec<Arc<Connection>>,
    /// The client ids of the stored tokens.
    pub(super) token_ids: Arc<BTreeSet<String>>,
    /// When organizations have answered or are given up.
    pub(super) deadline: Deadline,
}

impl Planning<'_> {
    /// Whether the operator leaves the thing with `key` out, now or before.
    pub(super) fn is_left_out(&self, key: &str) -> bool {
        match self.names.of(key) {
            Given::LeftOut => true,
            Given::Name(_) => false,
            Given::Nothing => self.record.left_out.contains(key),
        }
    }
}

/// The configs that can be used.
pub(super) async fn usable(engine: &Engine) -> Result<Vec<Arc<Connection>>, Error> {
    let all = engine.configs.load_all().await?.into_iter();
    let usable = all.filter_map(|(_, loaded)| match loaded {
        Loaded::Valid(connection) => Some(connection),
        Loaded::Corrupt(_) | Loaded::Missing => None,
    });
    Ok(usable.collect())
}
