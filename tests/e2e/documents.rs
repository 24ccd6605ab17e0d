//! What the plugin says about itself.

use crate::setup;

#[tokio::test]
async fn path_help_describes_the_root_and_every_path() {
    let mount = setup::mount("helpful").await;
    let root = mount.cli.ok(&["path-help", &mount.name]).await;
    assert!(
        root.contains("## DESCRIPTION") && root.contains("## PATHS"),
        "{root}"
    );
    assert_fits(&root);
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
        "status/",
        "metrics",
        "import",
        "org/token",
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
        ("rotate-root", "name"),
        ("rotate-root/other", "name"),
        ("static-roles/app", "overlap"),
        ("static-creds/app", "name"),
        ("rotate-role/app", "name"),
        ("astra-roles/default", "config"),
        ("astra-roles/default/API RO User", "role"),
        ("databases/default", "config"),
        ("databases/default/vector_db", "database"),
        ("tokens/default", "config"),
        ("status/default", "name"),
        ("import", "names"),
        ("org/token", "logical_name"),
    ];
    for (path, field) in cases {
        let help = mount.cli.ok(&["path-help", &mount.path(path)]).await;
        assert!(
            help.contains("Matching Route:") && help.contains(&format!("    {field} (")),
            "{help}"
        );
        assert!(
            help.contains("## DESCRIPTION") && !help.contains("<no "),
            "{path}:\n{help}"
        );
        assert_fits(&help);
    }
    let help = mount.cli.ok(&["path-help", &mount.path("status")]).await;
    assert!(help.contains("How each config fares."), "{help}");
    mount.finish().await;
}

/// That no line of `help` is broken by a terminal of 80 columns.
fn assert_fits(help: &str) {
    for line in help.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[tokio::test]
async fn vaults_openapi_document_lists_every_path_and_field() {
    let mount = setup::mount("documented").await;
    let document = mount.openapi().await;
    let paths = document["paths"].as_object().unwrap();
    let expected = [
        ("config", "post", "token"),
        ("config/{name}", "post", "request_timeout"),
        ("roles/{name}", "post", "astra_roles"),
        ("creds/{name}", "post", "reason"),
        ("tidy", "post", "dry_run"),
        ("import", "post", "allow_token_admin"),
        ("org/token", "post", "role_name"),
        ("static-roles/{name}", "post", "rotation_schedule"),
        ("config/{name}", "patch", "rotation_period"),
        ("roles/{name}", "patch", "max_active"),
        ("static-roles/{name}", "patch", "overlap"),
    ];
    let metrics = &paths[&format!("/{}/metrics", mount.name)]["get"]["responses"]["200"];
    assert_eq!(
        metrics["content"]["text/plain"]["schema"]["type"], "string",
        "a body that is no JSON: {metrics}"
    );
    let lists_patch = mount.openapi_lists_patch().await;
    for (path, method, field) in expected {
        if method == "patch" && !lists_patch {
            continue;
        }
        let key = format!("/{}/{path}", mount.name);
        let item = paths
            .get(&key)
            .unwrap_or_else(|| panic!("{key} is not among {:?}", paths.keys()));
        let text = item[method].to_string();
        assert!(
            text.contains(&format!("\"{field}\"")),
            "{field} is not in {key} {method}: {text}"
        );
    }
    for (path, method) in [
        ("rotate-root", "post"),
        ("rotate-root/{name}", "post"),
        ("rotate-role/{name}", "post"),
        ("static-creds/{name}", "get"),
        ("astra-roles/{config}/{role}", "get"),
        ("databases/{config}/{database}", "get"),
        ("status", "get"),
        ("config", "delete"),
        ("roles/{name}", "delete"),
        ("static-roles/{name}", "delete"),
    ] {
        let key = format!("/{}/{path}", mount.name);
        assert!(paths[&key][method].is_object(), "{method} {key} is missing");
    }
    for list in [
        "config/",
        "roles/",
        "static-roles/",
        "astra-roles/{config}/",
        "databases/{config}/",
        "tokens/{config}/",
    ] {
        let key = format!("/{}/{list}", mount.name);
        assert!(paths.contains_key(&key), "{key} is missing");
    }
    mount.finish().await;
}
