//! Roles: what is stored, shown, refused.

use serde_json::json;

use crate::scene::READ_ONLY;
use crate::scene::Scene;

#[tokio::test]
async fn a_role_is_written_read_listed_patched_and_deleted() {
    let scene = Scene::new("roles").await;
    let writer = json!({ "astra_roles": ["API R/W User", READ_ONLY], "ttl": "90m", "max_ttl": 36_000, "description": "nightly" });
    scene.write("roles/Writer.1", writer).await.ok();
    let shown = scene.read("roles/Writer.1").await.data();
    assert_eq!(shown["astra_roles"], json!(["API R/W User", READ_ONLY]));
    assert_eq!(
        (shown["ttl"].clone(), shown["max_ttl"].clone()),
        (json!(5400), json!(36_000))
    );
    assert_eq!(
        (shown["config"].clone(), shown["description"].clone()),
        (json!("default"), json!("nightly"))
    );

    scene.write("roles/Writer.1", shown.clone()).await.ok();
    assert_eq!(
        scene.read("roles/Writer.1").await.data(),
        shown,
        "writing back what was read changes nothing"
    );

    scene
        .api
        .patch(&scene.path("roles/Writer.1"), json!({ "ttl": "1h" }))
        .await
        .ok();
    let patched = scene.read("roles/Writer.1").await.data();
    assert_eq!(
        (patched["ttl"].clone(), patched["max_ttl"].clone()),
        (json!(3600), json!(36_000))
    );

    assert_eq!(
        scene.api.list(&scene.path("roles")).await.keys(),
        ["Writer.1", "reader"]
    );
    scene
        .cli
        .ok(&["delete", &scene.path("roles/Writer.1")])
        .await;
    assert_eq!(scene.read("roles/Writer.1").await.status, 404);
    scene.finish().await;
}

#[tokio::test]
async fn a_role_that_cannot_work_is_refused_and_not_stored() {
    let scene = Scene::new("refused-roles").await;
    let cases = [
        (json!({ "ttl": "1h" }), "astra_roles"),
        (json!({ "astra_roles": "API RO Usr" }), READ_ONLY),
        (
            json!({ "astra_roles": READ_ONLY, "ttl": "2h", "max_ttl": "1h" }),
            "max_ttl",
        ),
        (json!({ "astra_roles": READ_ONLY, "ttl": "-1h" }), "ttl"),
        (json!({ "astra_roles": READ_ONLY, "ttl": "later" }), "ttl"),
        (
            json!({ "astra_roles": READ_ONLY, "config": "none" }),
            "none",
        ),
        (
            json!({ "astra_roles": "Organization Administrator" }),
            "allow_token_admin",
        ),
    ];
    for (body, word) in cases {
        let text = scene.write("roles/bad", body).await.refused(400);
        assert!(text.contains(word), "{word:?} is not in {text:?}");
        assert_eq!(scene.read("roles/bad").await.status, 404);
    }
    scene.finish().await;
}
