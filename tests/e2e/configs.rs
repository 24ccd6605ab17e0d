//! Configs: what is stored, shown, refused.

use harness::TestMount;
use serde_json::json;

use crate::setup;

/// A root token that no config has.
fn another_root_token(mount: &TestMount) -> String {
    let emulator = &mount.astra.emulator;
    let portal = astra_emulator::PortalToken {
        roles: emulator.seeds().tokens["org_admin"].roles.clone(),
        ..Default::default()
    };
    emulator.create_token(portal).unwrap().token
}

#[tokio::test]
async fn a_config_is_written_read_listed_patched_and_deleted() {
    let mount = setup::mount("configs").await;
    let shown = mount.read("config").await.data();
    assert_eq!(shown["url"], mount.astra.url());
    assert_eq!(shown["org_id"], mount.astra.org_id());
    assert_eq!(shown["token_client_id"], mount.astra.root_client_id());
    assert_eq!(shown["token_sha256"].as_str().unwrap().len(), 16);
    assert_eq!(shown["request_timeout"], 30);
    assert!(shown.get("token").is_none());
    assert_eq!(
        mount.read("config/default").await.data(),
        shown,
        "config is config/default"
    );

    // Terraform: what was read can be written back and changes nothing.
    let mut again = shown.clone();
    again["token"] = json!(mount.astra.root_token());
    mount.write("config", again).await.ok();
    assert_eq!(mount.read("config").await.data(), shown);

    let other = json!({
        "token": another_root_token(&mount), "url": mount.astra.url(), "request_timeout": "5s",
    });
    mount.write("config/other", other).await.ok();
    assert_eq!(
        mount.read("config/other").await.data()["request_timeout"],
        5
    );
    assert_eq!(
        mount.api.list(&mount.path("config")).await.keys(),
        ["default", "other"]
    );

    mount
        .api
        .patch(&mount.path("config/other"), json!({ "request_timeout": 7 }))
        .await
        .ok();
    let patched = mount.read("config/other").await.data();
    assert_eq!(
        (patched["request_timeout"].clone(), patched["url"].clone()),
        (json!(7), json!(mount.astra.url()))
    );

    mount.api.delete(&mount.path("config/other")).await.ok();
    assert_eq!(mount.read("config/other").await.status, 404);
    let refusal = mount.api.delete(&mount.path("config")).await.refused(400);
    assert!(refusal.contains("reader"), "{refusal}");
    mount.finish().await;
}

#[tokio::test]
async fn a_config_that_would_not_work_is_refused_and_not_stored() {
    let mount = setup::mount("refused-configs").await;
    let (root, url) = (mount.astra.root_token().to_owned(), mount.astra.url());
    let unknown = format!("AstraCS:{}:{}", "a".repeat(24), "0".repeat(64));
    let port = harness::Port::reserve();
    let unused = format!("http://127.0.0.1:{}", port.number());
    let cases = [
        (json!({ "url": url }), "token"),
        (json!({ "token": "hello", "url": url }), "token"),
        (json!({ "token": unknown, "url": url }), "rejected"),
        (
            json!({ "token": root, "url": "http://example.com" }),
            "https",
        ),
        (json!({ "token": root, "url": format!("{url}/v2") }), "/v2"),
        (json!({ "token": root, "url": unused }), "reach"),
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
        let reply = mount.write("config/bad", body.clone()).await;
        let text = reply.refused(400);
        assert!(text.contains(word), "{word:?} is not in {text:?}");
        assert!(
            !text.contains(&root) && !text.contains(&unknown),
            "no token in {text:?}"
        );
        assert_eq!(mount.read("config/bad").await.status, 404);
    }
    mount.finish().await;
}

#[tokio::test]
async fn patching_what_does_not_exist_is_404() {
    let mount = setup::mount("patched-nothing").await;
    assert_eq!(
        mount
            .api
            .patch(&mount.path("config/none"), json!({ "verify": false }))
            .await
            .status,
        404
    );
    assert_eq!(
        mount
            .api
            .patch(&mount.path("roles/none"), json!({ "ttl": 1 }))
            .await
            .status,
        404
    );
    mount.finish().await;
}
