//! Static roles, and paths that need a config.

use serde_json::json;

use super::refused;
use super::roles::POLICY;
use harness::READ_ONLY;

use crate::setup;

#[tokio::test]
async fn static_roles_and_the_rest() {
    let mount = setup::mount("refusals-rest").await;
    let none = "does not exist: write it first, at static-roles/none";
    let cases = [
        (
            "static-roles/bad",
            json!({ "astra_roles": READ_ONLY }),
            "rotation_period or rotation_schedule is missing: give one of the two, for instance \
             rotation_period=24h"
                .to_owned(),
        ),
        (
            "static-roles/bad",
            json!({ "astra_roles": READ_ONLY, "rotation_schedule": "at noon" }),
            "rotation_schedule: \"at noon\" is not a schedule: it has 2 fields; give a cron \
             expression of five fields in UTC (minute, hour, day of month, month, day of week), \
             for instance \"0 3 * * SAT\""
                .to_owned(),
        ),
        (
            "static-roles/bad",
            json!({ "astra_roles": READ_ONLY, "rotation_period": "1h", "overlap": "2h" }),
            "overlap: 2h is not less than the time between two rotations, 1h: shorten overlap or \
             rotate less often"
                .to_owned(),
        ),
        (
            "static-roles/bad",
            json!({ "astra_roles": READ_ONLY, "rotation_period": "59s" }),
            "rotation_period: 59s is out of range: give 1m or more, up to 100 years".to_owned(),
        ),
        (
            "static-roles/bad",
            json!({ "astra_roles": "Not a Role", "rotation_period": "1h", "description": "x" }),
            "astra_roles: the organization has no role \"Not a Role\"; the nearest names are \
             \"Token Writer\", \"API RO User\", \"Nothing\""
                .to_owned(),
        ),
        (
            "static-roles/bad",
            json!({ "astra_roles": READ_ONLY, "rotation_period": "1h", "config": "none" }),
            "config \"none\" does not exist: write it first, with token=… at config/none"
                .to_owned(),
        ),
        (
            "static-roles/bad",
            json!({ "rotation_period": "1h" }),
            "astra_roles is missing: give one or more names or ids of Astra roles, or policy or access instead"
                .to_owned(),
        ),
        (
            "static-roles/bad",
            json!({ "rotation_period": "1h", "policy": "{}" }),
            format!("policy: \"effect\" is missing: {POLICY}"),
        ),
        (
            "static-roles/bad",
            json!({ "astra_roles": READ_ONLY, "rotation_period": "1h", "region": "us-east1" }),
            "region needs database_id: give the id of the database, or leave region out".to_owned(),
        ),
        (
            "rotate-role/none",
            json!({}),
            format!("static role \"none\" {none}"),
        ),
        (
            "rotate-root/none",
            json!({}),
            "config \"none\" does not exist: write it first, with token=… at config/none"
                .to_owned(),
        ),
        (
            "tidy",
            json!({ "config": "none" }),
            "config \"none\" does not exist: write it first, with token=… at config/none"
                .to_owned(),
        ),
    ];
    for (path, body, text) in cases {
        refused(&mount, path, body, &text).await;
    }
    assert_eq!(mount.read("static-creds/none").await.status, 404);
    for path in ["astra-roles/none", "databases/none", "tokens/none"] {
        assert_eq!(
            mount.api.list(&mount.path(path)).await.refused(400),
            "config \"none\" does not exist: write it first, with token=… at config/none"
        );
    }
    let patched = mount
        .api
        .patch(&mount.path("static-roles/none"), json!({ "overlap": 60 }))
        .await;
    // Vault wraps what is not a 400 in words of its own.
    assert_eq!(
        patched.refused(404).trim(),
        "1 error occurred:\n\t* static role \"none\" does not exist: write it before patching it"
    );
    assert_eq!(mount.read("no/such/path").await.status, 404);
    assert_eq!(mount.api.delete(&mount.path("status")).await.status, 405);
    mount.finish().await;
}

#[tokio::test]
async fn changes_of_a_static_role() {
    let mount = setup::mount("refusals-static").await;
    let seeds = mount.astra.emulator.seeds();
    let second =
        json!({ "token": seeds.tokens["second_org_admin"].token, "url": mount.astra.url() });
    mount.write("config/second", second).await.ok();
    let role = json!({ "astra_roles": READ_ONLY, "rotation_period": "1h" });
    mount.write("static-roles/batch", role).await.ok();
    let first = mount.read("static-creds/batch").await.data();
    for (body, text) in [
        (
            json!({ "config": "second" }),
            "config: \"second\" is not \"default\", where the static role's tokens are: delete the \
             static role and write it again, or use another name",
        ),
        (
            json!({ "overlap": "1h" }),
            "overlap: 1h is not less than the time between two rotations, 1h: shorten overlap or \
             rotate less often",
        ),
        (
            json!({ "rotation_period": "10s" }),
            "rotation_period: 10s is out of range: give 1m or more, up to 100 years",
        ),
        (
            json!({ "rotation_period": 0 }),
            "rotation_period or rotation_schedule is missing: give one of the two, for instance \
             rotation_period=24h",
        ),
    ] {
        refused(&mount, "static-roles/batch", body.clone(), text).await;
        let path = mount.path("static-roles/batch");
        assert_eq!(mount.api.patch(&path, body).await.refused(400), text);
    }
    let last = mount.read("static-creds/batch").await.data();
    assert_eq!(last["token"], first["token"]);
    mount
        .api
        .delete(&mount.path("static-roles/batch"))
        .await
        .ok();
    mount.finish().await;
}
