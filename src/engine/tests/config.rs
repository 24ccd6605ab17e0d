//! `config`: what is stored, what is shown, what is refused.

use astra_emulator::Emulator;
use astra_emulator::Fault;
use astra_emulator::Options;
use astra_emulator::Policy;
use astra_emulator::PortalToken;
use serde_json::Value;
use serde_json::json;

use crate::engine::testing::AstraMount;
use crate::engine::testing::READER;
use crate::engine::testing::refused;
use crate::vault::Error;
use crate::vault::FailureStatus;
use harness::SOON;
use harness::wait_until;

/// A token by hand with the Astra role `Test`, which has `actions`.
fn token_with(mount: &AstraMount, actions: &[&str]) -> String {
    let org = &mount.astra.seeds().organizations[0].id;
    let policy = Policy {
        description: String::new(),
        resources: vec![format!("drn:astra:org:{org}")],
        actions: actions.iter().map(|action| (*action).to_owned()).collect(),
        effect: "allow".to_owned(),
    };
    mount.astra.create_role(None, "Test", policy).unwrap();
    let portal = PortalToken {
        roles: vec!["Test".to_owned()],
        ..PortalToken::default()
    };
    mount.astra.create_token(portal).unwrap().token
}

async fn stored_keys(mount: &AstraMount) -> Vec<String> {
    let keys = mount.storage.keys();
    keys.into_iter()
        .filter(|key| key.starts_with("v1/config/"))
        .collect()
}

#[tokio::test]
async fn a_config_shows_all_but_the_token() {
    let mount = AstraMount::new().await;
    assert!(mount.read("config").await.is_none());
    assert!(mount.read("config/default").await.is_none());
    let config = mount.config(json!({}));
    assert!(mount.write("config", config).await.unwrap().is_none());
    let shown = mount.read("config").await.unwrap();
    let org = &mount.astra.seeds().organizations[0];
    assert_eq!(shown["org_id"], org.id);
    assert_eq!(shown["url"], mount.astra.url());
    assert_eq!(shown["request_timeout"], 30);
    assert_eq!(shown["max_concurrent_requests"], 32);
    assert_eq!(shown["verify"], true);
    assert_eq!(shown["allow_token_admin"], false);
    let token = mount.astra.root_token();
    let client_id = token.split(':').nth(1).unwrap();
    assert_eq!(shown["token_client_id"], client_id);
    assert_eq!(shown["token_sha256"].as_str().unwrap().len(), 16);
    assert!(shown.get("token").is_none());
    assert!(!shown.to_string().contains(&token[40..]));
    assert_eq!(mount.read("config/default").await.unwrap(), shown);
    let listed = mount.read("config/").await.unwrap();
    assert_eq!(listed["keys"], json!(["default"]));
    assert_eq!(listed["key_info"]["default"]["org_id"], org.id);
}

#[tokio::test]
async fn writing_back_what_was_read_changes_nothing() {
    let mount = AstraMount::mounted().await;
    let changed =
        json!({"request_timeout": "45s", "max_concurrent_requests": 7, "allow_token_admin": true});
    mount.write("config", changed).await.unwrap();
    let shown = mount.read("config").await.unwrap();
    assert_eq!(shown["request_timeout"], 45);
    let key = "v1/config/default";
    let before = crate::vault::Storage::get(&*mount.storage, key)
        .await
        .unwrap();
    mount.write("config", shown.clone()).await.unwrap();
    assert_eq!(mount.read("config").await.unwrap(), shown);
    let after = crate::vault::Storage::get(&*mount.storage, key)
        .await
        .unwrap();
    assert!(before == after, "the entry changed");
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_null_brings_the_default_back() {
    let mount = AstraMount::mounted().await;
    let config = mount.config(json!({"request_timeout": 45, "max_concurrent_requests": 7}));
    mount.write("config", config).await.unwrap();
    mount
        .patch("config", json!({"request_timeout": null}))
        .await
        .unwrap();
    let shown = mount.read("config").await.unwrap();
    assert_eq!(shown["request_timeout"], 30);
    assert_eq!(shown["max_concurrent_requests"], 7);
    let missing = mount.patch("config/other", json!({"verify": false})).await;
    assert_eq!(
        missing.err(),
        Some(Error::Status {
            status: FailureStatus::NOT_FOUND,
            message: "config \"other\" does not exist: write it before patching it".to_owned()
        })
    );
}

#[tokio::test]
async fn input_that_cannot_be_is_refused_by_name() {
    let mount = AstraMount::new().await;
    let cases: [(Value, &str); 14] = [
        (
            json!({"token": ""}),
            "token is missing: give the root token",
        ),
        (
            json!({"token": "hunter2"}),
            "token: an application token begins with \"AstraCS:\"",
        ),
        (
            json!({"token": "AstraCS:x:y"}),
            "token: the part after \"AstraCS:\" must be a client id of 24 letters",
        ),
        (
            json!({"url": "https://api.astra.datastax.com/v2"}),
            "must not end in \"/v2\"",
        ),
        (
            json!({"url": "http://api.astra.datastax.com"}),
            "must begin with \"https://\"",
        ),
        (
            json!({"url": "api.astra.datastax.com"}),
            "url: \"api.astra.datastax.com\" is not an absolute URL",
        ),
        (
            json!({"url": "https://a.example/?x=1"}),
            "must not have a query",
        ),
        (
            json!({"ca_cert": "no certificate"}),
            "ca_cert: there is no CERTIFICATE block in it",
        ),
        (
            json!({"request_timeout": 0}),
            "request_timeout: 0 is out of range: give a number from 1 to 60",
        ),
        (
            json!({"request_timeout": "2m"}),
            "request_timeout: 120 is out of range",
        ),
        (json!({"request_timeout": "soon"}), "\"request_timeout\""),
        (
            json!({"max_concurrent_requests": 0}),
            "max_concurrent_requests: 0 is out of range: give a number from 1 to 1000",
        ),
        (
            json!({"max_concurrent_requests": -1}),
            "max_concurrent_requests: -1 is out of range",
        ),
        (
            json!({"org_id": "another"}),
            "org_id: the token belongs to organization",
        ),
    ];
    for (changes, text) in cases {
        let refusal = mount.refusal("config", mount.config(changes.clone())).await;
        assert!(refusal.contains(text), "{changes}: {refusal}");
        assert!(!refusal.contains("hunter2"), "{refusal}");
        assert!(stored_keys(&mount).await.is_empty(), "{changes}");
    }
}

#[tokio::test]
async fn a_root_token_is_tried_before_it_is_stored() {
    let mount = AstraMount::new().await;
    let seeds = mount.astra.seeds();
    let cases: [(String, &str); 5] = [
        (
            seeds.tokens["deleted"].token.clone(),
            "the root token does not work: Astra rejected the root token at GET /v2/currentOrg \
             (HTTP 401)",
        ),
        (
            seeds.tokens["expired"].token.clone(),
            "the root token does not work: Astra rejected the root token",
        ),
        (
            seeds.tokens["read_only"].token.clone(),
            "the root token cannot list tokens (org-token-read): the root token may not do GET \
             /v2/clientIdSecrets (HTTP 403)",
        ),
        (
            seeds.tokens["token_writer"].token.clone(),
            "the root token cannot list tokens (org-token-read)",
        ),
        (
            token_with(&mount, &["org-token-read"]),
            "the root token cannot create and delete tokens (org-token-write): the root token may \
             not do DELETE",
        ),
    ];
    for (token, text) in cases {
        let config = mount.config(json!({"token": token}));
        let refusal = mount.refusal("config", config).await;
        assert!(refusal.contains(text), "{refusal}");
        assert!(refusal.starts_with("config \"default\": "), "{refusal}");
        assert!(refusal.ends_with(". Nothing was stored"), "{refusal}");
        assert!(stored_keys(&mount).await.is_empty());
    }
    // The database administrator's role is enough.
    let config = mount.config(json!({"token": seeds.tokens["db_admin"].token}));
    mount.write("config", config).await.unwrap();
    assert!(mount.astra.violations().is_empty());
}

#[tokio::test]
async fn however_astra_answers_for_an_unknown_token_a_good_one_is_taken() {
    for answer in ["not_found", "bad_request", "no_content", "server_error"] {
        let mount = AstraMount::new().await;
        mount
            .astra
            .set_knobs(json!({"delete_missing": answer}))
            .unwrap();
        let config = mount.config(json!({}));
        assert!(mount.write("config", config).await.is_ok(), "{answer}");
    }
}

#[tokio::test]
async fn a_url_where_no_api_answers_is_named() {
    let mount = AstraMount::new().await;
    let wrong = format!("{}/api", mount.astra.url());
    let refusal = mount
        .refusal("config", mount.config(json!({"url": wrong})))
        .await;
    let text = format!("there is no Astra DevOps API at {wrong}");
    assert!(refusal.contains(&text), "{refusal}");
    let refusal = mount
        .refusal(
            "config",
            mount.config(json!({"url": "https://127.0.0.1:1"})),
        )
        .await;
    assert!(
        refusal.contains("https://127.0.0.1:1 cannot be reached for GET /v2/currentOrg"),
        "{refusal}"
    );
    assert!(stored_keys(&mount).await.is_empty());
}

#[tokio::test]
async fn what_is_not_verified_is_stored_with_a_warning() {
    let mount = AstraMount::new().await;
    mount.fault("*", "*", Fault::NoListen {});
    let config = mount.config(json!({"verify": false}));
    let written = mount.write("config", config).await.unwrap().unwrap();
    assert_eq!(
        written.warnings(),
        ["verify=false: the root token was stored without being tried"]
    );
    assert_eq!(mount.astra.journal().len(), 0);
    assert_eq!(mount.read("config").await.unwrap()["org_id"], "");
}

#[tokio::test]
async fn the_organization_of_a_config_changes_only_by_force() {
    let mount = AstraMount::mounted().await;
    let orgs = mount.astra.seeds().organizations;
    let other = json!({"token": orgs[2].root_token});
    let refusal = mount.refusal("config", other.clone()).await;
    assert_eq!(
        refusal,
        format!(
            "config \"default\" is for organization {}, but the token belongs to {}: tokens that \
             are live in {} could not be revoked any more. Use another config name for {}, or \
             force=true",
            orgs[0].id, orgs[2].id, orgs[0].id, orgs[2].id
        )
    );
    assert_eq!(mount.read("config").await.unwrap()["org_id"], orgs[0].id);
    let forced = json!({"token": orgs[2].root_token, "force": true});
    mount.write("config", forced).await.unwrap();
    assert_eq!(mount.read("config").await.unwrap()["org_id"], orgs[2].id);
}

#[tokio::test]
async fn a_config_in_use_is_deleted_only_by_force() {
    let mount = AstraMount::mounted().await;
    let credential = mount.mint("reader").await.unwrap();
    let refusal = refused(mount.delete("config", json!({})).await);
    assert_eq!(
        refusal,
        "config \"default\" is in use: roles reader and live tokens (1). Delete those roles and \
         revoke those leases first, or delete with force=true"
    );
    mount.delete("roles/reader", json!({})).await.unwrap();
    let refusal = refused(mount.delete("config", json!({})).await);
    assert!(refusal.contains("is in use: live tokens (1)."), "{refusal}");
    mount.revoke(&credential).await.unwrap();
    assert!(mount.delete("config", json!({})).await.unwrap().is_none());
    assert!(mount.read("config").await.is_none());
    assert!(mount.delete("config", json!({})).await.unwrap().is_none());
    mount.assert_clean(&[], "after all");

    mount.mount().await;
    mount.fault("GET", "/v2/clientIdSecrets", Fault::OkWithErrors {});
    let forced = mount.delete("config", json!({"force": true})).await;
    let warnings = forced.unwrap().unwrap().warnings().to_vec();
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].starts_with(
            "config \"default\" was deleted although it was in use: roles reader and an unknown \
             number of live tokens ("
        ),
        "{warnings:?}"
    );
    assert!(mount.read("config").await.is_none());
}

/// The token has no expiry, so nothing else ends it.
#[tokio::test]
async fn a_token_of_a_config_that_was_deleted_by_force_is_revoked_once_it_is_written_again() {
    let mount = AstraMount::mounted().await;
    let endless = json!({"ignore_expiry": true});
    mount.astra.set_knobs(endless).unwrap();
    let credential = mount.mint("reader").await.unwrap();
    let forced = mount.delete("config", json!({"force": true})).await;
    assert_eq!(
        forced.unwrap().unwrap().warnings(),
        [
            "config \"default\" was deleted although it was in use: roles reader and live tokens \
             (1). Revoking its tokens may fail until it is written again with a root token of the \
             same organization: each lives until its own expiry then, or for ever if it has none"
        ]
    );
    assert!(mount.revoke(&credential).await.is_err());
    let config = mount.config(json!({}));
    mount.write("config", config).await.unwrap();
    mount.revoke(&credential).await.unwrap();
    mount.assert_clean(&[], "it is revoked");
}

#[tokio::test]
async fn configs_do_not_share_organizations() {
    let mount = AstraMount::mounted().await;
    let second = &mount.astra.seeds().organizations[1];
    let config = mount.config(json!({"token": second.root_token}));
    mount.write("config/second", config).await.unwrap();
    let role = json!({"config": "second", "astra_roles": READER});
    mount.write("roles/other", role).await.unwrap();
    let one = mount.mint("reader").await.unwrap();
    let two = mount.mint("other").await.unwrap();
    assert_eq!(two.text("org_id"), second.id);
    assert_ne!(one.text("org_id"), two.text("org_id"));
    let tokens = mount.read("tokens/second/").await.unwrap();
    assert_eq!(tokens["keys"], json!([two.client_id]));
    mount.assert_clean(&[&one, &two], "both");
    mount.revoke(&two).await.unwrap();
    mount.assert_clean(&[&one], "the other stays");
}

#[tokio::test]
async fn another_nodes_write_is_seen() {
    let mount = AstraMount::mounted().await;
    let other = mount.another_node();
    other
        .write("config", json!({"request_timeout": 5}))
        .await
        .unwrap();
    other
        .write("roles/reader", json!({"ttl": 60}))
        .await
        .unwrap();
    assert_eq!(mount.read("config").await.unwrap()["request_timeout"], 30);
    mount.invalidate("v1/config/default").await;
    mount.invalidate("v1/role/reader").await;
    assert_eq!(mount.read("config").await.unwrap()["request_timeout"], 5);
    assert_eq!(mount.read("roles/reader").await.unwrap()["ttl"], 60);
}

#[tokio::test]
async fn a_mint_under_way_holds_its_config() {
    let mount = std::sync::Arc::new(AstraMount::mounted().await);
    let slow = astra_emulator::Fault::Latency {
        ms: 1_000,
        max_ms: None,
        at: Default::default(),
    };
    mount.fault_once("POST", "/v2/clientIdSecrets", slow);
    let minting = tokio::spawn({
        let mount = std::sync::Arc::clone(&mount);
        async move { mount.mint("reader").await }
    });
    wait_until("the mint is in flight", SOON, async || {
        mount.astra.stats().concurrency > 0
    })
    .await;
    mount.delete("roles/reader", json!({})).await.unwrap();
    let text = refused(mount.delete("config", json!({})).await);
    assert!(text.contains("mints in flight (1)"), "{text}");
    let credential = minting.await.unwrap().unwrap();
    let text = refused(mount.delete("config", json!({})).await);
    assert!(text.contains("live tokens (1)"), "{text}");
    mount.revoke(&credential).await.unwrap();
    mount.delete("config", json!({})).await.unwrap();
    mount.assert_clean(&[], "its lease was revoked");
}

#[tokio::test]
async fn without_descriptions_the_live_tokens_of_a_config_are_not_known() {
    let mount = AstraMount::mounted().await;
    let knobs = json!({"ignore_description": true});
    mount.astra.set_knobs(knobs).unwrap();
    mount.mint("reader").await.unwrap();
    mount.delete("roles/reader", json!({})).await.unwrap();
    let text = refused(mount.delete("config", json!({})).await);
    assert!(text.contains("an unknown number of live tokens"), "{text}");
    let force = json!({"force": true});
    let deleted = mount.delete("config", force).await.unwrap().unwrap();
    assert!(deleted.warnings()[0].contains("an unknown number"));
}

#[tokio::test]
async fn a_deleted_config_leaves_nothing_in_storage() {
    let mount = AstraMount::mounted().await;
    let credential = mount.mint("reader").await.unwrap();
    mount.revoke(&credential).await.unwrap();
    mount.delete("roles/reader", json!({})).await.unwrap();
    mount.delete("config", json!({})).await.unwrap();
    let keys = mount.storage.keys();
    assert_eq!(keys, ["v1/mount"]);
}

#[tokio::test]
async fn no_two_configs_have_one_root_token() {
    let mount = AstraMount::mounted().await;
    let client_id = mount
        .astra
        .root_token()
        .split(':')
        .nth(1)
        .unwrap()
        .to_owned();
    let text = mount.refusal("config/other", mount.config(json!({}))).await;
    let expected =
        format!("token: config \"default\" has the token with client id {client_id} already");
    assert!(text.starts_with(&expected), "{text}");
    assert_eq!(stored_keys(&mount).await, ["v1/config/default"]);
    // Its own it may have again.
    mount
        .write("config", mount.config(json!({})))
        .await
        .unwrap();
    let other = mount.config(json!({"token": mount.another_root_token()}));
    mount.write("config/other", other).await.unwrap();
}

#[tokio::test]
async fn the_stored_token_goes_to_no_other_address() {
    let mount = AstraMount::mounted().await;
    let elsewhere = Emulator::start(Options::default()).await.unwrap();
    let url = elsewhere.url();
    let port = mount.astra.url().replace("127.0.0.1", "localhost");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let pem = made.cert.pem();
    for (changes, field) in [
        (json!({"url": url}), "url"),
        (json!({"url": url, "verify": false}), "url"),
        (json!({"url": port}), "url"),
        (json!({"url": null}), "url"),
        (json!({"ca_cert": pem}), "ca_cert"),
    ] {
        for text in [
            refused(mount.patch("config", changes.clone()).await),
            mount.refusal("config", changes.clone()).await,
        ] {
            let start = format!("{field}: to change it give token too");
            assert!(text.starts_with(&start), "{text}");
        }
    }
    assert_eq!(elsewhere.journal().len(), 0, "nothing was sent there");
    assert_eq!(
        mount.read("config").await.unwrap()["url"],
        mount.astra.url()
    );
    // The same address may be given again, and with the token any.
    mount
        .patch("config", json!({"url": mount.astra.url()}))
        .await
        .unwrap();
    let token = elsewhere.root_token();
    let moved = json!({"url": url, "token": token, "force": true});
    mount.patch("config", moved).await.unwrap();
}

#[tokio::test]
async fn an_empty_token_is_not_taken_for_the_present_one() {
    let mount = AstraMount::mounted().await;
    for token in [json!(""), json!(" \n"), json!(null)] {
        let text = refused(mount.patch("config", json!({"token": token})).await);
        assert!(text.starts_with("token: it is empty"), "{text}");
    }
    mount.mint("reader").await.unwrap();
}

#[tokio::test]
async fn a_config_forgets_its_organization_only_with_force() {
    let mount = AstraMount::configured().await;
    let before = mount.read_data("config").await;
    let seeds = mount.astra.seeds();
    let (own, other) = (&seeds.organizations[0].id, &seeds.organizations[1]);
    let empty = json!({"token": other.root_token, "verify": false, "org_id": ""});
    let text = format!(
        "org_id: it is empty, and with verify=false nothing shows that the token belongs to {own}, \
         the organization of config \"default\": tokens that are live there could not be revoked any \
         more. Leave org_id out, or give verify=true, or force=true"
    );
    assert_eq!(mount.refusal("config", empty.clone()).await, text);
    assert_eq!(refused(mount.patch("config", empty.clone()).await), text);
    assert_eq!(mount.read_data("config").await, before);
    // The token tells it.
    let tried = json!({"org_id": "", "verify": true});
    mount.write("config", tried).await.unwrap();
    assert_eq!(mount.read_data("config").await["org_id"], json!(own));
    let mut forced = empty;
    forced["force"] = json!(true);
    mount.write("config", forced).await.unwrap();
    assert_eq!(mount.read_data("config").await["org_id"], json!(""));
}

#[tokio::test]
async fn an_untried_config_learns_its_organization() {
    let mount = AstraMount::new().await;
    let orgs = mount.astra.seeds().organizations;
    let untried = mount.config(json!({"verify": false}));
    mount.write("config", untried).await.unwrap();
    assert_eq!(mount.read("config").await.unwrap()["org_id"], "");
    mount.tick().await;
    assert_eq!(mount.read("config").await.unwrap()["org_id"], orgs[0].id);
    // From now on a token of another organization is refused at its first use.
    let other = json!({"token": orgs[2].root_token, "verify": false});
    mount.write("config", other).await.unwrap();
    let role = json!({"astra_roles": READER});
    let error = mount.write("roles/reader", role).await.err().unwrap();
    assert!(
        error.to_string().contains("belongs to organization"),
        "{error}"
    );
}
