//! Leases of the archived engine, before anything is imported.

use std::time::Duration;

use proptest::strategy::Strategy;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::old_mount::OldMount;
use super::old_mount::UNUSABLE;
use super::old_mount::Version;
use super::old_mount::mint;
use super::old_mount::on_lease;
use crate::engine::testing::not_renewed;
use crate::vault::Error;
use crate::vault::Operation;

const FOREIGN: &str = "the lease's internal data is not what this engine wrote";

/// The fixture's leases with a token: the version that wrote them, the placeholder of the client id, the
/// key of the stored token, and the ttl of a renewal.
pub(super) const TOKENS: [(Version, &str, &str, &str, u64); 5] = [
    (
        Version::Two,
        "2 standard",
        "$ID_STANDARD",
        "token/$SHA_STANDARD",
        3_600,
    ),
    (
        Version::Two,
        "2 sidecar",
        "$ID_SIDECAR",
        "token/$ID_SIDECAR",
        86_400,
    ),
    (
        Version::Two,
        "2 crossed",
        "$ID_CROSSED",
        "token/$ID_CROSSED",
        86_400,
    ),
    (
        Version::One,
        "1",
        "$ID_STANDARD",
        "token/$ID_STANDARD",
        768 * 3_600,
    ),
    (
        Version::One,
        "0.1",
        "$ID_STANDARD",
        "token/$ID_STANDARD",
        768 * 3_600,
    ),
];

#[tokio::test]
async fn every_shape_is_renewed_and_revoked_and_nothing_else_changes() {
    for (version, name, client_id, key, ttl) in TOKENS {
        let mount = OldMount::new(version).await;
        let lease = mount.lease(name);
        let requests = mount.inner.astra.journal().len();
        for _ in 0..2 {
            let renewed = mount.renew(&lease).await.unwrap().unwrap();
            let renewed = renewed.lease().unwrap().clone();
            assert_eq!(renewed.internal_data, lease, "{name}: unchanged");
            assert_eq!(renewed.ttl, Duration::from_secs(ttl), "{name}");
            assert!(renewed.renewable);
        }
        assert_eq!(mount.inner.astra.journal().len(), requests, "{name}");
        let mut expected = mount.entries().await;
        assert!(expected.remove(&mount.fill(key)).is_some(), "{name}");
        let live = mount.inner.live().len();
        for _ in 0..2 {
            assert!(mount.revoke(&lease).await.unwrap().is_none(), "{name}");
            assert!(!mount.is_live(client_id), "{name}");
            assert_eq!(mount.inner.live().len(), live - 1, "{name}");
            let mut entries = mount.entries().await;
            entries.remove("v1/mount");
            assert_eq!(entries, expected, "{name}");
        }
        assert!(mount.inner.astra.violations().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn the_old_response_in_a_request_changes_nothing() {
    let mount = OldMount::new(Version::Two).await;
    for (operation, name) in [
        (Operation::Renew, "2 standard"),
        (Operation::Revoke, "2 standard"),
    ] {
        let mut request = on_lease(operation, &mount.lease(name));
        let old = json!({
            "clientId": "another", "orgId": "another", "token": mount.word("$TOKEN_SIDECAR"),
        });
        request.data = old.as_object().unwrap().clone();
        mount.inner.handle(request).await.unwrap();
    }
    assert!(!mount.is_live("$ID_STANDARD") && mount.is_live("$ID_SIDECAR"));
}

#[tokio::test]
async fn a_lease_without_a_token_ends_and_is_not_extended() {
    let mount = OldMount::new(Version::Two).await;
    let before = mount.entries().await;
    let requests = mount.inner.astra.journal().len();
    for name in ["2 empty standard", "2 empty sidecar"] {
        let lease = mount.lease(name);
        let text = not_renewed(mount.renew(&lease).await);
        assert!(text.starts_with("no token stands behind this lease"));
        assert!(mount.revoke(&lease).await.unwrap().is_none());
        assert!(mount.revoke(&lease).await.unwrap().is_none());
    }
    let mut expected = before;
    expected.remove(&mount.fill("token/$SHA_EMPTY")).unwrap();
    assert_eq!(mount.entries().await, expected);
    assert_eq!(mount.inner.astra.journal().len(), requests);
}

/// A later mint under the same logical name has taken the place of the lease's token.
#[tokio::test]
async fn the_entry_of_a_later_token_of_the_same_name_stays() {
    let mount = OldMount::new(Version::Two).await;
    let key = "token/$SHA_STANDARD";
    let later = json!({
        "clientId": "$ID_CROSSED", "orgId": "$ORG_A", "roleName": "api_ro_user",
        "logicalName": "app1", "token": "$TOKEN_CROSSED",
    });
    mount.store(key, &later).await;
    let stored = mount.entries().await[&mount.fill(key)].clone();
    let mut empty = mount.lease("2 empty standard");
    empty.insert("tokenId".to_owned(), json!(mount.word("$SHA_STANDARD")));
    mount.revoke(&empty).await.unwrap();
    let lease = mount.lease("2 standard");
    mount.revoke(&lease).await.unwrap();
    assert!(!mount.is_live("$ID_STANDARD") && mount.is_live("$ID_CROSSED"));
    let left = mount.entries().await.remove(&mount.fill(key));
    assert_eq!(left, Some(stored), "it is the later token's");
    let mut of_later = lease.clone();
    of_later.insert("clientId".to_owned(), json!(mount.word("$ID_CROSSED")));
    mount.revoke(&of_later).await.unwrap();
    assert!(!mount.is_live("$ID_CROSSED"));
    assert!(!mount.entries().await.contains_key(&mount.fill(key)));
    // Nothing else removes one that stands for no token, or that cannot be read.
    for text in ["{", "{\"clientId\": \"\"}"] {
        mount.store_raw(key, text).await;
        mount.revoke(&lease).await.unwrap();
        assert!(!mount.entries().await.contains_key(&mount.fill(key)));
    }
}

#[tokio::test]
async fn a_crossed_token_is_deleted_by_the_organization_that_has_it() {
    let mount = OldMount::new(Version::Two).await;
    let lease = mount.lease("2 crossed");
    mount.revoke(&lease).await.unwrap();
    assert!(!mount.is_live("$ID_CROSSED"));
    let root_a = mount.word("$ROOT_A").split(':').nth(1).unwrap().to_owned();
    let deleted = mount.word("$ID_CROSSED").to_owned();
    assert_eq!(mount.deletions(), [(root_a, deleted)]);
}

/// Whatever Astra answers to the deletion of a token that the organization does not have.
#[tokio::test]
async fn a_success_of_the_wrong_organization_is_not_believed() {
    for answer in ["not_found", "bad_request", "no_content", "server_error"] {
        let mount = OldMount::new(Version::Two).await;
        let knobs = json!({"delete_missing": answer});
        mount.inner.astra.set_knobs(knobs).unwrap();
        mount.revoke(&mount.lease("2 crossed")).await.unwrap();
        assert!(!mount.is_live("$ID_CROSSED"), "{answer}");
    }
}

/// B, which the lease of the token in A names, cannot be asked.
#[tokio::test]
async fn what_another_organization_lists_is_deleted_there_while_the_named_one_is_dark_or_refuses() {
    for is_dark in [true, false] {
        let mount = OldMount::new(Version::Two).await;
        if is_dark {
            mount.go_dark("$ORG_B").await;
        } else {
            mount.refuse("$ROOT_B");
        }
        mount.revoke(&mount.lease("2 crossed")).await.unwrap();
        assert!(!mount.is_live("$ID_CROSSED"));
        // One that is listed nowhere else may still be in B.
        let error = mount.revoke(&mount.lease("2 sidecar")).await.err().unwrap();
        assert!(matches!(error, Error::Internal(_)), "{error:?}");
        assert!(mount.is_live("$ID_SIDECAR"));
        assert!(
            mount
                .entries()
                .await
                .contains_key(&mount.fill("token/$ID_SIDECAR"))
        );
    }
}

/// The token of the lease has gone from B, and A cannot be asked whether it has it.
#[tokio::test]
async fn an_outage_elsewhere_is_tried_again_and_a_refusal_elsewhere_ends() {
    let mut mount = OldMount::new(Version::Two).await;
    mount.remove(UNUSABLE).await;
    let lease = mount.lease("2 sidecar");
    mount
        .inner
        .astra
        .revoke_token(mount.word("$ID_SIDECAR"))
        .unwrap();
    let entries = mount.entries().await;
    mount.go_dark("$ORG_A").await;
    let error = mount.revoke(&lease).await.err().unwrap();
    assert!(matches!(error, Error::Internal(_)), "{error:?}");
    assert!(error.to_string().contains("cannot be asked"), "{error}");
    for (key, value) in entries {
        mount
            .store_raw(&key, &String::from_utf8(value).unwrap())
            .await;
    }
    mount.inner.restart();
    mount.refuse("$ROOT_A");
    mount.revoke(&lease).await.unwrap();
    // Where the lease's own organization has the token, no other is asked.
    let mount = OldMount::new(Version::Two).await;
    mount.go_dark("$ORG_A").await;
    mount.revoke(&mount.lease("2 sidecar")).await.unwrap();
    assert!(!mount.is_live("$ID_SIDECAR"));
}

#[tokio::test]
async fn without_a_config_of_its_organization_a_lease_does_not_end() {
    let mount = OldMount::new(Version::Two).await;
    mount.remove("config/$ORG_B").await;
    let lease = mount.lease("2 sidecar");
    let error = mount.revoke(&lease).await.err().unwrap().to_string();
    let organization = format!(
        "no config for organization {} can be used",
        mount.word("$ORG_B")
    );
    assert!(error.starts_with(&organization), "{error}");
    assert!(mount.is_live("$ID_SIDECAR"));
    // The operator writes one by hand, whose organization it is.
    let config = json!({"token": mount.word("$ROOT_B"), "url": mount.inner.astra.url()});
    mount.inner.write("config/team-b", config).await.unwrap();
    mount.revoke(&lease).await.unwrap();
    assert!(!mount.is_live("$ID_SIDECAR"));
    // Where the lease names none, all must have been asked.
    let mount = OldMount::new(Version::One).await;
    mount.refuse("$ROOT_A");
    let lease = mount.lease("0.1");
    assert!(mount.revoke(&lease).await.is_err());
    mount.remove("config/$ORG_A").await;
    assert!(mount.revoke(&lease).await.is_err());
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_names_its_key_and_never_its_content() {
    let mount = OldMount::new(Version::Two).await;
    let lease = mount.lease("2 sidecar");
    for broken in [
        "{\"astra_token\": \"AstraCS:secret",
        "[\"AstraCS:secret\"]",
        "{\"astra_token\": 5, \"url\": \"AstraCS:secret\"}",
        "",
    ] {
        mount.store_raw("config/$ORG_B", broken).await;
        let text = mount.revoke(&lease).await.err().unwrap().to_string();
        assert!(text.contains(&mount.fill("config/$ORG_B")), "{text}");
        assert!(!text.contains("secret"), "{text}");
        let lease = mount.lease("2 standard");
        mount.revoke(&lease).await.unwrap();
    }
    mount.store_raw("role/$ORG_B:api_ro_user", "{").await;
    let text = mount.renew(&lease).await.err().unwrap().to_string();
    assert!(text.contains("api_ro_user is not what"), "{text}");
}

#[tokio::test]
async fn a_lease_of_a_role_that_is_gone_is_not_extended_but_revoked() {
    let mount = OldMount::new(Version::Two).await;
    mount.remove("role/$ORG_A:api_ro_user").await;
    let lease = mount.lease("2 standard");
    let text = not_renewed(mount.renew(&lease).await);
    assert!(
        text.starts_with("role \"api_ro_user\" does not exist any more"),
        "{text}"
    );
    mount.revoke(&lease).await.unwrap();
    assert!(!mount.is_live("$ID_STANDARD"));
}

#[tokio::test]
async fn what_neither_engine_wrote_is_refused_without_quoting_it() {
    let mount = OldMount::new(Version::Two).await;
    for data in [
        json!({"clientId": 7}),
        json!({"clientId": "x", "orgId": ["AstraCS:secret"]}),
        json!({"clientId": "x", "tokenId": {}}),
        json!({"clientId": "x", "roleName": false}),
        json!({"token": "AstraCS:secret"}),
        json!({"token": 5}),
        json!({}),
    ] {
        let mut lease: Map<String, Value> = data.as_object().unwrap().clone();
        lease.insert("secret_type".into(), "astra_token".into());
        for outcome in [mount.revoke(&lease).await, mount.renew(&lease).await] {
            assert_eq!(
                outcome.err(),
                Some(Error::Internal(FOREIGN.to_owned())),
                "{data}"
            );
        }
    }
    // A token id is never a path.
    let mut lease = mount.lease("2 empty standard");
    lease.insert("tokenId".into(), "../config/x".into());
    let before = mount.entries().await;
    mount.revoke(&lease).await.unwrap();
    assert_eq!(mount.entries().await, before);
}

#[tokio::test]
async fn a_node_that_may_not_write_forwards() {
    let mut mount = OldMount::new(Version::Two).await;
    mount.inner.system.replication_state = crate::vault::ReplicationState(64);
    mount.inner.restart();
    for name in ["2 standard", "2 empty standard", "1"] {
        let lease = mount.lease(name);
        assert_eq!(mount.renew(&lease).await.err(), Some(Error::ReadOnly));
        assert_eq!(mount.revoke(&lease).await.err(), Some(Error::ReadOnly));
    }
    assert!(mount.is_live("$ID_STANDARD"));
}

/// Each lease names an organization at random, and its token is in one at random.
#[tokio::test]
async fn however_tokens_and_leases_are_crossed_all_end_by_their_own_organization() {
    let mut runner = TestRunner::deterministic();
    for (organizations, answer) in [(2, "not_found"), (3, "no_content"), (5, "server_error")] {
        let mount = OldMount::empty().await;
        let astra = &mount.inner.astra;
        astra.set_knobs(json!({"delete_missing": answer})).unwrap();
        let mut orgs = vec![];
        for seed in astra.seeds().organizations.into_iter().take(2) {
            orgs.push((seed.id, seed.root_token));
        }
        while orgs.len() < organizations {
            let seed = astra
                .create_org(&format!("Org {}", orgs.len()), None)
                .unwrap();
            orgs.push((seed.id, seed.root_token));
        }
        for (id, root) in &orgs {
            let config =
                json!({"astra_token": root, "url": astra.url(), "org_id": id, "caller_mode": 2});
            mount.store(&format!("config/{id}"), &config).await;
        }
        let pair = (0..organizations, 0..organizations);
        let mut homes = std::collections::BTreeMap::new();
        let mut leases = vec![];
        for _ in 0..30 {
            let (named, actual) = pair.new_tree(&mut runner).unwrap().current();
            let minted = mint(&astra.url(), &orgs[actual].1).await;
            let client_id = minted["clientId"].as_str().unwrap();
            homes.insert(
                client_id.to_owned(),
                orgs[actual].1.split(':').nth(1).unwrap().to_owned(),
            );
            let lease = json!({
                "secret_type": "astra_token", "orgId": orgs[named].0, "clientId": client_id,
                "roleName": "r", "tokenId": client_id,
            });
            leases.push(lease.as_object().unwrap().clone());
        }
        for lease in &leases {
            mount.revoke(lease).await.unwrap();
        }
        let live = mount.inner.live();
        assert!(homes.keys().all(|id| !live.contains(id)), "{live:?}");
        for (caller, deleted) in mount.deletions() {
            assert_eq!(
                caller, homes[&deleted],
                "by the root token of its own organization"
            );
        }
        assert!(astra.violations().is_empty());
    }
}

impl OldMount {
    /// Nothing answers any more at the URL of the organization's config.
    async fn go_dark(&self, org: &str) {
        let key = self.fill(&format!("config/{org}"));
        let mut config: Value = serde_json::from_slice(&self.entries().await[&key]).unwrap();
        config["url"] = json!("http://127.0.0.1:1");
        self.store(&key, &config).await;
    }

    /// Astra does not know the root token any more.
    fn refuse(&self, root: &str) {
        let client_id = self.word(root).split(':').nth(1).unwrap();
        self.inner.astra.revoke_token(client_id).unwrap();
    }
}
