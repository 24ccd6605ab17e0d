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
    let due = engine.configs.load_all().await?;
    let due = due.iter().filter_map(|(_, loaded)| match loaded {
        Loaded::Valid(connection) => Some(connection),
        Loaded::Corrupt(_) | Loaded::Missing => None,
    });
    let due = due.filter(|one| {
        let seen = one.health.seen();
        seen.is_none_or(|seen| seen.at.elapsed() > RECOUNT)
    });
    let looks =
        due.map(|connection| status::look(engine, connection, Source::SharedList, deadline));
    futures_util::future::try_join_all(looks).await.map(drop)
}
