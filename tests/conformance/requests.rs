//! Requests: lines 35 to 46.

use serde_json::Value;
use serde_json::json;
use vault_plugin_secrets_astra::proto::pb;

use crate::host::Host;
use crate::host::Mount;
use crate::host::Verb;
use crate::host::internal;
use crate::host::request;
use crate::openapi;
use crate::upstream::Upstream;
use crate::upstream::with_reader;

/// Error types of the wire.
const USER_ERROR: u32 = 1;
const UNSUPPORTED_OPERATION: u32 = 5;
const UNSUPPORTED_PATH: u32 = 6;

/// A request with a `data` text that need not be JSON.
fn raw(operation: &str, path: &str, data: &str) -> pb::Request {
    pb::Request {
        data: data.to_owned(),
        ..request(operation, path, Value::Null)
    }
}

#[tokio::test]
async fn c35_null_is_empty_data_and_anything_but_an_object_is_an_error() {
    let mut host = Host::start().await;
    let mount = host.mount().await;
    mount
        .client()
        .send(raw("read", "config", "null"))
        .await
        .nothing();
    mount
        .client()
        .send(raw("read", "config", "{}"))
        .await
        .nothing();
    for data in ["", "[1]", "7", "\"text\"", "{", "{\"a\":1} x"] {
        for operation in ["read", "update", "help", "renew", "revoke"] {
            let reply = mount
                .client()
                .try_send(raw(operation, "config", data))
                .await;
            assert!(
                reply.is_err() || reply.is_ok_and(|reply| reply.is_error()),
                "{operation} {data:?}"
            );
        }
    }
    assert!(!host.process.stderr.text().contains("panic"));
    mount.read("config").await.nothing();
    host.finish().await;
}

#[tokio::test]
async fn c36_unknown_paths_and_operations_have_their_own_error_types() {
    let mut host = Host::start().await;
    let mount = host.mount().await;
    for path in [
        "",
        "no/such/path",
        "conf",
        "roles/a/b",
        "creds/",
        "../config",
    ] {
        let (kind, _) = mount.read(path).await.failure();
        assert_eq!(kind, UNSUPPORTED_PATH, "{path:?}");
    }
    for (operation, path) in [
        ("list", "creds/reader"),
        ("delete", "creds/reader"),
        ("patch", "creds/reader"),
    ] {
        let reply = mount
            .client()
            .send(request(operation, path, Value::Null))
            .await;
        assert_eq!(
            reply.failure().0,
            UNSUPPORTED_OPERATION,
            "{operation} {path}"
        );
    }
    for word in [
        "header",
        "rotate",
        "recover",
        "scan",
        "alias-lookahead",
        "resolve-role",
        "mystery",
        "",
    ] {
        let reply = mount
            .client()
            .send(request(word, "config", Value::Null))
            .await;
        assert_eq!(reply.failure().0, UNSUPPORTED_OPERATION, "{word:?}");
    }
    host.finish().await;
}

#[tokio::test]
async fn c37_what_does_not_exist_is_an_absent_response() {
    let mut host = Host::start().await;
    let mount = host.mount().await;
    for path in ["config", "config/other", "roles/none"] {
        mount.read(path).await.nothing();
    }
    for path in ["config/", "roles/"] {
        let listed = mount.list(path).await;
        if let Some(response) = listed.ok() {
            assert_eq!(response.data, "{}", "{path}");
            assert!(response.warnings.is_empty());
        }
    }
    host.finish().await;
}

#[tokio::test]
async fn c38_writes_answer_204_and_credentials_answer_200() {
    let upstream = Upstream::start().await;
    let mut host = Host::start().await;
    let mount = host.mount().await;
    mount.write("config", upstream.config()).await.nothing();
    mount.write("config", upstream.config()).await.nothing();
    mount
        .patch("config", json!({"request_timeout": "20s"}))
        .await
        .nothing();
    mount.write("roles/reader", upstream.role()).await.nothing();
    mount.write("roles/reader", upstream.role()).await.nothing();
    mount
        .patch("roles/reader", json!({"ttl": 600}))
        .await
        .nothing();
    let credential = mount.write("creds/reader", json!({})).await;
    assert!(!credential.data().is_empty());
    mount
        .revoke("creds/reader", &credential.lease())
        .await
        .nothing();
    mount.delete("roles/reader").await.nothing();
    mount.delete("config").await.nothing();
    upstream.check().await;
    host.finish().await;
}

#[tokio::test]
async fn c41_a_field_that_does_not_convert_is_a_bad_request() {
    let upstream = Upstream::start().await;
    let mut host = Host::start().await;
    let mount = host.mount().await;
    upstream.configure(&mount).await;
    let before = mount.services.storage.snapshot();
    for (field, value) in [
        ("ttl", json!("soon")),
        ("ttl", json!([1])),
        ("max_ttl", json!(-5)),
        ("astra_roles", json!({"a": {"b": 1}})),
    ] {
        let request = request("update", "roles/reader", json!({field: value}));
        let text = mount.client().send(request.clone()).await.bad_request();
        let expected =
            format!("Field validation failed: error converting input for field \"{field}\": ");
        assert!(text.starts_with(&expected), "{text}");
        // The host runs the existence check first, and only this type lets the text out.
        let check = mount.client().exists(request).await.unwrap();
        let error = check.err.expect("the existence check passed");
        assert_eq!(error.err_type, USER_ERROR);
        assert!(error.err_msg.starts_with(&expected), "{error:?}");
    }
    assert_eq!(mount.services.storage.snapshot(), before);
    host.finish().await;
}

#[tokio::test]
async fn c42_ignored_and_replaced_parameters_are_told() {
    let (_upstream, host, mount) = with_reader().await;
    let reply = mount
        .write(
            "roles/reader",
            json!({"zeal": 1, "name": "other", "qq": "x"}),
        )
        .await;
    let ignored = "Endpoint ignored these unrecognized parameters: [qq zeal]";
    let replaced = "Endpoint replaced the value of these parameters with the values captured from \
        the endpoint's path: [name]";
    let warnings = reply.warnings();
    assert!(
        warnings.iter().any(|warning| warning == ignored),
        "{warnings:?}"
    );
    assert!(
        warnings.iter().any(|warning| warning == replaced),
        "{warnings:?}"
    );
    let plain = mount.read("creds/reader").await;
    assert!(plain.warnings().is_empty(), "{:?}", plain.warnings());
    host.finish().await;
}

#[tokio::test]
async fn c43_durations_are_read_as_vault_reads_them() {
    let upstream = Upstream::start().await;
    let mut host = Host::start().await;
    let mount = host.mount().await;
    upstream.configure(&mount).await;
    let good = [
        (json!(3600), 3600),
        (json!("3600"), 3600),
        (json!("1h"), 3600),
        (json!("1h30m"), 5400),
        (json!("7d"), 604_800),
        (json!("0"), 0),
    ];
    for (ttl, seconds) in good {
        mount
            .write(
                "roles/timed",
                json!({"astra_roles": upstream.role_name(), "ttl": "5m"}),
            )
            .await
            .nothing();
        mount
            .write("roles/timed", json!({"ttl": ttl.clone()}))
            .await
            .nothing();
        assert_eq!(
            mount.read("roles/timed").await.data()["ttl"],
            json!(seconds),
            "{ttl}"
        );
    }
    let before = mount.services.storage.snapshot();
    // Vault takes an empty text for 0, and cuts parts of a second off.
    for ttl in ["1w", "-1s", "1d12h", "h", "", "1500ms", "0.9s"] {
        let request = request("update", "roles/timed", json!({"ttl": ttl}));
        mount.client().send(request).await.bad_request();
    }
    assert_eq!(mount.services.storage.snapshot(), before);
    host.finish().await;
}

#[tokio::test]
async fn c44_existence_checks_only_look() {
    let (upstream, host, mount) = with_reader().await;
    let writes = mount.services.storage.writes();
    let requests = upstream.requests();
    for (path, found, exists) in [
        ("config", true, true),
        ("config/none", true, false),
        ("roles/reader", true, true),
        ("roles/none", true, false),
        ("creds/reader", false, false),
        ("creds/none", false, false),
    ] {
        let check = mount
            .client()
            .exists(request("update", path, json!({"ttl": "1h"})))
            .await
            .unwrap();
        assert_eq!(
            (check.check_found, check.exists, check.err),
            (found, exists, None),
            "{path}"
        );
    }
    let unknown = mount
        .client()
        .exists(request("update", "no/such/path", Value::Null))
        .await
        .unwrap();
    assert!(!unknown.exists);
    assert!(
        unknown
            .err
            .is_none_or(|error| error.err_type == UNSUPPORTED_PATH)
    );
    assert_eq!(mount.services.storage.writes(), writes);
    assert_eq!(upstream.requests(), requests);
    host.finish().await;
}

/// Every path that the engine promises, as OpenAPI writes it.
const PATHS: [&str; 20] = [
    "/astra-roles/{config}/",
    "/astra-roles/{config}/{role}",
    "/config",
    "/config/",
    "/config/{name}",
    "/creds/{name}",
    "/databases/{config}/",
    "/roles/",
    "/roles/{name}",
    "/rotate-role/{name}",
    "/rotate-root",
    "/rotate-root/{name}",
    "/static-creds/{name}",
    "/static-roles/",
    "/static-roles/{name}",
    "/status",
    "/tidy",
    "/tokens/{config}/",
    // The same without the slash at the end is the same path to a user.
    "/roles",
    "/static-roles",
];

#[tokio::test]
async fn c45_help_and_openapi_fit_the_hosts_types() {
    let mut host = Host::start().await;
    let mount = host.mount().await;
    for data in [Value::Null, json!({"requestResponsePrefix": "astra"})] {
        let root = help(&mount, "", &data).await;
        let all = openapi::decode(root.openapi);
        for path in &PATHS[..18] {
            assert!(
                all.paths.contains_key(*path),
                "{path}: {:?}",
                all.paths.keys()
            );
        }
        let documented = all.paths.keys().map(String::as_str);
        for template in documented.chain(PATHS) {
            let path = template.trim_start_matches('/').replace(['{', '}'], "");
            let one = help(&mount, &path, &data).await;
            let (_, pattern) = one
                .text
                .split_once("Matching Route:")
                .expect("no route in the help");
            let pattern = pattern.lines().next().unwrap_or_default().trim();
            assert!(
                root.text.contains(pattern),
                "{pattern} is not in the root's help"
            );
            assert!(!openapi::decode(one.openapi).paths.is_empty(), "{path}");
        }
    }
    // Help looks nothing up.
    let calls = mount.services.storage.calls();
    assert!(calls.iter().all(|call| call.verb != Verb::Put), "{calls:?}");
    host.finish().await;
}

struct Help {
    text: String,
    openapi: Value,
}

async fn help(mount: &Mount, path: &str, data: &Value) -> Help {
    let mut answer = mount
        .client()
        .send(internal("help", path, data.clone()))
        .await
        .data();
    let see_also = answer.get("see_also").cloned().unwrap_or_default();
    assert!(see_also.is_null() || see_also.is_array(), "{see_also}");
    Help {
        text: answer["help"]
            .as_str()
            .expect("help that is no text")
            .to_owned(),
        openapi: answer.remove("openapi").expect("no OpenAPI document"),
    }
}

#[tokio::test]
async fn c46_help_for_an_unknown_path_is_an_unknown_path() {
    let mut host = Host::start().await;
    let mount = host.mount().await;
    let (kind, _) = mount
        .client()
        .send(internal("help", "no/such/path", Value::Null))
        .await
        .failure();
    assert_eq!(kind, UNSUPPORTED_PATH);
    host.finish().await;
}
