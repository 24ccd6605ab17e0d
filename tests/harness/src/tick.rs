//! The rollback tick, by which a server lets every plugin clean up once a minute.

use crate::Server;
use crate::TICK;
use crate::wait_until;

/// Waits until a rollback tick of `plugin` has ended after this call on one of `servers`, and returns
/// how many tasks the plugin had then.
pub async fn until_ticked(servers: &[&Server], plugin: &str) -> usize {
    let is_tick = |line: &&str| line.contains("the tick has ended") && line.contains(plugin);
    let mut logs: Vec<(&Server, u64)> = servers
        .iter()
        .map(|server| (*server, server.log_length()))
        .collect();
    let mut tasks = None;
    wait_until("a tick has ended", TICK, async || {
        for (server, offset) in &mut logs {
            let (lines, length) = server.log_since(*offset);
            // The last line may not be complete yet.
            let rest = lines.len() - lines.rfind('\n').map_or(0, |at| at + 1);
            *offset = length - u64::try_from(rest).unwrap();
            tasks = tasks.or(lines.lines().find(is_tick).map(tasks_in));
        }
        tasks.is_some()
    })
    .await;
    tasks.unwrap()
}

/// The number of tasks that the log line of a tick names.
fn tasks_in(line: &str) -> usize {
    let number = line.split("tasks=").nth(1).unwrap_or_default();
    let number = number.split(|c: char| !c.is_ascii_digit()).next();
    let number = number.and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("no tasks in {line}"))
}
