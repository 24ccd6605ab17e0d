//! The first mints of a config that was written untried: no one has told yet which organization it is for, so
//! the mint asks, and Astra may be slow to say, or not say it.

use std::collections::BTreeSet;
use std::time::Duration;

use astra_emulator::Fault;
use astra_emulator::FaultRule;
use astra_emulator::fault::FaultBody;
use astra_emulator::fault::LatencyPoint;
use astra_emulator::fault::Malformation;
use astra_emulator::fault::RedirectTarget;
use futures_util::future::join_all;
use serde_json::Value;
use serde_json::json;
use tokio::time::Instant;

use crate::engine::Deadlines;
use crate::engine::testing::AstraMount;
use crate::engine::testing::Credential;
use crate::engine::testing::READER;
use crate::engine::testing::virtual_time;
use crate::vault::Storage;

const ORG: &str = "/v2/currentOrg";
const CREATE: &str = "/v2/clientIdSecrets";

fn status(status: u16, body: FaultBody) -> Fault {
    Fault::Status {
        status,
        body,
        retry_after: None,
        committed: false,
    }
}

fn late(seconds: u64) -> Fault {
    Fault::Latency {
        ms: seconds * 1_000,
        max_ms: None,
        at: LatencyPoint::AfterCommit,
    }
}

/// Ways in which Astra does not answer, with a part of what a caller is told to do.
fn silences() -> Vec<(&'static str, Fault, &'static str)> {
    let passes = "this usually passes";
    vec![
        ("500", status(500, FaultBody::Errors), passes),
        ("503", status(503, FaultBody::Empty), passes),
        ("502 of a CDN", status(502, FaultBody::Html), passes),
        ("429", status(429, FaultBody::String), "send less"),
        ("broken", Fault::ResetBeforeCommit {}, passes),
        ("half", Fault::ResetMidBody { bytes: Some(5) }, passes),
        ("too late", late(120), passes),
        ("hangs", Fault::Hang { committed: false }, passes),
    ]
}

/// Ways in which the question is refused for good, or answered with what is no organization.
fn refusals() -> Vec<(&'static str, Fault)> {
    vec![
        ("403", status(403, FaultBody::String)),
        ("403 of a filter", status(403, FaultBody::BlockPage)),
        ("404", status(404, FaultBody::Errors)),
        (
            "redirect",
            Fault::Redirect {
                status: 302,
                to: RedirectTarget::OtherHost("127.0.0.1:1".to_owned()),
                committed: false,
            },
        ),
        (
            "unreadable",
            Fault::MalformedJson {
                how: Malformation::Cut,
            },
        ),
    ]
}

/// A mount whose config was written untried.
async fn untried() -> AstraMount {
    let mount = AstraMount::in_virtual_time(Deadlines::default());
    write_untried(&mount, &mount.astra.root_token()).await;
    let role = json!({"astra_roles": READER});
    mount.write("roles/reader", role).await.unwrap();
    assert_eq!(organization(&mount).await, None);
    mount
}

async fn write_untried(mount: &AstraMount, token: &str) {
    let config = mount.config(json!({"token": token, "verify": false}));
    mount.write("config", config).await.unwrap();
}

/// The organization that the config is for, as far as it is stored.
async fn organization(mount: &AstraMount) -> Option<String> {
    let configs = &mount.backend.engine.configs;
    let connection = configs.find("default").await.unwrap().unwrap();
    connection.entry.org_id.clone()
}

/// The organizations of the blocks of intents in storage; `None` is one that is not known.
async fn block_organizations(mount: &AstraMount) -> BTreeSet<Option<String>> {
    let mut found = BTreeSet::new();
    for key in mount.storage.keys() {
        if !key.starts_with("v1/intent/") {
            continue;
        }
        let entry = mount.storage.get(&key).await.unwrap().unwrap();
        let block: Value = serde_json::from_slice(&entry.value).unwrap();
        found.insert(block["org_id"].as_str().map(str::to_owned));
    }
    found
}

fn only(org_id: Option<&str>) -> BTreeSet<Option<String>> {
    BTreeSet::from([org_id.map(str::to_owned)])
}

async fn pending(mount: &AstraMount) -> Value {
    mount.read_data("status").await["configs"]["default"]["pending_intents"].clone()
}

#[test]
fn nothing_is_minted_while_astra_does_not_tell_the_organization() {
    for (name, fault, remedy) in silences() {
        virtual_time::run(1, async {
            let mount = untried().await;
            let own = mount.astra.seeds().organizations[0].id.clone();
            mount.fault("GET", ORG, fault);
            let began = Instant::now();
            let error = mount.mint("reader").await.unwrap_err().to_string();
            assert!(began.elapsed() <= mount.deadlines.operation, "{name}");
            for part in ["config \"default\"", "GET /v2/currentOrg", remedy] {
                assert!(error.contains(part), "{name}: no {part} in: {error}");
            }
            assert_eq!(mount.requests("POST", CREATE), 0, "{name}");
            mount.assert_clean(&[], name);
            assert_eq!(block_organizations(&mount).await, BTreeSet::new(), "{name}");
            mount.astra.clear_faults();
            let issued = mount.mint("reader").await.unwrap();
            assert_eq!(
                block_organizations(&mount).await,
                only(Some(&own)),
                "{name}"
            );
            mount.until_all_is_shown().await;
            mount.assert_clean(&[&issued], name);
            assert_eq!(pending(&mount).await, 0, "{name}");
        });
    }
}

/// A static role's first token as well; nothing of the role is stored.
#[test]
fn no_static_role_is_made_while_astra_does_not_tell_the_organization() {
    for (name, fault, remedy) in silences() {
        virtual_time::run(1, async {
            let mount = untried().await;
            mount.fault("GET", ORG, fault);
            let role = json!({"astra_roles": READER, "rotation_period": "1h"});
            let error = mount.write("static-roles/app", role.clone()).await;
            let error = error.err().unwrap().to_string();
            for part in ["config \"default\"", "GET /v2/currentOrg", remedy] {
                assert!(error.contains(part), "{name}: no {part} in: {error}");
            }
            assert!(mount.read("static-roles/app").await.is_none(), "{name}");
            assert_eq!(mount.requests("POST", CREATE), 0, "{name}");
            mount.assert_clean(&[], name);
            mount.astra.clear_faults();
            mount.write("static-roles/app", role).await.unwrap();
            assert_eq!(mount.live().len(), 1, "{name}");
        });
    }
}

#[test]
fn an_organization_that_is_told_late_or_at_the_second_try_is_waited_for() {
    for (name, fault, lasts) in [
        ("slow", late(20), false),
        ("very slow", late(29), true),
        ("one 503", status(503, FaultBody::Empty), false),
        ("one reset", Fault::ResetBeforeCommit {}, false),
        ("one hang", Fault::Hang { committed: false }, false),
    ] {
        virtual_time::run(1, async {
            let mount = untried().await;
            let own = mount.astra.seeds().organizations[0].id.clone();
            match lasts {
                true => drop(mount.fault("GET", ORG, fault)),
                false => mount.fault_once("GET", ORG, fault),
            }
            let mints = join_all((0..5).map(|_| mount.mint("reader"))).await;
            let issued: Vec<Credential> = mints.into_iter().map(Result::unwrap).collect();
            assert_eq!(mount.requests("POST", CREATE), 5, "{name}");
            assert_eq!(
                block_organizations(&mount).await,
                only(Some(&own)),
                "{name}"
            );
            mount.until_all_is_shown().await;
            mount.assert_clean(&issued.iter().collect::<Vec<_>>(), name);
        });
    }
}

/// The mint goes on, under a block that names no organization; an answer that is lost then leaves nothing.
#[test]
fn where_the_question_is_refused_for_good_the_mint_goes_on() {
    for (name, fault) in refusals() {
        for restarts in [false, true] {
            virtual_time::run(1, async {
                let mut mount = untried().await;
                let own = mount.astra.seeds().organizations[0].id.clone();
                let rule = mount.fault("GET", ORG, fault.clone());
                let first = mount.mint("reader").await.unwrap();
                assert_eq!(block_organizations(&mount).await, only(None), "{name}");
                mount.fault_once("POST", CREATE, Fault::ResetAfterCommit {});
                let second = mount.mint("reader").await.unwrap();
                // Its answer is lost, and lists are refused for as long as it is looked for at once.
                mount.fault("POST", CREATE, Fault::ResetAfterCommit {});
                mount.fault("GET", CREATE, status(403, FaultBody::Errors));
                assert!(mount.mint("reader").await.is_err(), "{name}");
                assert!(mount.live().len() > 2, "{name}: one is lost");
                if restarts {
                    mount.restart();
                }
                mount.astra.clear_faults();
                let again = mount.fault("GET", ORG, fault.clone());
                assert_ne!(rule, again);
                mount.until_all_is_shown().await;
                mount.assert_clean(&[&first, &second], name);
                assert_eq!(organization(&mount).await, None, "{name}");
                mount.astra.clear_faults();
                let third = mount.mint("reader").await.unwrap();
                let blocks = block_organizations(&mount).await;
                assert!(blocks.contains(&Some(own.clone())), "{name}: {blocks:?}");
                mount.until_all_is_shown().await;
                mount.assert_clean(&[&first, &second, &third], name);
                assert_eq!(pending(&mount).await, 0, "{name}");
                assert_eq!(organization(&mount).await, Some(own), "{name}");
            });
        }
    }
}

/// The config gets another organization's root token, untried as well, while a mint still waits to hear which
/// organization the former one is for.  Its token is looked for in its own organization, and only there;
/// where its answer is lost, the mint begins again with the new root token.
#[test]
fn a_mint_that_waits_while_its_config_is_moved_stays_its_own_organizations() {
    for loses in [false, true] {
        virtual_time::run(1, async {
            let mount = untried().await;
            let orgs = mount.astra.seeds().organizations;
            let of_first = |fault: Fault, method: &str, path: &str| {
                let rule = FaultRule::new(fault).on(method, path).of_org(&orgs[0].id);
                mount.astra.add_fault(rule).unwrap()
            };
            of_first(late(10), "GET", ORG);
            if loses {
                of_first(Fault::ResetAfterCommit {}, "POST", CREATE);
                of_first(status(403, FaultBody::Errors), "GET", CREATE);
            }
            let moved = async {
                tokio::time::sleep(Duration::from_secs(2)).await;
                write_untried(&mount, &orgs[2].root_token).await;
                mount.mint("reader").await.unwrap()
            };
            let (first, there) = tokio::join!(mount.mint("reader"), moved);
            let first = first.unwrap();
            let in_its_own = mount.astra.token(&first.client_id).unwrap().org_id == orgs[0].id;
            assert_ne!(in_its_own, loses);
            let lost = usize::from(loses);
            let blocks = BTreeSet::from([Some(orgs[0].id.clone()), Some(orgs[2].id.clone())]);
            assert_eq!(block_organizations(&mount).await, blocks);
            mount.astra.clear_faults();
            mount.until_all_is_shown().await;
            assert_eq!(
                mount.live().len(),
                2 + lost,
                "the other's list shows nothing"
            );
            assert_eq!(pending(&mount).await, lost);
            let force = json!({"force": true});
            mount.delete("config", force).await.unwrap();
            write_untried(&mount, &mount.another_root_token()).await;
            mount.until_all_is_shown().await;
            mount.assert_clean(
                &[&first, &there],
                "once the config is the organization's again",
            );
            assert_eq!(pending(&mount).await, 0);
        });
    }
}

/// What the tick stores is what Astra said, and nothing where it did not.
#[test]
fn ticks_learn_the_organization_only_from_an_answer() {
    let faults = silences().into_iter().map(|(name, fault, _)| (name, fault));
    for (name, fault) in faults.chain(refusals()) {
        virtual_time::run(1, async {
            let mount = untried().await;
            let own = mount.astra.seeds().organizations[0].id.clone();
            mount.fault("GET", ORG, fault);
            let began = Instant::now();
            mount.tick().await;
            assert!(began.elapsed() <= mount.deadlines.operation, "{name}");
            assert_eq!(organization(&mount).await, None, "{name}");
            let status = mount.read_data("status").await;
            let status = &status["configs"]["default"];
            assert_ne!(status["last_error"], "", "{name}: {status}");
            mount.astra.clear_faults();
            mount.tick().await;
            assert_eq!(organization(&mount).await, Some(own), "{name}");
        });
    }
}
