//! What the plugin says about itself.

use crate::scene::Scene;

#[tokio::test]
async fn path_help_describes_the_root_and_every_path() {
    let scene = Scene::new("helpful").await;
    let root = scene.cli.ok(&["path-help", &scene.mount]).await;
    assert!(
        root.contains("## DESCRIPTION") && root.contains("## PATHS"),
        "{root}"
    );
    for path in [
        "config",
        "rotate-root",
        "roles/",
        "creds/",
        "static-roles/",
        "static-creds/",
        "rotate-role/",
        "astra-roles/",
        "databases/",
        "tokens/",
        "tidy",
        "status",
    ] {
        assert!(
            root.contains(&format!("^{path}")),
            "{path} is not in\n{root}"
        );
    }
    let cases = [
        ("config", "token"),
        ("config/other", "request_timeout"),
        ("roles/reader", "astra_roles"),
        ("creds/reader", "reason"),
        ("tidy", "dry_run"),
        ("static-roles/app", "overlap"),
        ("rotate-role/app", "name"),
    ];
    for (path, field) in cases {
        let help = scene.cli.ok(&["path-help", &scene.path(path)]).await;
        assert!(
            help.contains("Matching Route:") && help.contains(&format!("    {field} (")),
            "{help}"
        );
        assert!(
            help.contains("## DESCRIPTION") && !help.contains("<no "),
            "{path}:\n{help}"
        );
    }
    scene.finish().await;
}

#[tokio::test]
async fn vaults_openapi_document_lists_every_path_and_field() {
    let scene = Scene::new("documented").await;
    let document = scene.openapi().await;
    let paths = document["paths"].as_object().unwrap();
    let expected = [
        ("config", "post", "token"),
        ("config/{name}", "post", "request_timeout"),
        ("roles/{name}", "post", "astra_roles"),
        ("creds/{name}", "post", "reason"),
        ("tidy", "post", "dry_run"),
        ("static-roles/{name}", "post", "rotation_schedule"),
    ];
    for (path, method, field) in expected {
        let key = format!("/{}/{path}", scene.mount);
        let item = paths
            .get(&key)
            .unwrap_or_else(|| panic!("{key} is not among {:?}", paths.keys()));
        let text = item[method].to_string();
        assert!(
            text.contains(&format!("\"{field}\"")),
            "{field} is not in {key} {method}: {text}"
        );
    }
    for list in [
        "config/",
        "roles/",
        "astra-roles/{config}/",
        "databases/{config}/",
        "tokens/{config}/",
    ] {
        let key = format!("/{}/{list}", scene.mount);
        assert!(paths.contains_key(&key), "{key} is missing");
    }
    scene.finish().await;
}
