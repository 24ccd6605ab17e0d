//! The plugin dies at every point between two awaits that matter, on every scenario that leads there.

mod run;
mod scenarios;

use std::panic::AssertUnwindSafe;
use std::time::Duration;
use std::time::Instant;

use futures_util::FutureExt;
use harness::Credential;
use harness::Marks;
use harness::Storage;
use harness::wait_until;
use tokio::sync::Semaphore;
use vault_plugin_secrets_astra::engine::failpoint::FAILPOINTS;

use crate::binary;
use crate::reconciliation;
use crate::reconciliation::assert_kept;
use crate::setup::server;
use harness::TICK;
use harness::TestMount;
use scenarios::Asked;
use scenarios::Replaced;
use scenarios::Scenario;
use scenarios::scenarios;

/// How many points are played at once.
const AT_ONCE: usize = 8;
/// How long it may take until the latest point is hit: what a dead process noted is removed two
/// minutes after the first tick that found nothing.
const HIT: Duration = Duration::from_secs(900);

/// One point, one scenario there, and what was done while the point was armed.
struct Case {
    point: &'static str,
    scenario: Scenario,
    /// For messages, and the name of the mount.
    name: String,
    mount: TestMount,
    /// Credentials that were handed out and never revoked.
    kept: Vec<Credential>,
    /// Credentials whose revocation was asked for.
    ended: Vec<Credential>,
    /// What ends rotations that would go on for ever, once the point is hit.
    after: Option<Asked>,
    /// Whether a root token is replaced that the engine did not mint.
    replaced: Replaced,
    /// Whether the protocol's window may leave a token at this point.
    is_window: bool,
}

#[tokio::test]
async fn wherever_the_plugin_dies_nothing_is_left_behind() {
    binary::with_failpoints().await;
    let start = Instant::now();
    let server = server(Storage::Memory).await;
    // For work on some points: FAILPOINTS=config runs those whose name contains it.
    let wanted = std::env::var("FAILPOINTS").unwrap_or_default();
    let all: Vec<_> = FAILPOINTS
        .iter()
        .filter(|point| point.contains(&wanted))
        .flat_map(|point| {
            scenarios(point)
                .into_iter()
                .map(move |scenario| (*point, scenario))
        })
        .collect();
    let count = all.len();
    // Not all are set up at once, as each starts a process. Each is checked as soon as it has been played:
    // two minutes after the first clean tick the block of a dead process goes, and with it the proof that a
    // token is of the window.
    let places = Semaphore::new(AT_ONCE);
    let checks = all.into_iter().map(async |(point, (name, scenario))| {
        let place = places.acquire().await.unwrap();
        let case = Case::run(point, name, scenario, &server).await;
        drop(place);
        // One case that fails must not hide what the others show.
        let passed = AssertUnwindSafe(case.check()).catch_unwind().await.is_ok();
        (!passed).then_some(case.name)
    });
    let failed: Vec<_> = futures_util::future::join_all(checks)
        .await
        .into_iter()
        .flatten()
        .collect();
    assert!(
        failed.is_empty(),
        "{} of {count} failed: {failed:?}",
        failed.len()
    );
    println!(
        "{count} scenarios to {} points played and checked in {:.0?}",
        FAILPOINTS.len(),
        start.elapsed()
    );
    println!(
        "{} points, 0 orphans, 0 lost revocations, 0 handed-out tokens deleted",
        FAILPOINTS.len()
    );
}

impl Case {
    /// Waits until the point is hit and a tick has ended after that, and compares.
    async fn check(&self) {
        let Self { mount, name, .. } = self;
        wait_until(&format!("{name} is hit"), HIT, async || !mount.is_armed()).await;
        let mut marks = Marks::default();
        mount.stored.note_marks(&mut marks).await;
        if let Some(Asked { method, path, body }) = &self.after {
            let path = format!("{}/{path}", mount.name);
            mount
                .insist(method.clone(), &path, Some(body.clone()))
                .await;
        }
        mount.until_tick().await;
        let result = reconciliation::reached(mount, marks, 2 * TICK).await;
        let most = usize::from(self.is_window);
        assert!(result.window.len() <= most, "{name}: {:?}", result.window);
        assert_kept(&mount.stored, &mount.astra, &self.kept).await;
        for credential in &self.ended {
            assert!(
                !mount.astra.accepts(&credential.token).await,
                "{name}: a revocation got lost"
            );
        }
        self.check_custom_roles().await;
        let deleted = mount.astra.emulator.invariants().foreign_deletes;
        let expected = match self.replaced {
            Replaced::No => deleted == 0,
            Replaced::Yes => deleted == 1,
            Replaced::Perhaps => deleted <= 1,
        };
        assert!(expected, "{name}: {deleted} tokens of others deleted");
        // And it goes on working.
        let last = mount.eventual_credential("reader").await;
        assert!(mount.astra.accepts(&last.token).await, "{name}");
    }

    /// Custom Astra roles are there for the roles and static roles that have a policy, and for no other.
    async fn check_custom_roles(&self) {
        let Self { mount, name, .. } = self;
        let mut wanted = 0;
        for role in mount.names("roles").await {
            let data = mount.data(&format!("roles/{role}")).await;
            if data["policy"].is_object() {
                wanted += 1;
                let credential = mount.eventual_credential(&role).await;
                assert!(mount.astra.accepts(&credential.token).await, "{name}");
            }
        }
        for role in mount.names("static-roles").await {
            let data = mount.data(&format!("static-roles/{role}")).await;
            wanted += usize::from(data["policy"].is_object());
            let data = mount.data(&format!("static-creds/{role}")).await;
            let token = data["token"].as_str().unwrap();
            assert!(mount.astra.accepts(token).await, "{name}");
        }
        let is_even = || {
            let roles = mount.astra.emulator.roles(None).unwrap();
            let mut names = roles.into_iter().map(|role| role.name);
            names
                .by_ref()
                .filter(|name| name.starts_with("vault-"))
                .count()
                == wanted
        };
        // Where a token's overlap has to end first, a tick deletes the custom role after it.
        wait_until(
            &format!("{name}: {wanted} custom roles are left"),
            2 * TICK,
            async || is_even(),
        )
        .await;
    }
}
