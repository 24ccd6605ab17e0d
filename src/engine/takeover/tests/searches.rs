//! Which answers end the search for the token of an old lease, and which leave it open.

use std::time::Duration;

use astra_emulator::Fault;
use astra_emulator::FaultRule;
use astra_emulator::fault::FaultBody;
use astra_emulator::fault::Malformation;
use astra_emulator::fault::RedirectTarget;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use time::format_description::well_known::Rfc3339;

use super::old_mount::OldMount;
use super::old_mount::UNUSABLE;
use super::old_mount::Version;
use super::old_mount::on_lease;
use crate::engine::testing::virtual_time;
use crate::vault::Error;
use crate::vault::Operation;

const LIST: &str = "/v2/clientIdSecrets";
const OWN_ORG: &str = "/v2/currentOrg";

/// The token has gone from B, which the lease names, and may be in A.
#[test]
fn an_answer_that_may_change_does_not_say_that_an_organization_lacks_the_token() {
    let malformed = Fault::MalformedJson {
        how: Malformation::Cut,
    };
    for fault in [malformed, answer(429)] {
        virtual_time::run(1, async {
            let mount = OldMount::in_virtual_time(Version::Two).await;
            mount.remove(UNUSABLE).await;
            mount
                .inner
                .astra
                .revoke_token(mount.word("$ID_SIDECAR"))
                .unwrap();
            mount.fail_lists("$ORG_A", fault.clone());
            let lease = mount.lease("2 sidecar");
            let error = mount.revoke(&lease).await.err();
            assert!(matches!(error, Some(Error::Internal(_))), "{error:?}");
            mount.inner.astra.clear_faults();
            mount.revoke(&lease).await.unwrap();
        });
    }
}

/// The lease names B; the token is in A, in front of which something refuses.
#[test]
fn a_refusal_of_something_in_front_of_astra_keeps_the_lease_of_a_token_elsewhere() {
    let page = |status, body| Fault::Status {
        status,
        body,
        retry_after: None,
        committed: false,
    };
    let redirect = Fault::Redirect {
        status: 302,
        to: RedirectTarget::SameHost,
        committed: false,
    };
    for fault in [
        page(403, FaultBody::Html),
        page(403, FaultBody::BlockPage),
        page(404, FaultBody::Html),
        page(404, FaultBody::Envoy),
        page(400, FaultBody::Empty),
        page(401, FaultBody::Null),
        redirect,
    ] {
        virtual_time::run(1, async {
            let mount = OldMount::in_virtual_time(Version::Two).await;
            mount.fail_lists("$ORG_A", fault.clone());
            // The question that tells a dead root token is answered the same.
            let rule = FaultRule::new(fault.clone()).on("GET", OWN_ORG);
            let rule = rule.of_org(mount.word("$ORG_A"));
            mount.inner.astra.add_fault(rule).unwrap();
            let lease = mount.lease("2 crossed");
            let error = mount.revoke(&lease).await.err();
            assert!(
                matches!(error, Some(Error::Internal(_))),
                "{fault:?} {error:?}"
            );
            let stored = mount.fill("token/$ID_CROSSED");
            assert!(mount.entries().await.contains_key(&stored), "{fault:?}");
            mount.inner.astra.clear_faults();
            mount.revoke(&lease).await.unwrap();
            assert!(!mount.inner.is_live(mount.word("$ID_CROSSED")), "{fault:?}");
        });
    }
}

/// The old plugin minted the token, and this one is to end its lease before Astra shows it.
#[test]
fn a_token_of_a_moment_ago_that_astra_does_not_show_keeps_its_lease() {
    for (names_organization, is_issued) in
        [(true, true), (true, false), (false, true), (false, false)]
    {
        virtual_time::run(1, async {
            let mount = OldMount::in_virtual_time(Version::One).await;
            mount.inner.mount().await;
            let unseen = json!({"create_visible_after_ms": 20_000, "create_visible_scope": "all"});
            mount.inner.astra.set_knobs(unseen).unwrap();
            let client_id = mount.inner.mint("reader").await.unwrap().client_id;
            let now = mount.inner.backend.engine.clock.now();
            let organization = match names_organization {
                true => mount.word("$ORG_A"),
                false => "",
            };
            let lease = json!({
                "secret_type": "astra_token", "orgId": organization, "clientId": client_id,
                "roleName": "r", "tokenId": client_id,
            });
            // Either the host or the stored token tells when.
            if !is_issued {
                let stored =
                    json!({"clientId": client_id, "generatedOn": now.format(&Rfc3339).unwrap()});
                mount.store(&format!("token/{client_id}"), &stored).await;
            }
            let revoke = async || {
                let mut request = on_lease(Operation::Revoke, lease.as_object().unwrap());
                request.lease.as_mut().unwrap().issue_time = is_issued.then_some(now);
                mount.inner.handle(request).await
            };
            let error = revoke().await.err();
            assert!(matches!(error, Some(Error::Internal(_))), "{error:?}");
            let text = error.unwrap().to_string();
            assert!(text.contains("has to be tried again"), "{text}");
            assert!(mount.inner.is_live(&client_id));
            tokio::time::sleep(Duration::from_secs(31)).await;
            revoke().await.unwrap();
            assert!(!mount.inner.is_live(&client_id));
        });
    }
}

/// The lease names B; the token is in A, whose config cannot be used for a while.
#[test]
fn a_config_that_cannot_be_used_keeps_the_lease_of_a_token_that_may_be_there() {
    for (is_imported, key, name) in [
        (
            false,
            "config/$ORG_A",
            "the archived engine's config/$ORG_A",
        ),
        (true, "v1/config/prod", "config \"prod\""),
    ] {
        virtual_time::run(1, async {
            let mut mount = OldMount::in_virtual_time(Version::Two).await;
            mount.remove(UNUSABLE).await;
            if is_imported {
                let import = mount.inner.call(Operation::Update, "import", json!({}));
                import.await.unwrap();
            }
            let config = mount.entries().await[&mount.fill(key)].clone();
            mount.store_raw(key, "{").await;
            mount.inner.restart();
            let lease = mount.lease("2 crossed");
            let error = mount.revoke(&lease).await.err();
            assert!(matches!(error, Some(Error::Internal(_))), "{error:?}");
            let text = error.unwrap().to_string();
            let named = format!("{} cannot be asked: ", mount.fill(name));
            assert!(text.contains(&named), "{text}");
            let stored = mount.fill("token/$ID_CROSSED");
            assert!(mount.entries().await.contains_key(&stored));
            // One that this process has deleted is gone.
            let other = mount.lease("2 sidecar");
            for _ in 0..2 {
                mount.revoke(&other).await.unwrap();
            }
            let config = String::from_utf8(config).unwrap();
            mount.store_raw(key, &config).await;
            mount.inner.restart();
            mount.revoke(&lease).await.unwrap();
            assert!(!mount.inner.is_live(mount.word("$ID_CROSSED")));
        });
    }
}

/// Neither the one that refuses nor the one whose config cannot be used was asked.
#[test]
fn a_lease_that_names_no_organization_stays_while_one_refuses_and_one_is_unusable() {
    virtual_time::run(1, async {
        let mount = OldMount::in_virtual_time(Version::Two).await;
        mount.remove("config/$ORG_B").await;
        mount.fail_lists("$ORG_A", answer(403));
        let lease = mount.lease("0.1");
        let error = mount.revoke(&lease).await.err();
        assert!(matches!(error, Some(Error::Internal(_))), "{error:?}");
        assert!(mount.inner.is_live(mount.word("$ID_STANDARD")));
    });
}

/// How an organization of the archived engine comes to have no config.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Lost {
    /// Its entry was removed, and the stored token tells which organization it is.
    Removed,
    /// The operator left it out, and finished.
    LeftOut,
    /// The operator finished by force, although it could not be imported.
    Problem,
    /// Its config was deleted by force once the takeover was finished.
    Deleted,
    /// Its config was moved to another organization then.
    Moved,
}

/// The token is in B, which the lease does not name.
#[test]
fn a_lease_that_names_no_organization_stays_while_one_has_no_config() {
    for lost in [
        Lost::Removed,
        Lost::LeftOut,
        Lost::Problem,
        Lost::Deleted,
        Lost::Moved,
    ] {
        virtual_time::run(1, async {
            let mut mount = OldMount::in_virtual_time(Version::Two).await;
            mount.remove(UNUSABLE).await;
            mount.lose_b(lost).await;
            let token = mount.word("$TOKEN_SIDECAR");
            let lease = json!({"secret_type": "astra_token", "token": token, "metadata": null});
            let lease = lease.as_object().unwrap();
            let error = mount.revoke(lease).await.err();
            assert!(
                matches!(error, Some(Error::Internal(_))),
                "{lost:?}: {error:?}"
            );
            let text = error.unwrap().to_string();
            let organization = mount.fill("organization $ORG_B");
            assert!(text.contains(&organization), "{lost:?}: {text}");
            assert!(text.ends_with("force the revocation"), "{lost:?}: {text}");
            assert!(mount.inner.is_live(mount.word("$ID_SIDECAR")));
            let root = mount.word("$ROOT_B");
            mount.inner.write_config("team-b", root).await;
            mount.revoke(lease).await.unwrap();
            assert!(!mount.inner.is_live(mount.word("$ID_SIDECAR")), "{lost:?}");
            // Another process knows by the configs alone that it is gone.
            mount.inner.restart();
            mount.revoke(lease).await.unwrap();
        });
    }
}

/// The lease names A; the token is in B.
#[test]
fn a_lease_of_a_token_that_no_one_lists_stays_while_an_organization_has_no_config() {
    let losses = [Lost::LeftOut, Lost::Problem, Lost::Deleted, Lost::Moved];
    // What Astra answers to the deletion of a token that the organization does not have.
    for (lost, answer) in losses
        .into_iter()
        .zip(["no_content", "not_found"].repeat(2))
    {
        virtual_time::run(1, async {
            let mut mount = OldMount::in_virtual_time(Version::Two).await;
            mount.remove(UNUSABLE).await;
            mount.lose_b(lost).await;
            let knobs = json!({"delete_missing": answer});
            mount.inner.astra.set_knobs(knobs).unwrap();
            let lease = mount.lease_in_a("$ID_SIDECAR");
            for _ in 0..2 {
                let revoked = mount.revoke(&lease).await;
                let text = revoked.err().map(|error| error.to_string());
                let text = text.unwrap_or_else(|| panic!("{lost:?} {answer}: it ended"));
                let organization = mount.fill("organization $ORG_B, where it may be,");
                assert!(text.contains(&organization), "{lost:?}: {text}");
                assert!(text.ends_with("force the revocation"), "{lost:?}: {text}");
                assert!(mount.inner.is_live(mount.word("$ID_SIDECAR")));
            }
            // One that A has is deleted, and stays so.
            let other = mount.lease_in_a("$ID_STANDARD");
            for _ in 0..2 {
                mount.revoke(&other).await.unwrap();
                assert!(!mount.inner.is_live(mount.word("$ID_STANDARD")));
            }
            mount
                .inner
                .write_config("team-b", mount.word("$ROOT_B"))
                .await;
            mount.revoke(&lease).await.unwrap();
            assert!(!mount.inner.is_live(mount.word("$ID_SIDECAR")), "{lost:?}");
            mount.inner.restart();
            mount.revoke(&lease).await.unwrap();
        });
    }
}

/// What is wrong with the record of what was taken over.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Unread {
    /// Storage does not give it now.
    Fails,
    Damaged,
    Newer,
}

/// B, where the token is, was left out: nothing but the record tells that.
#[test]
fn a_lease_stays_while_the_record_of_what_was_left_out_cannot_be_read() {
    for unread in [Unread::Fails, Unread::Damaged, Unread::Newer] {
        virtual_time::run(1, async {
            let mut mount = OldMount::in_virtual_time(Version::Two).await;
            mount.remove(UNUSABLE).await;
            mount.lose_b(Lost::LeftOut).await;
            let record = mount.entries().await["v1/takeover"].clone();
            match unread {
                Unread::Fails => mount.inner.storage.set_unreadable(Some("v1/takeover")),
                Unread::Damaged => mount.store_raw("v1/takeover", "[]").await,
                Unread::Newer => mount.store_raw("v1/takeover", "{\"version\": 2}").await,
            }
            mount.inner.restart();
            let token = mount.word("$TOKEN_SIDECAR");
            let nameless = json!({"secret_type": "astra_token", "token": token, "metadata": null});
            let leases = [
                nameless.as_object().unwrap().clone(),
                mount.lease_in_a("$ID_SIDECAR"),
            ];
            for lease in &leases {
                let error = mount.revoke(lease).await.err();
                assert!(
                    matches!(error, Some(Error::Internal(_))),
                    "{unread:?}: {error:?}"
                );
                assert!(mount.inner.is_live(mount.word("$ID_SIDECAR")), "{unread:?}");
            }
            // What the configs show is enough for a token that is where its lease says.
            let revoked = mount.revoke(&mount.lease_in_a("$ID_STANDARD")).await;
            assert_eq!(revoked.is_err(), unread == Unread::Fails, "{unread:?}");
            mount.inner.storage.set_unreadable(None);
            let record = String::from_utf8(record).unwrap();
            mount.store_raw("v1/takeover", &record).await;
            mount.inner.restart();
            mount
                .inner
                .write_config("team-b", mount.word("$ROOT_B"))
                .await;
            for lease in &leases {
                mount.revoke(lease).await.unwrap();
                assert!(!mount.inner.is_live(mount.word("$ID_SIDECAR")));
            }
        });
    }
}

/// The lease names B; the token is in A.
#[test]
fn an_organization_that_hangs_leaves_time_to_ask_the_others() {
    virtual_time::run(1, async {
        let mount = OldMount::in_virtual_time(Version::Two).await;
        mount.fail_lists("$ORG_B", Fault::Hang { committed: false });
        let begun = tokio::time::Instant::now();
        mount.revoke(&mount.lease("2 crossed")).await.unwrap();
        assert!(!mount.inner.is_live(mount.word("$ID_CROSSED")));
        // The host gives a request up after 90 s.
        assert!(begun.elapsed() < Duration::from_secs(60));
    });
}

/// The lease names B; the token is in A, and C is the one in trouble, perhaps as B is.
#[test]
fn a_third_organization_in_trouble_leaves_time_to_delete_the_token() {
    let hang = || Fault::Hang { committed: false };
    for (of_c, of_b) in [
        (hang(), None),
        (answer(429), None),
        (hang(), Some(hang())),
        (answer(429), Some(answer(429))),
    ] {
        virtual_time::run(1, async {
            let mount = OldMount::in_virtual_time(Version::Two).await;
            let c = mount.inner.astra.seeds().organizations[1].clone();
            let config = json!({"astra_token": c.root_token, "url": "$URL", "org_id": c.id});
            mount.store(&format!("config/{}", c.id), &config).await;
            mount.fail_lists(&c.id, of_c.clone());
            if let Some(of_b) = &of_b {
                mount.fail_lists("$ORG_B", of_b.clone());
            }
            let begun = tokio::time::Instant::now();
            let revoked = mount.revoke(&mount.lease("2 crossed")).await;
            let error = revoked.err();
            assert!(error.is_none(), "{of_c:?}, {of_b:?}: {error:?}");
            assert!(!mount.inner.is_live(mount.word("$ID_CROSSED")));
            assert!(begun.elapsed() < Duration::from_secs(30));
        });
    }
}

#[test]
fn with_one_organization_the_token_is_deleted_without_a_list() {
    virtual_time::run(1, async {
        let mount = OldMount::in_virtual_time(Version::One).await;
        mount.fail_lists("$ORG_A", answer(503));
        let before = mount.inner.all_requests();
        mount.revoke(&mount.lease("1")).await.unwrap();
        assert!(!mount.inner.is_live(mount.word("$ID_STANDARD")));
        let journal = mount.inner.astra.journal();
        let methods: Vec<&str> = journal[before..]
            .iter()
            .map(|entry| entry.method.as_str())
            .collect();
        assert_eq!(methods, ["DELETE"]);
    });
}

fn answer(status: u16) -> Fault {
    Fault::Status {
        status,
        body: FaultBody::Errors,
        retry_after: None,
        committed: false,
    }
}

impl OldMount {
    /// A lease of the token with the client id behind `word` that names A.
    fn lease_in_a(&self, word: &str) -> Map<String, Value> {
        let lease = json!({
            "secret_type": "astra_token", "orgId": self.word("$ORG_A"), "roleName": "r",
            "clientId": self.word(word), "tokenId": self.word(word),
        });
        lease.as_object().unwrap().clone()
    }

    async fn lose_b(&self, lost: Lost) {
        let b = self.word("$ORG_B");
        let names = match lost {
            Lost::Removed => return self.remove("config/$ORG_B").await,
            Lost::LeftOut => json!({b: ""}),
            Lost::Problem => {
                self.store_raw("config/$ORG_B", "{").await;
                json!({})
            }
            Lost::Deleted | Lost::Moved => json!({}),
        };
        for data in [
            json!({"names": names}),
            json!({"finish": true, "force": true}),
        ] {
            let import = self.inner.call(Operation::Update, "import", data);
            import.await.unwrap();
        }
        let config = format!("config/{b}");
        if lost == Lost::Deleted {
            let force = json!({"force": true});
            self.inner.delete(&config, force).await.unwrap();
        }
        if lost == Lost::Moved {
            let other = &self.inner.astra.seeds().organizations[1];
            let moved = json!({"token": other.root_token, "force": true});
            self.inner.write(&config, moved).await.unwrap();
        }
    }

    /// From now on all lists of the organization go wrong.
    fn fail_lists(&self, org: &str, fault: Fault) {
        let rule = FaultRule::new(fault).on("GET", LIST);
        let rule = rule.of_org(&self.fill(org));
        self.inner.astra.add_fault(rule).unwrap();
    }
}
