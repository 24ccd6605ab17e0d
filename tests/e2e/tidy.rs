//! Tidying: what it deletes, and what it never does.

use std::time::Duration;

use astra_emulator::PortalToken;
use harness::leases;
use serde_json::json;

use harness::READ_ONLY;
use harness::SOON;
use harness::TestMount;

use crate::setup;

/// How much Astra's clock is behind when a token is made that is to be old.
const BEHIND: Duration = Duration::from_secs(2 * 3_600);

#[tokio::test]
async fn tidy_spares_what_may_be_leased() {
    let mount = setup::mount("tidy").await;
    mount.credential("reader").await;
    mount.astra.emulator.advance_clock(Duration::from_secs(60));
    let dry = mount.write("tidy", json!({ "dry_run": true })).await.data();
    assert_eq!(
        (dry["deleted"].clone(), dry["kept"].clone()),
        (json!(0), json!(1))
    );
    let wet = mount.write("tidy", json!({})).await.data();
    assert_eq!(
        (wet["deleted"].clone(), wet["kept"].clone()),
        (json!(0), json!(1))
    );
    mount.finish().await;
}

/// Leaves a token that outlived its lease, as a forced revocation does; its client id.
async fn leave_an_unused_token(mount: &TestMount) -> String {
    mount.role("brief", "10m", "10m").await;
    // Astra made the token two hours ago and ends it five minutes from now: a lease could last until
    // four minutes ago.
    let emulator = &mount.astra.emulator;
    let life = (BEHIND + Duration::from_secs(300)).as_secs();
    let most = json!({ "org_max_token_expiry_s": life, "org_max_token_expiry_mode": "clamp" });
    emulator.set_knobs(most).unwrap();
    let answer = mount.read("creds/brief").await.ok();
    emulator
        .set_knobs(json!({ "org_max_token_expiry_s": null }))
        .unwrap();
    emulator.set_clock(emulator.now() + BEHIND);

    mount.astra.refuse_deletions(true);
    let prefix = mount.path("creds/brief");
    mount
        .cli
        .ok(&["lease", "revoke", "-force", "-prefix", &prefix])
        .await;
    mount.astra.refuse_deletions(false);
    let is_over = async || leases(&mount.api, &format!("{prefix}/")).await.is_empty();
    harness::wait_until("Vault has forgotten the lease", SOON, is_over).await;
    answer["data"]["client_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn tidy_deletes_only_tokens_whose_lease_has_ended() {
    let mount = setup::mount_in_the_past("tidied", BEHIND).await;
    let unused = leave_an_unused_token(&mount).await;
    let issued = mount.credential("reader").await;
    let fixed = json!({ "astra_roles": READ_ONLY, "rotation_period": "24h" });
    mount.write("static-roles/batch", fixed).await.ok();
    let fixed = mount.read("static-creds/batch").await.data()["client_id"].clone();
    let fixed = fixed.as_str().unwrap();
    mount.keep(fixed, None);
    // One of another mount and one without a tag; both as old as the other and about to end.
    let emulator = &mount.astra.emulator;
    let description = mount.astra.description(&unused);
    let mount_id = description.split(':').nth(1).unwrap();
    for description in [
        description.replace(mount_id, "0123456789ab"),
        "by hand".to_owned(),
    ] {
        emulator.set_clock(emulator.now() - BEHIND);
        let token = PortalToken {
            roles: vec![READ_ONLY.to_owned()],
            description,
            expires_in_s: Some((BEHIND + Duration::from_secs(300)).as_secs()),
            ..PortalToken::default()
        };
        let token = emulator.create_token(token).unwrap();
        emulator.set_clock(emulator.now() + BEHIND);
        assert!(mount.astra.accepts(&token.token).await);
    }
    let others = || emulator.invariants().foreign_deletes;

    let dry = mount.write("tidy", json!({ "dry_run": true })).await.data();
    assert_eq!(dry["tokens"][&unused]["role"], "brief", "{dry}");
    let counts = |answer: &serde_json::Value| {
        ["deleted", "kept", "unknown"].map(|name| answer[name].as_u64().unwrap())
    };
    assert_eq!(counts(&dry), [0, 2, 0], "{dry}");
    assert_eq!(dry["tokens"].as_object().unwrap().len(), 1, "{dry}");
    assert!(
        mount.astra.live().contains(&unused),
        "a dry run deletes nothing"
    );

    mount.astra.refuse_deletions(true);
    let refusal = mount.write("tidy", json!({})).await.refused(502);
    let expected = "cannot delete a token that is no longer used: the root token may not do DELETE";
    assert!(refusal.contains(expected), "{refusal}");
    mount.astra.refuse_deletions(false);
    let done = mount
        .cli
        .json(&["write"], &["-force", &mount.path("tidy")])
        .await;
    assert_eq!(counts(&done["data"]), [1, 2, 0], "{done}");
    assert_eq!(done["data"]["tokens"][&unused]["role"], "brief", "{done}");
    let mut left = mount.astra.live();
    let mut expected = vec![issued.client_id, fixed.to_owned()];
    left.sort();
    expected.sort();
    assert_eq!(left, expected);
    assert_eq!(others(), 0, "tokens of others are not touched");
    let again = mount.write("tidy", json!({})).await.data();
    assert_eq!(counts(&again), [0, 2, 0], "{again}");

    mount
        .api
        .delete(&mount.path("static-roles/batch"))
        .await
        .ok();
    mount.forget(fixed);
    mount.finish().await;
}
