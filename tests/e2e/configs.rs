//! Configs: what is stored, shown, refused.

use serde_json::json;

use crate::scene::Scene;

#[tokio::test]
async fn a_config_is_written_read_listed_patched_and_deleted() {
    let scene = Scene::new("configs").await;
    let shown = scene.read("config").await.data();
    assert_eq!(shown["url"], scene.astra.url());
    assert_eq!(shown["org_id"], scene.astra.org_id());
    assert_eq!(shown["token_client_id"], scene.astra.root_client_id());
    assert_eq!(shown["token_sha256"].as_str().unwrap().len(), 16);
    assert_eq!(shown["request_timeout"], 30);
    assert!(shown.get("token").is_none());
    assert_eq!(
        scene.read("config/default").await.data(),
        shown,
        "config is config/default"
    );

    // Terraform: what was read can be written back and changes nothing.
    let mut again = shown.clone();
    again["token"] = json!(scene.astra.root_token());
    scene.write("config", again).await.ok();
    assert_eq!(scene.read("config").await.data(), shown);

    let other = json!({ "token": scene.astra.root_token(), "url": scene.astra.url(), "request_timeout": "5s" });
    scene.write("config/other", other).await.ok();
    assert_eq!(
        scene.read("config/other").await.data()["request_timeout"],
        5
    );
    assert_eq!(
        scene.api.list(&scene.path("config")).await.keys(),
        ["default", "other"]
    );

    scene
        .api
        .patch(&scene.path("config/other"), json!({ "request_timeout": 7 }))
        .await
        .ok();
    let patched = scene.read("config/other").await.data();
    assert_eq!(
        (patched["request_timeout"].clone(), patched["url"].clone()),
        (json!(7), json!(scene.astra.url()))
    );

    scene.api.delete(&scene.path("config/other")).await.ok();
    assert_eq!(scene.read("config/other").await.status, 404);
    let refusal = scene.api.delete(&scene.path("config")).await.refused(400);
    assert!(refusal.contains("reader"), "{refusal}");
    scene.finish().await;
}

#[tokio::test]
async fn a_config_that_would_not_work_is_refused_and_not_stored() {
    let scene = Scene::new("refused-configs").await;
    let (root, url) = (scene.astra.root_token().to_owned(), scene.astra.url());
    let unknown = format!("AstraCS:{}:{}", "a".repeat(24), "0".repeat(64));
    let nobody = format!("http://127.0.0.1:{}", harness::free_port());
    let cases = [
        (json!({ "url": url }), "token"),
        (json!({ "token": "hello", "url": url }), "token"),
        (json!({ "token": unknown, "url": url }), "rejected"),
        (
            json!({ "token": root, "url": "http://example.com" }),
            "https",
        ),
        (json!({ "token": root, "url": format!("{url}/v2") }), "/v2"),
        (json!({ "token": root, "url": nobody }), "reach"),
        (
            json!({ "token": root, "url": url, "org_id": "00000000-0000-4000-8000-000000000000" }),
            "org",
        ),
        (
            json!({ "token": root, "url": url, "request_timeout": "soon" }),
            "request_timeout",
        ),
    ];
    for (body, word) in cases {
        let reply = scene.write("config/bad", body.clone()).await;
        let text = reply.refused(400);
        assert!(text.contains(word), "{word:?} is not in {text:?}");
        assert!(
            !text.contains(&root) && !text.contains(&unknown),
            "no token in {text:?}"
        );
        assert_eq!(scene.read("config/bad").await.status, 404);
    }
    scene.finish().await;
}

#[tokio::test]
async fn patching_what_does_not_exist_is_404() {
    let scene = Scene::new("patched-nothing").await;
    assert_eq!(
        scene
            .api
            .patch(&scene.path("config/none"), json!({ "verify": false }))
            .await
            .status,
        404
    );
    assert_eq!(
        scene
            .api
            .patch(&scene.path("roles/none"), json!({ "ttl": 1 }))
            .await
            .status,
        404
    );
    scene.finish().await;
}
