//! Five organizations in one mount: whatever is minted and revoked in whatever order, each request
//! carries the root token of the organization that it is for.

use std::collections::VecDeque;
use std::sync::Arc;

use astra_emulator::Emulator;
use astra_emulator::Fault;
use astra_emulator::FaultRule;
use astra_emulator::Options;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::Config;
use proptest::test_runner::RngAlgorithm;
use proptest::test_runner::TestRng;
use proptest::test_runner::TestRunner;
use serde_json::json;
use tokio::task::JoinSet;

use crate::engine::testing::AstraMount;
use crate::engine::testing::Credential;
use crate::engine::testing::READER;

const ORGANIZATIONS: usize = 5;
/// Mints and revocations.
const STEPS: usize = 1_000;
/// How many of them run at the same time.
const AT_ONCE: usize = 24;
/// How many answers to mints are lost at each configuration, so that tokens are looked for in lists; a
/// third one in a row would fail a mint.
const LOST_ANSWERS: u64 = 2;

#[derive(Clone, Debug)]
enum Step {
    /// A credential of this organization's role.
    Mint(usize),
    /// The end of the lease at this place of those that live.
    Revoke(usize),
    /// The config is written again, which sets its client up again.
    Configure(usize),
}

/// An organization, and the service that it is in.
struct Organization {
    astra: Emulator,
    id: String,
    root_token: String,
}

/// Always the same.
fn script() -> Vec<Step> {
    let step = prop_oneof![
        10 => (0..ORGANIZATIONS).prop_map(Step::Mint),
        10 => any::<usize>().prop_map(Step::Revoke),
    ];
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[5; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let steps = prop::collection::vec(step, STEPS).new_tree(&mut runner);
    let mut steps = steps.unwrap().current();
    for organization in 0..ORGANIZATIONS {
        steps.insert(150 * (organization + 1), Step::Configure(organization));
    }
    steps
}

/// All in one service, as they are in reality.
async fn together() -> Vec<Organization> {
    let astra = Emulator::start(Options::default()).await.unwrap();
    for name in ["Fourth Org", "Fifth Org"] {
        astra.create_org(name, None).unwrap();
    }
    let organizations = astra.seeds().organizations.into_iter();
    organizations
        .map(|seed| Organization {
            astra: astra.clone(),
            id: seed.id,
            root_token: seed.root_token,
        })
        .collect()
}

/// Each in a service of its own, which knows no other's root token.
async fn apart() -> Vec<Organization> {
    let mut organizations = Vec::new();
    for seed in 0..ORGANIZATIONS {
        let options = Options {
            seed: 100 + seed as u64,
            ..Options::default()
        };
        let astra = Emulator::start(options).await.unwrap();
        organizations.push(Organization {
            id: astra.seeds().organizations[0].id.clone(),
            root_token: astra.root_token(),
            astra,
        });
    }
    organizations
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_one_service_each_request_carries_its_organizations_token() {
    let organizations = together().await;
    run(&organizations).await;
    check_callers(&organizations[0].astra);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_five_services_each_request_carries_its_organizations_token() {
    let organizations = apart().await;
    run(&organizations).await;
    for Organization {
        astra, root_token, ..
    } in &organizations
    {
        let root = root_token.split(':').nth(1);
        for entry in astra.journal() {
            assert_eq!(entry.client_id_of_caller.as_deref(), root, "{entry:?}");
        }
        check_callers(astra);
    }
}

/// Anyone who made or deleted a token is of the token's organization; all callers were known.
fn check_callers(astra: &Emulator) {
    let org_of = |client_id: &Option<String>| {
        let client_id = client_id.as_deref().expect("a client id");
        astra.token(client_id).expect("a known token").org_id
    };
    let mut checked = 0;
    for entry in astra.journal() {
        assert_ne!(entry.status, Some(401), "{entry:?}");
        let caller = org_of(&entry.client_id_of_caller);
        if entry.client_id_of_subject.is_some() {
            let subject = org_of(&entry.client_id_of_subject);
            assert_eq!(subject, caller, "{entry:?}");
            checked += 1;
        }
    }
    assert!(checked > 100, "only {checked} tokens made and deleted");
}

async fn run(organizations: &[Organization]) {
    let mount = Arc::new(AstraMount::new().await);
    for (number, organization) in organizations.iter().enumerate() {
        configure(&mount, number, organization).await;
        let role = json!({"config": format!("org-{number}"), "astra_roles": READER});
        mount
            .write(&format!("roles/reader-{number}"), role)
            .await
            .unwrap();
    }
    let mut issued: VecDeque<(usize, Credential)> = VecDeque::new();
    let mut mints = JoinSet::new();
    let mut others = JoinSet::new();
    for step in script() {
        match step {
            Step::Revoke(place) if !issued.is_empty() => {
                let (_, credential) = issued.remove(place % issued.len()).expect("a place");
                let mount = Arc::clone(&mount);
                others.spawn(async move { drop(mount.revoke(&credential).await.unwrap()) });
            }
            Step::Mint(number) | Step::Revoke(number) => {
                let (mount, number) = (Arc::clone(&mount), number % ORGANIZATIONS);
                let role = format!("reader-{number}");
                mints.spawn(async move { (number, mount.mint(&role).await.unwrap()) });
            }
            Step::Configure(number) => {
                let organization = &organizations[number];
                configure(&mount, number, organization).await;
                assert!(organization.astra.faults().is_empty(), "answers were lost");
                let lost =
                    FaultRule::new(Fault::ResetAfterCommit {}).on("POST", "/v2/clientIdSecrets");
                let lost = lost.times(LOST_ANSWERS);
                organization.astra.add_fault(lost).unwrap();
            }
        }
        while mints.len() + others.len() >= AT_ONCE {
            tokio::select! {
                Some(minted) = mints.join_next() => issued.push_back(minted.unwrap()),
                Some(ended) = others.join_next() => ended.unwrap(),
            }
        }
    }
    while let Some(minted) = mints.join_next().await {
        issued.push_back(minted.unwrap());
    }
    while let Some(ended) = others.join_next().await {
        ended.unwrap();
    }
    check_holdings(organizations, &issued);
}

async fn configure(mount: &AstraMount, number: usize, organization: &Organization) {
    let config = json!({"token": organization.root_token, "url": organization.astra.url()});
    mount
        .write(&format!("config/org-{number}"), config)
        .await
        .unwrap();
}

/// Each credential is of its role's organization, and no other token is left.
fn check_holdings(organizations: &[Organization], issued: &VecDeque<(usize, Credential)>) {
    for (number, organization) in organizations.iter().enumerate() {
        let astra = &organization.astra;
        let live = astra.live_tokens().into_iter();
        let live = live.filter(|token| token.org_id == organization.id);
        let mut live: Vec<String> = live.map(|token| token.client_id).collect();
        let mine = issued.iter().filter(|(owner, _)| *owner == number);
        let mut mine: Vec<String> = mine.map(|(_, issued)| issued.client_id.clone()).collect();
        live.sort();
        mine.sort();
        assert!(!mine.is_empty(), "organization {number} holds nothing");
        assert_eq!(live, mine, "organization {number}");
        assert_eq!(astra.invariants().orphans, 0);
        assert!(
            astra.violations().is_empty(),
            "organization {number}: {:?}",
            astra.violations()
        );
        assert!(astra.faults().is_empty(), "answers were lost");
    }
    for (number, credential) in issued {
        assert_eq!(credential.text("org_id"), organizations[*number].id);
    }
}
