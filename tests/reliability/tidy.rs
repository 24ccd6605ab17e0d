//! What `tidy` may do and what it may not.

use std::time::Duration;

use harness::leases;
use harness::wait_until;
use serde_json::json;

use harness::SOON;
use harness::TestMount;

/// How much the emulator's clock is behind at the start of a mount for `tidy`.
pub(crate) const BEHIND: Duration = Duration::from_secs(2 * 3_600);

/// Leaves a token that lives although its lease is over, as after a forced revocation, and waits
/// until `tidy` sees that the lease is over.
pub(crate) async fn leave_an_unused_token(mount: &TestMount) {
    mount.role("brief", "10m", "10m").await;
    // The organization ends the token five minutes from now, by Astra's clock hours after its mint: a
    // lease that could last so long is over, and tokens with a short life are left to Astra.
    let emulator = &mount.astra.emulator;
    let life = (BEHIND + Duration::from_secs(300)).as_secs();
    let most = json!({ "org_max_token_expiry_s": life, "org_max_token_expiry_mode": "clamp" });
    emulator.set_knobs(most).expect("knobs");
    let credential = mount.eventual_credential("brief").await;
    let most = json!({ "org_max_token_expiry_s": null });
    emulator.set_knobs(most).expect("knobs");
    emulator.set_clock(emulator.now() + BEHIND);
    mount.astra.refuse_deletions(true);
    let prefix = format!("{}/creds/brief", mount.name);
    mount
        .api
        .write(&format!("sys/leases/revoke-force/{prefix}"), json!({}))
        .await
        .ok();
    mount.astra.refuse_deletions(false);
    assert!(leases(&mount.api, &format!("{prefix}/")).await.is_empty());
    wait_until("tidy sees the token", SOON, async || {
        let seen = mount.write("tidy", json!({ "dry_run": true })).await.data();
        seen["tokens"].get(&credential.client_id).is_some()
    })
    .await;
    assert!(mount.astra.accepts(&credential.token).await);
}
