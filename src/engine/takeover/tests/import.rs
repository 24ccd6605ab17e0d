//! `import` of what the archived engine left.

use std::time::Duration;

use astra_emulator::Fault;
use astra_emulator::fault::FaultBody;
use astra_emulator::fault::LatencyPoint;
use serde_json::Value;
use serde_json::json;

use super::leases::TOKENS;
use super::old_mount::OldMount;
use super::old_mount::Version;
use crate::engine::testing::refused;
use crate::engine::testing::virtual_time;
use crate::vault::Error;
use crate::vault::Operation;
use crate::vault::Response;
use crate::vault::memory::WriteFault;

const LOST: &str = "ccd123456_facd_4ad3";

impl OldMount {
    async fn import(&self, data: Value) -> Result<Response, Error> {
        let answer = self.inner.call(Operation::Update, "import", data).await;
        answer.map(Option::unwrap)
    }

    /// The data and the warnings of an import that must succeed.
    async fn imported(&self, data: Value) -> (Value, Vec<String>) {
        let answer = self.import(data).await.unwrap();
        let data = Value::Object(answer.data().clone());
        for secret in ["$ROOT_A", "$ROOT_B", "$TOKEN_STANDARD", "$TOKEN_SIDECAR"] {
            let text = format!("{data}{:?}", answer.warnings());
            assert!(!text.contains(self.word(secret)), "{secret}");
        }
        (data, answer.warnings().to_vec())
    }

    /// The message of an import that must be refused.
    async fn refused_import(&self, data: Value) -> String {
        refused(self.inner.call(Operation::Update, "import", data).await)
    }

    /// Nothing of the archived engine is left in storage.
    async fn assert_only_own_entries(&self) {
        let entries = self.entries().await;
        assert!(entries.keys().all(|key| key.starts_with("v1/")));
    }

    /// A role's id in reports.
    fn role(&self, org: &str, name: &str) -> String {
        format!("{}:{name}", self.fill(org))
    }
}

fn action<'a>(report: &'a Value, kind: &str, key: &str) -> &'a str {
    report[kind][key]["action"].as_str().unwrap()
}

fn problem<'a>(report: &'a Value, kind: &str, key: &str) -> &'a str {
    report[kind][key]["problem"].as_str().unwrap()
}

#[tokio::test]
async fn another_nodes_import_is_seen() {
    let mount = OldMount::new(Version::One).await;
    let state = async || mount.inner.read("import").await.unwrap()["state"].clone();
    assert_eq!(state().await, "open");
    let other = mount.inner.another_node();
    let imported = other.call(Operation::Update, "import", json!({})).await;
    imported.unwrap();
    mount.inner.invalidate("v1/takeover").await;
    assert_eq!(state().await, "imported");
}

#[tokio::test]
async fn the_fixtures_are_reported_dry_and_then_taken_over() {
    let mount = OldMount::new(Version::Two).await;
    let before = mount.entries().await;
    let (report, warnings) = mount.imported(json!({"dry_run": true})).await;
    assert_eq!(mount.entries().await, before, "a dry run writes nothing");
    let (a, b) = (mount.word("$ORG_A"), mount.word("$ORG_B"));
    let expected = json!({
        a: {"action": "import", "config": "prod", "caller_mode": "standard", "organization": a},
        b: {"action": "import", "config": b, "caller_mode": "sidecar", "organization": b},
    });
    let mut configs = report["configs"].clone();
    let lost = configs.as_object_mut().unwrap().remove(LOST).unwrap();
    assert_eq!(configs, expected);
    assert_eq!(lost["action"], "problem");
    assert!(
        lost["problem"]
            .as_str()
            .unwrap()
            .contains("config/ccd123456_facd_4ad3 by hand")
    );
    let roles = &report["roles"];
    for (org, old, new, ttl, max_ttl) in [
        (
            "$ORG_A",
            "api_ro_user",
            "api_ro_user-prod".to_owned(),
            3_600,
            28_800,
        ),
        (
            "$ORG_B",
            "api_ro_user",
            format!("api_ro_user-{b}"),
            86_400,
            86_400,
        ),
        ("$ORG_A", "a:b", "a_b".to_owned(), 86_400, 86_400),
        ("$ORG_A", "r/w user", "r_w_user".to_owned(), 86_400, 86_400),
        ("$ORG_A", "größe", "gr_e".to_owned(), 86_400, 86_400),
    ] {
        let role = &roles[mount.role(org, old)];
        assert_eq!(role["action"], "import", "{old}: {role}");
        assert_eq!(
            (&role["role"], &role["ttl"], &role["max_ttl"]),
            (&json!(new), &json!(ttl), &json!(max_ttl))
        );
        assert!(role["astra_role"].is_string(), "{role}");
    }
    let ghost = problem(&report, "roles", &mount.role("$ORG_A", "ghost")).to_owned();
    assert!(
        ghost.starts_with("role_id \"not-a-uuid\": the organization has no such role"),
        "{ghost}"
    );
    let lost = mount.role(LOST, "lost");
    assert_eq!(
        problem(&report, "roles", &lost),
        "the config of its organization is a problem"
    );
    assert_eq!(
        (&report["problems"], &report["complete"]),
        (&json!(3), &json!(false))
    );
    assert!(
        warnings.iter().any(|warning| warning.contains(&ghost)),
        "{warnings:?}"
    );
    // One of the organizations was not asked, so what is not listed could be there.
    let crossed = mount.word("$ID_CROSSED");
    assert_eq!(
        report["tokens"],
        json!({
            "stored": 5, "live": 3, "in_another_organization": {crossed: "prod"}, "gone": 0,
            "empty": 2, "unknown": 0, "unreadable": {},
        })
    );

    let (real, _) = mount.imported(json!({})).await;
    for kind in ["configs", "roles", "tokens", "problems", "complete"] {
        assert_eq!(real[kind], report[kind], "{kind}: as the dry run says");
    }
    let after = mount.entries().await;
    assert!(
        before
            .iter()
            .all(|(key, value)| after.get(key) == Some(value)),
        "old entries stay"
    );
    let config = mount.inner.read("config/prod").await.unwrap();
    assert_eq!(
        (&config["org_id"], &config["verify"]),
        (&json!(a), &json!(true))
    );
    let role = mount.inner.read("roles/api_ro_user-prod").await.unwrap();
    assert_eq!(
        (&role["config"], &role["ttl"], &role["astra_role_ids"][0]),
        (&json!("prod"), &json!(3_600), &json!(mount.word("$READER")))
    );

    let (again, _) = mount.imported(json!({})).await;
    assert_eq!(action(&again, "configs", a), "imported");
    assert_eq!(
        action(&again, "roles", &mount.role("$ORG_A", "a:b")),
        "imported"
    );
    assert_eq!(mount.entries().await, after, "nothing is written again");
    assert_eq!(mount.inner.read("import").await.unwrap()["state"], "open");
}

#[tokio::test]
async fn entries_of_version_1_are_taken_over_and_version_2_wins() {
    let mount = OldMount::new(Version::One).await;
    let id = mount.role("$ORG_A", "api_ro_user");
    let (report, _) = mount.imported(json!({"dry_run": true})).await;
    assert_eq!(action(&report, "roles", &id), "import");
    assert_eq!(
        (&report["roles"][&id]["ttl"], &report["problems"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(action(&report, "roles", &mount.fill("$ORG_A-")), "skip");
    let newer = json!({
        "role_name": "api_ro_user", "role_id": "$READER", "org_id": "$ORG_A",
        "ttl": 60_000_000_000_i64, "max_ttl": 60_000_000_001_i64,
    });
    mount.store("role/$ORG_A:api_ro_user", &newer).await;
    let (report, warnings) = mount.imported(json!({})).await;
    assert_eq!(
        (
            &report["roles"][&id]["ttl"],
            &report["roles"][&id]["max_ttl"]
        ),
        (&json!(60), &json!(61))
    );
    assert!(
        warnings
            .iter()
            .any(|warning| warning.contains("whole seconds")),
        "{warnings:?}"
    );
    assert_eq!(report["complete"], true);
    assert_eq!(
        mount.inner.read("import").await.unwrap()["state"],
        "imported"
    );
}

/// Whatever write of an import fails, or happens without the engine being told, the next run ends as one
/// that nothing disturbed.
#[tokio::test]
async fn an_import_that_breaks_off_anywhere_is_completed_by_the_next() {
    let undisturbed = OldMount::new(Version::Two).await;
    undisturbed.imported(json!({})).await;
    let expected = undisturbed.shape().await;
    for written in [false, true] {
        for after in 0.. {
            let mut mount = OldMount::new(Version::Two).await;
            mount.inner.storage.set_write_fault(Some(WriteFault {
                after,
                applied: written,
                deletions: true,
                ..WriteFault::default()
            }));
            let broken = mount.import(json!({})).await;
            mount.inner.restart();
            // Whatever was there before still ends, by whichever of the two.
            mount.revoke(&mount.lease("2 crossed")).await.unwrap();
            assert!(!mount.is_live("$ID_CROSSED"));
            mount.imported(json!({})).await;
            let mut shape = expected.clone();
            shape.retain(|key| !key.contains("CROSSED"));
            assert_eq!(
                mount.shape().await,
                shape,
                "after {after} writes, {written}"
            );
            if broken.is_ok() {
                assert!(after > 8, "{after} writes");
                break;
            }
        }
    }
}

impl OldMount {
    /// The keys that are stored, with the placeholders back in them, and what the record says.
    async fn shape(&self) -> std::collections::BTreeSet<String> {
        let entries = self.entries().await;
        let mut shape = std::collections::BTreeSet::new();
        for (key, value) in entries {
            let text = match key.as_str() {
                "v1/takeover" => format!("{key} {}", String::from_utf8(value).unwrap()),
                _ => key,
            };
            let words = self.words.iter();
            shape.insert(words.fold(text, |text, (word, value)| text.replace(value, word)));
        }
        shape
    }
}

#[tokio::test]
async fn leases_are_served_as_before_once_imported_after_a_rotation_and_after_the_end() {
    let mount = OldMount::new(Version::Two).await;
    mount.remove(&format!("config/{LOST}")).await;
    mount.remove(&format!("role/{LOST}:lost")).await;
    let names = json!({mount.role("$ORG_A", "ghost"): ""});
    mount.imported(json!({"names": names})).await;
    let lease = mount.lease("2 standard");
    let renewed = mount.renew(&lease).await.unwrap().unwrap();
    assert_eq!(renewed.lease().unwrap().internal_data, lease);
    // The role as it is now counts.
    let role = json!({"ttl": 60});
    mount
        .inner
        .write("roles/api_ro_user-prod", role)
        .await
        .unwrap();
    let renewed = mount.renew(&lease).await.unwrap().unwrap();
    assert_eq!(renewed.lease().unwrap().ttl.as_secs(), 60);
    let rotated = mount
        .inner
        .write("rotate-root/prod", json!({}))
        .await
        .unwrap()
        .unwrap();
    let warning = rotated
        .warnings()
        .iter()
        .any(|text| text.contains("archived engine"));
    assert!(warning, "{:?}", rotated.warnings());
    mount.revoke(&mount.lease("2 crossed")).await.unwrap();
    assert!(!mount.is_live("$ID_CROSSED"));
    // Tokens are still stored, whose leases live.
    let text = mount.refused_import(json!({"finish": true})).await;
    assert!(
        text.contains("0 configs and 0 roles") && text.contains("2 tokens"),
        "{text}"
    );
    mount.imported(json!({"finish": true, "force": true})).await;
    mount.assert_only_own_entries().await;
    mount.renew(&lease).await.unwrap();
    mount.revoke(&lease).await.unwrap();
    mount.revoke(&mount.lease("2 sidecar")).await.unwrap();
    assert!(!mount.is_live("$ID_STANDARD") && !mount.is_live("$ID_SIDECAR"));
    let state = mount.inner.read("import").await.unwrap();
    assert_eq!(state["state"], "finished");
    assert!(!state["finished_at"].as_str().unwrap().is_empty());
    let text = mount.refused_import(json!({})).await;
    assert!(
        text.starts_with("the takeover of this mount was finished at"),
        "{text}"
    );
}

/// What an operator does between the switch and the end of a lease.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Imported,
    Rotated,
    Finished,
}

#[tokio::test]
async fn every_shape_is_renewed_and_revoked_at_every_stage() {
    for stage in [Stage::Imported, Stage::Rotated, Stage::Finished] {
        for (version, name, client_id, key, _) in TOKENS {
            let mount = OldMount::new(version).await;
            mount.imported(json!({})).await;
            if stage == Stage::Rotated {
                mount
                    .inner
                    .write("rotate-root/prod", json!({}))
                    .await
                    .unwrap();
            }
            if stage == Stage::Finished {
                mount.imported(json!({"finish": true, "force": true})).await;
            }
            let lease = mount.lease(name);
            for _ in 0..2 {
                let renewed = mount.renew(&lease).await.unwrap().unwrap();
                let renewed = renewed.lease().unwrap();
                assert_eq!(renewed.internal_data, lease, "{stage:?}, {name}: unchanged");
            }
            let mut expected = mount.entries().await;
            expected.remove(&mount.fill(key));
            let mut live = mount.inner.live();
            live.retain(|id| id != mount.word(client_id));
            for _ in 0..2 {
                mount.revoke(&lease).await.unwrap();
                assert_eq!(mount.inner.live(), live, "{stage:?}, {name}");
                assert_eq!(mount.entries().await, expected, "{stage:?}, {name}");
            }
        }
    }
}

#[tokio::test]
async fn a_finish_that_breaks_off_is_continued() {
    for after in 0..8 {
        let mut mount = OldMount::new(Version::One).await;
        mount.imported(json!({})).await;
        mount.revoke(&mount.lease("1")).await.unwrap();
        mount.inner.storage.set_write_fault(Some(WriteFault {
            after,
            applied: true,
            deletions: true,
            ..WriteFault::default()
        }));
        let broken = mount.import(json!({"finish": true})).await;
        mount.inner.restart();
        let (answer, warnings) = mount.imported(json!({"finish": true})).await;
        assert_eq!(answer["complete"], true);
        assert!(warnings[0].starts_with("rotate the root tokens"));
        mount.assert_only_own_entries().await;
        if broken.is_ok() {
            assert!(after > 3);
            return;
        }
    }
    panic!("it never went through");
}

#[tokio::test]
async fn names_are_the_operators_to_give() {
    let mount = OldMount::new(Version::Two).await;
    let before = mount.entries().await;
    for (names, start) in [
        (json!("no object"), "names: give a JSON object"),
        (json!({"elsewhere": "x"}), "names: \"elsewhere\" is neither"),
        (
            json!({mount.word("$ORG_A"): "a b"}),
            "names: what is given for",
        ),
        (
            json!({mount.word("$ORG_A"): {"AstraCS": "x"}}),
            "names: what is given for",
        ),
    ] {
        let outcome = mount
            .inner
            .call(Operation::Update, "import", json!({"names": names}))
            .await;
        let text = refused(outcome);
        assert!(text.starts_with(start), "{text}");
    }
    assert_eq!(mount.entries().await, before);
    let names = json!({
        mount.word("$ORG_A"): "production",
        mount.word("$ORG_B"): "team-b",
        LOST: "",
        mount.role("$ORG_A", "api_ro_user"): "reader",
        mount.role("$ORG_A", "ghost"): "",
    });
    let (report, _) = mount.imported(json!({"names": names.to_string()})).await;
    assert_eq!(
        (&report["problems"], &report["complete"]),
        (&json!(0), &json!(true))
    );
    assert_eq!(
        report["roles"][mount.role("$ORG_A", "api_ro_user")]["role"],
        "reader"
    );
    // The other one has the name for itself now.
    assert_eq!(
        report["roles"][mount.role("$ORG_B", "api_ro_user")]["role"],
        "api_ro_user"
    );
    assert_eq!(action(&report, "roles", &mount.role(LOST, "lost")), "skip");
    let state = mount.inner.read("import").await.unwrap();
    assert_eq!(state["state"], "imported");
    assert_eq!(
        state["configs"][mount.word("$ORG_B")],
        json!({"config": "team-b", "caller_mode": "sidecar", "organization": mount.word("$ORG_B")})
    );
    // What is left out can be taken over later.
    let names = json!({mount.role("$ORG_A", "ghost"): "ghost"});
    let (report, _) = mount.imported(json!({"names": names})).await;
    assert_eq!(
        action(&report, "roles", &mount.role("$ORG_A", "ghost")),
        "problem"
    );
}

#[tokio::test]
async fn what_the_operator_wrote_by_hand_is_adopted_or_a_problem() {
    let mount = OldMount::new(Version::Two).await;
    let (url, root_a, root_b) = (
        mount.inner.astra.url(),
        mount.word("$ROOT_A"),
        mount.word("$ROOT_B"),
    );
    // Of the same organization; of another one; for the one whose root token is malformed.
    let second = mount.inner.astra.create_org("Second", None).unwrap();
    let other = mount.inner.astra.create_org("Other", None).unwrap();
    for (name, token) in [
        ("prod", root_a),
        (mount.word("$ORG_B"), &second.root_token),
        (LOST, &other.root_token),
    ] {
        let config = json!({"token": token, "url": url});
        mount
            .inner
            .write(&format!("config/{name}"), config)
            .await
            .unwrap();
    }
    let role = json!({"config": "prod", "astra_roles": "API RO User", "ttl": 5});
    mount.inner.write("roles/a_b", role).await.unwrap();
    let (report, _) = mount.imported(json!({})).await;
    assert_eq!(action(&report, "configs", mount.word("$ORG_A")), "adopt");
    let text = problem(&report, "configs", mount.word("$ORG_B"));
    assert!(
        text.contains("exists and is not for organization"),
        "{text}"
    );
    let text = problem(&report, "configs", LOST);
    assert!(text.contains("is not known"), "{text}");
    let text = problem(&report, "roles", &mount.role("$ORG_A", "a:b"));
    assert!(
        text.starts_with("roles/a_b exists and is another role"),
        "{text}"
    );
    let names = json!({LOST: LOST, mount.word("$ORG_B"): "team-b"});
    let (report, warnings) = mount.imported(json!({"names": names})).await;
    assert_eq!(action(&report, "configs", LOST), "adopt");
    assert_eq!(action(&report, "configs", mount.word("$ORG_B")), "import");
    assert!(
        warnings.iter().any(|text| text.contains("taken on trust")),
        "{warnings:?}"
    );
    let config = mount.inner.read("config/team-b").await.unwrap();
    assert_eq!(config["token_client_id"].as_str(), root_b.split(':').nth(1));
}

#[tokio::test]
async fn a_root_token_of_another_organization_is_imported_under_its_own() {
    let mount = OldMount::new(Version::Two).await;
    let config = json!({
        "astra_token": "$ROOT_A", "url": "$URL", "org_id": "$ORG_B", "logical_name": "b",
        "caller_mode": 2,
    });
    mount.store("config/$ORG_B", &config).await;
    let (report, warnings) = mount.imported(json!({})).await;
    // Both have one root token, so they become one config.
    assert_eq!(report["configs"][mount.word("$ORG_B")]["config"], "prod");
    assert_eq!(action(&report, "configs", mount.word("$ORG_B")), "adopt");
    assert!(
        warnings.iter().any(|text| text.contains("takes its place")),
        "{warnings:?}"
    );
    let mount = OldMount::new(Version::One).await;
    mount.remove("config/$ORG_A").await;
    let config = json!({
        "astra_token": "$ROOT_B", "url": "$URL", "org_id": "$ORG_A", "logical_name": "prod",
    });
    mount.store("config/$ORG_A", &config).await;
    let (report, warnings) = mount.imported(json!({})).await;
    assert_eq!(
        report["configs"][mount.word("$ORG_A")]["organization"],
        mount.word("$ORG_B")
    );
    let text = format!(
        "its root token belongs to organization {}",
        mount.word("$ORG_B")
    );
    assert!(
        warnings.iter().any(|warning| warning.contains(&text)),
        "{warnings:?}"
    );
}

#[tokio::test]
async fn roles_that_may_make_tokens_need_a_word() {
    let mount = OldMount::new(Version::One).await;
    let admin = mount.inner.astra.seeds().roles["Organization Administrator"].clone();
    let role =
        json!({"role_name": "admin", "role_id": admin, "org_id": "$ORG_A", "ttl": 0, "max_ttl": 0});
    mount.store("role/$ORG_A:admin", &role).await;
    let id = mount.role("$ORG_A", "admin");
    let (report, _) = mount.imported(json!({})).await;
    assert!(problem(&report, "roles", &id).contains("allow_token_admin=true"));
    assert_eq!(
        mount.inner.read("config/prod").await.unwrap()["allow_token_admin"],
        false
    );
    let (report, _) = mount.imported(json!({"allow_token_admin": true})).await;
    assert_eq!(action(&report, "roles", &id), "import");
    assert_eq!(
        mount.inner.read("config/prod").await.unwrap()["allow_token_admin"],
        true
    );
}

#[tokio::test]
async fn without_verify_astra_is_not_asked() {
    let mount = OldMount::new(Version::Two).await;
    let requests = mount.inner.astra.journal().len();
    let (report, warnings) = mount.imported(json!({"verify": false})).await;
    assert_eq!(mount.inner.astra.journal().len(), requests);
    assert_eq!(action(&report, "configs", mount.word("$ORG_A")), "import");
    assert_eq!(
        action(&report, "roles", &mount.role("$ORG_A", "ghost")),
        "import"
    );
    assert_eq!(report["tokens"]["unknown"], 3);
    assert!(
        warnings.iter().any(|text| text.contains("verify=false")),
        "{warnings:?}"
    );
    assert_eq!(
        mount.inner.read("config/prod").await.unwrap()["verify"],
        false
    );
    for name in ["2 standard", "2 crossed", "2 sidecar"] {
        mount.revoke(&mount.lease(name)).await.unwrap();
    }
    assert!(mount.inner.live().is_empty());
}

#[tokio::test]
async fn entries_that_cannot_be_read_are_findings_that_stop_nothing() {
    let mount = OldMount::new(Version::Two).await;
    for key in [
        "config/broken",
        "role/$ORG_A:broken",
        "token/broken",
        "role/x/",
    ] {
        mount
            .store_raw(key, "{\"astra_token\": \"AstraCS:secret, \n")
            .await;
    }
    let misplaced =
        json!({"role_name": "x", "role_id": "$READER", "org_id": "$ORG_A", "ttl": "1h"});
    mount.store("role/$ORG_A:x", &misplaced).await;
    let (report, warnings) = mount.imported(json!({})).await;
    let text = format!("{report}{warnings:?}");
    assert!(!text.contains("secret"), "{text}");
    for (kind, key) in [
        ("configs", "broken".to_owned()),
        ("roles", mount.role("$ORG_A", "broken")),
        ("roles", mount.role("$ORG_A", "x")),
        ("roles", "x/".to_owned()),
    ] {
        let text = problem(&report, kind, &key);
        assert!(
            text.contains("is not what the archived engine wrote (line "),
            "{text}"
        );
    }
    assert!(report["tokens"]["unreadable"]["token/broken"].is_string());
    assert_eq!(action(&report, "configs", mount.word("$ORG_A")), "import");
    // A record that makes no sense is found out again.
    mount.store_raw("v1/takeover", "[]").await;
    let mut mount = mount;
    mount.inner.restart();
    mount.revoke(&mount.lease("2 standard")).await.unwrap();
    mount
        .inner
        .write(
            "roles/plain",
            json!({"config": "prod", "astra_roles": "API RO User"}),
        )
        .await
        .unwrap();
    mount.inner.mint("plain").await.unwrap();
    let (report, warnings) = mount.imported(json!({})).await;
    assert_eq!(action(&report, "configs", mount.word("$ORG_A")), "adopt");
    assert!(warnings[0].contains("it is replaced"), "{warnings:?}");
}

#[tokio::test]
async fn an_organization_that_hangs_holds_up_no_other() {
    let mount = OldMount::new(Version::Two).await;
    let mut config: Value =
        serde_json::from_slice(&mount.entries().await[&mount.fill("config/$ORG_B")]).unwrap();
    config["url"] = json!("http://127.0.0.1:1");
    mount.store("config/$ORG_B", &config).await;
    let (report, _) = mount.imported(json!({})).await;
    assert_eq!(action(&report, "configs", mount.word("$ORG_A")), "import");
    assert_eq!(action(&report, "configs", mount.word("$ORG_B")), "problem");
    assert_eq!(report["tokens"]["unknown"], 1, "B does not tell");
}

#[tokio::test]
async fn where_there_is_nothing_it_says_so_and_a_node_that_may_not_write_forwards() {
    let mut mount = OldMount::empty().await;
    let text = mount.refused_import(json!({})).await;
    assert_eq!(text, "this mount holds nothing of the archived engine");
    assert_eq!(mount.inner.read("import").await.unwrap()["state"], "none");
    assert!(mount.entries().await.is_empty());
    mount.inner.system.replication_state = crate::vault::ReplicationState(64);
    mount.inner.restart();
    for data in [json!({}), json!({"dry_run": true}), json!({"finish": true})] {
        let outcome = mount.inner.call(Operation::Update, "import", data).await;
        assert_eq!(outcome.err(), Some(Error::ReadOnly));
    }
}

/// What stands for the archived engine: the four keys that it reads of a lease, and its own entries.
#[tokio::test]
async fn new_leases_can_be_ended_by_the_archived_engine_until_the_end() {
    let mount = OldMount::new(Version::Two).await;
    mount.imported(json!({})).await;
    let before = mount.entries().await;
    let credential = mount.inner.mint("api_ro_user-prod").await.unwrap();
    let data = &credential.lease.internal_data;
    let text = |key: &str| data[key].as_str().unwrap().to_owned();
    let role_key = format!("role/{}:{}", text("orgId"), text("roleName"));
    let after = mount.entries().await;
    assert_eq!(after.get(&role_key), before.get(&role_key));
    assert!(before.contains_key(&role_key), "it renews by {role_key}");
    assert!(
        before.contains_key(&format!("config/{}", text("orgId"))),
        "it deletes with this"
    );
    assert_eq!(
        (text("clientId"), text("tokenId")),
        (credential.client_id.clone(), credential.client_id.clone())
    );
    assert!(
        !before.contains_key(&format!("token/{}", text("tokenId"))),
        "and removes nothing of others"
    );
    mount.inner.renew(&credential).await.unwrap();
    mount.inner.revoke(&credential).await.unwrap();
    mount.imported(json!({"finish": true, "force": true})).await;
    let credential = mount.inner.mint("api_ro_user-prod").await.unwrap();
    assert!(!credential.lease.internal_data.contains_key("orgId"));
}

#[tokio::test]
async fn a_config_is_held_by_the_tokens_that_the_archived_engine_stored() {
    let mount = OldMount::new(Version::One).await;
    mount.imported(json!({})).await;
    mount
        .inner
        .delete("roles/api_ro_user", json!({}))
        .await
        .unwrap();
    let text = refused(mount.inner.delete("config/prod", json!({})).await);
    assert!(
        text.contains("stored tokens of the archived engine (1)"),
        "{text}"
    );
    mount.revoke(&mount.lease("1")).await.unwrap();
    mount.inner.delete("config/prod", json!({})).await.unwrap();
}

#[tokio::test]
async fn an_old_command_is_refused_with_the_name_of_the_config_that_was_imported() {
    let mount = OldMount::new(Version::Two).await;
    mount.imported(json!({})).await;
    let data =
        json!({"org_id": mount.word("$ORG_A"), "astra_token": mount.word("$ROOT_A"), "url": "x"});
    let text = refused(mount.inner.call(Operation::Update, "config", data).await);
    assert!(
        text.contains("vault write astra/config/prod token=…"),
        "{text}"
    );
    let data = json!({"org_id": mount.word("$ORG_A")});
    for (operation, command) in [(Operation::Read, "read"), (Operation::Delete, "delete")] {
        let text = refused(mount.inner.call(operation, "config", data.clone()).await);
        assert!(
            text.contains(&format!("vault {command} astra/config/prod")),
            "{text}"
        );
    }
}

/// Without any time left nothing is half done, and the next request goes on.
#[tokio::test]
async fn where_there_is_no_time_it_says_so_and_the_next_request_goes_on() {
    let mut mount = OldMount::new(Version::One).await;
    let usual = mount.inner.deadlines.operation;
    mount.inner.deadlines.operation = std::time::Duration::ZERO;
    mount.inner.restart();
    let before = mount.entries().await;
    let (report, warnings) = mount.imported(json!({"verify": false})).await;
    assert_eq!(
        (&report["problems"], &report["complete"]),
        (&json!(2), &json!(false))
    );
    let text = "there was no time left for it: import again";
    assert!(
        warnings.iter().any(|warning| warning.ends_with(text)),
        "{warnings:?}"
    );
    let mut after = mount.entries().await;
    after.remove("v1/takeover");
    assert_eq!(
        after, before,
        "nothing but that the role without a name is left out"
    );
    mount.inner.deadlines.operation = usual;
    mount.inner.restart();
    let (report, _) = mount.imported(json!({})).await;
    assert_eq!(report["complete"], true);
    mount.revoke(&mount.lease("1")).await.unwrap();

    mount.inner.deadlines.operation = std::time::Duration::ZERO;
    mount.inner.restart();
    let (answer, warnings) = mount.imported(json!({"finish": true})).await;
    assert_eq!(answer["complete"], false);
    assert!(
        warnings
            .iter()
            .any(|warning| warning.ends_with("finish again")),
        "{warnings:?}"
    );
    assert!(
        mount
            .entries()
            .await
            .contains_key(&mount.fill("config/$ORG_A"))
    );
    mount.inner.deadlines.operation = usual;
    mount.inner.restart();
    let (answer, _) = mount.imported(json!({"finish": true})).await;
    assert_eq!(answer["complete"], true);
    mount.assert_only_own_entries().await;
}

/// Another config has replaced the old root token, and a tick deletes it once it was tried.
#[test]
fn a_root_token_that_is_deleted_while_it_is_imported_is_not_stored() {
    virtual_time::run(1, async {
        let mut mount = OldMount::in_virtual_time(Version::One).await;
        let old = mount.inner.another_root_token();
        mount.inner.write_config("spare", &old).await;
        let deletion = "/v2/clientIdSecrets/*";
        let refusal = Fault::Status {
            status: 403,
            body: FaultBody::String,
            retry_after: None,
            committed: false,
        };
        let refusal = mount.inner.fault("DELETE", deletion, refusal);
        let rotated = mount.inner.write("rotate-root/spare", json!({})).await;
        rotated.unwrap();
        let force = json!({"force": true});
        mount.inner.delete("config/spare", force).await.unwrap();
        mount.inner.astra.remove_fault(refusal).unwrap();
        mount.inner.advance(Duration::from_secs(3_600));
        let config = json!({
            "astra_token": old, "url": "$URL", "org_id": "$ORG_A", "logical_name": "prod",
        });
        mount.store("config/$ORG_A", &config).await;
        // The last answer of the trial is late.
        let latency = Fault::Latency {
            ms: 3_000,
            max_ms: None,
            at: LatencyPoint::AfterCommit,
        };
        mount.inner.fault_once("DELETE", deletion, latency);
        let tick = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            mount.inner.tick().await;
        };
        let ((report, _), ()) = tokio::join!(mount.imported(json!({})), tick);
        let client_id = old.split(':').nth(1).unwrap();
        assert!(!mount.inner.is_live(client_id), "the tick deletes it");
        assert_eq!(
            action(&report, "configs", mount.word("$ORG_A")),
            "problem",
            "{report}"
        );
        let text = problem(&report, "configs", mount.word("$ORG_A"));
        assert!(text.ends_with(": import again"), "{text}");
        assert!(mount.inner.read("config/prod").await.is_none());
        let (report, _) = mount.imported(json!({})).await;
        let text = problem(&report, "configs", mount.word("$ORG_A"));
        assert!(text.contains("config/prod by hand"), "{text}");
    });
}

/// What one kind of request has no use for is not ignored.
#[tokio::test]
async fn what_belongs_to_the_other_kind_of_request_is_refused() {
    let mount = OldMount::new(Version::One).await;
    let before = mount.entries().await;
    for data in [
        json!({"force": true}),
        json!({"force": true, "dry_run": true}),
    ] {
        assert_eq!(
            mount.refused_import(data).await,
            "force: given without finish=true: it only lets the takeover be finished although \
             something would be lost"
        );
    }
    let names = json!({mount.word("$ORG_A"): "prod"});
    for (field, value) in [
        ("names", names),
        ("verify", json!(true)),
        ("verify", json!(false)),
        ("allow_token_admin", json!(true)),
    ] {
        for force in [true, false] {
            let data = json!({"finish": true, "force": force, field: value});
            let expected = format!(
                "{field}: given together with finish=true: import with {field} first, then finish"
            );
            assert_eq!(mount.refused_import(data).await, expected);
        }
    }
    assert_eq!(mount.entries().await, before);
    mount
        .imported(json!({"force": false, "finish": false}))
        .await;
    let all = json!({"finish": true, "force": true, "names": {}, "verify": null});
    mount.imported(all).await;
    mount.assert_only_own_entries().await;
    let text = mount.refused_import(json!({"force": true})).await;
    assert!(
        text.starts_with("the takeover of this mount was finished at"),
        "{text}"
    );
}

/// The second waits for the first.
#[tokio::test]
async fn two_imports_at_once_end_as_one() {
    let mount = OldMount::new(Version::Two).await;
    let both = futures_util::future::join(mount.import(json!({})), mount.import(json!({}))).await;
    let actions = [both.0, both.1].map(|answer| {
        let answer = answer.unwrap();
        answer.data()["configs"][mount.word("$ORG_A")]["action"].clone()
    });
    assert!(
        actions.contains(&json!("import")) && actions.contains(&json!("imported")),
        "{actions:?}"
    );
    let alone = OldMount::new(Version::Two).await;
    alone.imported(json!({})).await;
    assert_eq!(mount.shape().await, alone.shape().await);
}
