//! What operators look at: the organization's offer, the mount's tokens, its state.

use serde_json::json;

use harness::READ_ONLY;

use crate::setup;

#[tokio::test]
async fn the_organizations_roles_are_listed_and_read_by_name_and_id() {
    let mount = setup::mount("astra-roles").await;
    let listed = mount
        .api
        .list(&mount.path("astra-roles/default"))
        .await
        .data();
    let id = listed["key_info"][READ_ONLY]["id"]
        .as_str()
        .expect("the role is listed")
        .to_owned();
    assert_eq!(
        listed["key_info"]["Organization Administrator"]["token_admin"],
        true
    );
    assert_eq!(listed["key_info"][READ_ONLY]["token_admin"], false);

    let by_id = mount
        .read(&format!("astra-roles/default/{id}"))
        .await
        .data();
    let by_name = mount
        .cli
        .json(
            &["read"],
            &[&mount.path(&format!("astra-roles/default/{READ_ONLY}"))],
        )
        .await;
    assert_eq!(by_name["data"], by_id);
    // A name with a slash.
    assert_eq!(
        mount
            .read("astra-roles/default/API%20R/W%20User")
            .await
            .data()["name"],
        "API R/W User"
    );
    assert_eq!(mount.read("astra-roles/default/missing").await.status, 404);
    mount.finish().await;
}

#[tokio::test]
async fn the_organizations_databases_are_listed() {
    let mount = setup::mount("databases").await;
    let listed = mount
        .api
        .list(&mount.path("databases/default"))
        .await
        .data();
    for (name, database) in mount.astra.emulator.seeds().databases {
        let shown = &listed["key_info"][&database.id];
        assert_eq!(
            (shown["name"].clone(), shown["status"].clone()),
            (json!(name), json!(database.status))
        );
        assert!(
            shown["regions"]
                .as_array()
                .unwrap()
                .contains(&json!(database.region)),
            "{shown}"
        );
    }
    mount.finish().await;
}

#[tokio::test]
async fn live_tokens_are_listed_without_their_secrets() {
    let mount = setup::mount("tokens").await;
    let api = &mount.api;
    assert!(
        api.list(&mount.path("tokens/default"))
            .await
            .keys()
            .is_empty()
    );
    let kept = mount.hold(
        &mount
            .write("creds/reader", json!({ "reason": "OPS-12" }))
            .await
            .ok(),
    );
    let ended = mount.credential("reader").await;
    mount.revoke(&ended.lease_id).await;

    let listed = api.list(&mount.path("tokens/default")).await.data();
    assert_eq!(listed["keys"], json!([kept.client_id]));
    let info = &listed["key_info"][&kept.client_id];
    assert_eq!(info["role"], "reader");
    assert!(
        info["minted_for"].as_str().unwrap().contains("OPS-12"),
        "{info}"
    );
    assert!(
        !listed.to_string().contains(&kept.token) && !listed.to_string().contains(&kept.secret)
    );
    mount.finish().await;
}

#[tokio::test]
async fn status_tells_whether_astra_answers() {
    let mount = setup::mount("status").await;
    mount.credential("reader").await;
    let status = mount.read("status").await.data()["configs"]["default"].clone();
    assert_eq!(status["reachable"], true);
    assert_eq!(status["live_tokens"], 1);
    assert_eq!(status["root_client_id"], mount.astra.root_client_id());

    mount.astra.close(true);
    let status = mount.read("status").await.data()["configs"]["default"].clone();
    assert_eq!(
        (status["reachable"].clone(), status["live_tokens"].clone()),
        (json!(false), json!(null))
    );
    assert!(status["last_error"].is_string(), "{status}");
    mount.astra.close(false);
    assert_eq!(
        mount.read("status").await.data()["configs"]["default"]["reachable"],
        true
    );
    mount.finish().await;
}

#[tokio::test]
async fn the_command_line_lists_with_detail() {
    let mount = setup::mount("detailed").await;
    let fixed = json!({ "astra_roles": READ_ONLY, "rotation_period": "24h" });
    mount.write("static-roles/batch", fixed).await.ok();
    let client_id = mount.read("static-creds/batch").await.data()["client_id"].clone();
    mount.keep(client_id.as_str().unwrap(), None);
    let cases = [
        ("config", "default", "url"),
        ("roles", "reader", "astra_roles"),
        ("static-roles", "batch", "last_vault_rotation"),
        ("astra-roles/default", READ_ONLY, "token_admin"),
        ("databases/default", "", "keyspaces"),
        ("tokens/default", client_id.as_str().unwrap(), "expires_at"),
    ];
    for (path, key, column) in cases {
        let table = mount
            .cli
            .ok(&["list", "-detailed", &mount.path(path)])
            .await;
        assert!(
            table.contains(key) && table.lines().next().unwrap().contains(column),
            "{path}:\n{table}"
        );
    }
    mount
        .api
        .delete(&mount.path("static-roles/batch"))
        .await
        .ok();
    mount.forget(client_id.as_str().unwrap());
    mount.finish().await;
}
