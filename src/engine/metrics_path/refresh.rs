//! Counting live tokens for metrics, as part of the host's tick.

use std::time::Duration;

use crate::astra::Deadline;
use crate::engine::Engine;
use crate::engine::error::Error;
use crate::engine::registry::Loaded;
use crate::engine::status;
use crate::engine::status::Source;

/// Tokens are counted again after this long.
const RECOUNT: Duration = Duration::from_secs(15 * 60);

/// So long after metrics were last read nothing is counted for them.
const UNREAD: Duration = Duration::from_secs(60 * 60);

/// Counts the tokens of each config again, if metrics are read and it is time.
pub(crate) async fn refresh(engine: &Engine, deadline: Deadline) -> Result<(), Error> {
    if !engine.metrics.was_read_within(UNREAD) {
        return Ok(());
    }
    let names = engine.configs.names().await?;
    // Each keeps its own connection only: a rotation waits for those who use the former root token.
    let looks = names.iter().map(|name| refresh_one(engine, name, deadline));
    futures_util::future::try_join_all(looks).await.map(drop)
}

async fn refresh_one(engine: &Engine, name: &str, deadline: Deadline) -> Result<(), Error> {
    let Loaded::Valid(connection) = engine.configs.load(name).await? else {
        return Ok(());
    };
    let seen = connection.health.seen();
    if seen.is_some_and(|seen| seen.at.elapsed() <= RECOUNT) {
        return Ok(());
    }
    let looked = status::look(engine, &connection, Source::SharedList, deadline).await;
    looked.map(drop)
}
