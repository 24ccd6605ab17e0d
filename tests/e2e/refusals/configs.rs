//! Configs and root tokens.

use astra_emulator::PortalToken;
use serde_json::Value;
use serde_json::json;

use super::refused;
use super::state;

use crate::setup;

/// What is said of a URL at which `host` answers instead of Astra. Vault answers an unknown path as most
/// servers do, OpenBao with an error in JSON, as Astra answers for an object that it does not know.
async fn not_astra(host: &str) -> String {
    let answer = reqwest::get(format!("{host}/v2/currentOrg")).await.unwrap();
    let cause = match answer.text().await.unwrap().trim() {
        "404 page not found" => format!(
            "there is no Astra DevOps API at {host}: GET /v2/currentOrg was answered as an unknown \
             path (HTTP 404); correct the URL"
        ),
        _ => "Astra does not know the object of GET /v2/currentOrg (HTTP 404)".to_owned(),
    };
    format!("config \"bad\": the root token does not work: {cause}. Nothing was stored")
}

#[tokio::test]
async fn configs() {
    let mount = setup::mount("refusals-configs").await;
    let root = mount.astra.root_token();
    let url = mount.astra.url();
    let with = |more: Value| {
        let mut body = json!({ "token": root, "url": url });
        for (key, value) in more.as_object().unwrap() {
            body[key] = value.clone();
        }
        body
    };
    let other_org = &mount.astra.emulator.seeds().organizations[1].id;
    let own_org = mount.astra.org_id();
    let tokens = mount.astra.emulator.seeds().tokens;
    let host = mount.server.address();
    let port = harness::Port::reserve();
    let unused = format!("http://127.0.0.1:{}", port.number());
    let unknown = format!("AstraCS:{}:{}", "a".repeat(24), "0".repeat(64));
    let cases = [
        (
            json!({ "url": url }),
            "token is missing: give the root token, an Astra application token with the rights \
             org-token-write and org-token-read".to_owned(),
        ),
        (
            with(json!({ "token": "hello" })),
            "token: an application token begins with \"AstraCS:\"; a client id, a client secret or \
             a JSON document is not one".to_owned(),
        ),
        (
            with(json!({ "token": unknown })),
            "config \"bad\": the root token does not work: Astra rejected the root token at GET \
             /v2/currentOrg (HTTP 401): Astra says \"Resource not found: token with identifier: \
             auth-manager returned 404 for call %s/v2/admin/tokens?%s\" (error 340018); it was \
             deleted, has expired, or belongs to another environment than the URL: configure a \
             live one. Nothing was stored"
                .to_owned(),
        ),
        (
            with(json!({ "token": tokens["read_only"].token })),
            "config \"bad\": the root token cannot list tokens (org-token-read): the root token \
             may not do GET /v2/clientIdSecrets (HTTP 403): Astra says \"permission org-token-read \
             is missing\" (error 40300); its Astra role lacks a permission, it grants less than is \
             asked for, or the organization's IP access list does not admit this address. Nothing \
             was stored"
                .to_owned(),
        ),
        (
            // The host itself is no Astra.
            with(json!({ "url": host })),
            not_astra(&host).await,
        ),
        (
            with(json!({ "url": unused })),
            format!(
                "config \"bad\": the root token does not work: {unused} cannot be reached for GET \
                 /v2/currentOrg (4 attempts) (tcp connect error: Connection refused (os error \
                 111)); check the URL, the proxy settings and the firewall between. Nothing was \
                 stored"
            ),
        ),
        (
            with(json!({ "ca_cert": "no certificate" })),
            "ca_cert: there is no CERTIFICATE block in it".to_owned(),
        ),
        (
            with(json!({ "max_concurrent_requests": 0 })),
            "max_concurrent_requests: 0 is out of range: give a number from 1 to 1000".to_owned(),
        ),
        (
            with(json!({ "rotation_schedule": "31 0 31 2 *" })),
            "rotation_schedule: \"31 0 31 2 *\" is not a schedule: it never happens; give a cron \
             expression of five fields in UTC (minute, hour, day of month, month, day of week), \
             for instance \"0 3 * * SAT\""
                .to_owned(),
        ),
        (
            with(json!({ "url": "http://api.astra.example.com" })),
            "url: the URL \"http://api.astra.example.com\" must begin with \"https://\": the root \
             token would travel in clear; plain \"http://\" is accepted only for a loopback address"
                .to_owned(),
        ),
        (
            with(json!({ "url": format!("{url}/v2") })),
            format!(
                "url: the URL \"{url}/v2\" must not end in \"/v2\": give the address of the API \
                 without its version, for instance https://api.astra.datastax.com"
            ),
        ),
        (
            with(json!({ "org_id": other_org })),
            format!(
                "org_id: the token belongs to organization {own_org}, not to {other_org}: leave \
                 org_id out or give the token's own"
            ),
        ),
        (
            with(json!({ "request_timeout": "2m" })),
            "request_timeout: 120 is out of range: give a number from 1 to 60".to_owned(),
        ),
        (
            with(json!({ "rotation_period": "30s" })),
            "rotation_period: 30s is out of range: give 1m or more, up to 100 years".to_owned(),
        ),
        (
            with(json!({ "rotation_period": "1h", "rotation_schedule": "0 3 * * *" })),
            "rotation_period: 1h was given together with rotation_schedule: give one of the \
             two".to_owned(),
        ),
        (
            with(json!({ "verify": "perhaps" })),
            "Field validation failed: error converting input for field \"verify\": \"perhaps\" is \
             not true or false".to_owned(),
        ),
    ];
    for (body, text) in cases {
        refused(&mount, "config/bad", body, &text).await;
    }
    let refusal = mount.api.delete(&mount.path("config")).await.refused(400);
    assert_eq!(
        refusal,
        "config \"default\" is in use: roles reader. Delete those roles first, or delete with \
         force=true"
    );
    mount.finish().await;
}

#[tokio::test]
async fn a_root_token_that_rotation_replaced() {
    let mount = setup::mount("refusals-replaced").await;
    let first = mount.astra.root_token();
    let client_id = mount.astra.root_client_id();
    mount.expect_replaced_root();
    let rotated = mount.write("rotate-root", json!({})).await.data();
    mount.keep(rotated["token_client_id"].as_str().unwrap(), None);
    let text = format!(
        "token: the token with client id {client_id} was replaced by a rotation and is not taken \
         back: leave token out to keep the present one, or give a new one"
    );
    let url = mount.astra.url();
    refused(&mount, "config", json!({ "token": first }), &text).await;
    // An old file with all else it had, as Terraform would write it.
    let file = json!({ "token": first, "url": url, "verify": false });
    refused(&mount, "config/default", file, &text).await;
    mount.finish().await;
}

#[tokio::test]
async fn a_root_token_that_may_not_mint() {
    let mount = setup::mount("refusals-lister").await;
    let emulator = &mount.astra.emulator;
    let policy = json!({
        "description": "lists tokens", "effect": "allow", "actions": ["org-token-read"],
        "resources": [format!("drn:astra:org:{}", mount.astra.org_id())],
    });
    let policy = serde_json::from_value(policy).unwrap();
    emulator.create_role(None, "Lister", policy).unwrap();
    let lister = PortalToken {
        roles: vec!["Lister".to_owned()],
        ..PortalToken::default()
    };
    let token = emulator.create_token(lister).unwrap().token;
    let body = json!({ "token": token, "url": mount.astra.url() });
    let before = state(&mount).await;
    let refusal = mount.write("config/bad", body).await.refused(400);
    // The client id that it tries to delete is drawn at random.
    let (start, end) = (
        "config \"bad\": the root token cannot create and delete tokens (org-token-write): the \
         root token may not do DELETE /v2/clientIdSecrets/",
        " (HTTP 403): Astra says \"permission org-token-write is missing\" (error 40300); its \
         Astra role lacks a permission, it grants less than is asked for, or the organization's IP \
         access list does not admit this address. Nothing was stored",
    );
    assert!(
        refusal.starts_with(start) && refusal.ends_with(end),
        "{refusal}"
    );
    assert_eq!(state(&mount).await, before);
    mount.finish().await;
}
