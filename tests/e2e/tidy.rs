//! Tidying: what it deletes, and what it never does.

use std::time::Duration;

use astra_emulator::PortalToken;
use harness::leases;
use serde_json::json;

use crate::scene::READ_ONLY;
use crate::scene::SOON;
use crate::scene::Scene;

/// How much Astra's clock is behind when a token is made that is to be old.
const BEHIND: Duration = Duration::from_secs(2 * 3_600);

#[tokio::test]
async fn tidy_spares_what_may_be_leased() {
    let scene = Scene::new("tidy").await;
    scene.credential("reader").await;
    scene.astra.emulator.advance_clock(Duration::from_secs(60));
    let dry = scene.write("tidy", json!({ "dry_run": true })).await.data();
    assert_eq!(
        (dry["deleted"].clone(), dry["kept"].clone()),
        (json!(0), json!(1))
    );
    let wet = scene.write("tidy", json!({})).await.data();
    assert_eq!(
        (wet["deleted"].clone(), wet["kept"].clone()),
        (json!(0), json!(1))
    );
    scene.finish().await;
}

/// Leaves a token that outlived its lease, as a forced revocation does; its client id.
async fn leave_an_unheld_token(scene: &Scene) -> String {
    scene.role("brief", "10m", "10m").await;
    // Astra made the token two hours ago and ends it five minutes from now: a lease could last until
    // four minutes ago.
    let emulator = &scene.astra.emulator;
    let life = (BEHIND + Duration::from_secs(300)).as_secs();
    let most = json!({ "org_max_token_expiry_s": life, "org_max_token_expiry_mode": "clamp" });
    emulator.set_knobs(most).unwrap();
    let answer = scene.read("creds/brief").await.ok();
    emulator
        .set_knobs(json!({ "org_max_token_expiry_s": null }))
        .unwrap();
    emulator.set_clock(emulator.now() + BEHIND);

    scene.astra.refuse_deletions(true);
    let prefix = scene.path("creds/brief");
    scene
        .cli
        .ok(&["lease", "revoke", "-force", "-prefix", &prefix])
        .await;
    scene.astra.refuse_deletions(false);
    let is_over = async || leases(&scene.api, &format!("{prefix}/")).await.is_empty();
    harness::wait_until("Vault has forgotten the lease", SOON, is_over).await;
    answer["data"]["client_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn tidy_deletes_what_nobody_can_hold_any_more_and_nothing_else() {
    let scene = Scene::in_the_past("tidied", BEHIND).await;
    let unheld = leave_an_unheld_token(&scene).await;
    let held = scene.credential("reader").await;
    let fixed = json!({ "astra_roles": READ_ONLY, "rotation_period": "24h" });
    scene.write("static-roles/batch", fixed).await.ok();
    let fixed = scene.read("static-creds/batch").await.data()["client_id"].clone();
    let fixed = fixed.as_str().unwrap();
    scene.keep(fixed, None);
    // Of another mount, and of nobody; both as old as the other and about to end.
    let emulator = &scene.astra.emulator;
    let description = scene.astra.description(&unheld);
    let mount = description.split(':').nth(1).unwrap();
    for description in [
        description.replace(mount, "0123456789ab"),
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
        assert!(scene.astra.accepts(&token.token).await);
    }
    let others = || emulator.invariants().foreign_deletes;

    let dry = scene.write("tidy", json!({ "dry_run": true })).await.data();
    assert_eq!(dry["tokens"][&unheld]["role"], "brief", "{dry}");
    let counts = |answer: &serde_json::Value| {
        ["deleted", "kept", "unknown"].map(|name| answer[name].as_u64().unwrap())
    };
    assert_eq!(counts(&dry), [0, 2, 0], "{dry}");
    assert_eq!(dry["tokens"].as_object().unwrap().len(), 1, "{dry}");
    assert!(
        scene.astra.live().contains(&unheld),
        "a dry run deletes nothing"
    );

    scene.astra.refuse_deletions(true);
    let refusal = scene.write("tidy", json!({})).await.refused(502);
    let expected = "cannot delete a token that nobody holds: the root token may not do DELETE";
    assert!(refusal.contains(expected), "{refusal}");
    scene.astra.refuse_deletions(false);
    let done = scene
        .cli
        .json(&["write"], &["-force", &scene.path("tidy")])
        .await;
    assert_eq!(counts(&done["data"]), [1, 2, 0], "{done}");
    assert_eq!(done["data"]["tokens"][&unheld]["role"], "brief", "{done}");
    let mut left = scene.astra.live();
    let mut expected = vec![held.client_id, fixed.to_owned()];
    left.sort();
    expected.sort();
    assert_eq!(left, expected);
    assert_eq!(others(), 0, "tokens of others are not touched");
    let again = scene.write("tidy", json!({})).await.data();
    assert_eq!(counts(&again), [0, 2, 0], "{again}");

    scene
        .api
        .delete(&scene.path("static-roles/batch"))
        .await
        .ok();
    scene.forget(fixed);
    scene.finish().await;
}
