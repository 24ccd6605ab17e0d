//! The client against the emulator, which refuses what the API is not known to accept.

use astra_emulator::Emulator;
use astra_emulator::Fault;
use astra_emulator::FaultRule;
use astra_emulator::Options;
use futures_util::future::join_all;
use serde_json::json;
use time::OffsetDateTime;

use super::client;
use super::config;
use super::soon;
use crate::astra::Client;
use crate::astra::ClientConfig;
use crate::astra::Deletion;
use crate::astra::Descriptions;
use crate::astra::MintError;
use crate::astra::NewRole;
use crate::astra::NewToken;
use crate::astra::Policy;
use crate::secret::Secret;

/// Four of them only because they may invite users and reset passwords; the last is the emulator's own.
const LASTING_ROLES: &[&str] = &[
    "API Admin Svc Acct",
    "API Admin User",
    "Admin Svc Acct",
    "Admin User",
    "Database Administrator",
    "Organization Administrator",
    "Token Writer",
];

async fn emulator() -> Emulator {
    Emulator::start(Options::default()).await.unwrap()
}

fn with_token(emulator: &Emulator, token: &str) -> ClientConfig {
    ClientConfig {
        token: Secret::new(token.to_owned()),
        ..config(&emulator.url())
    }
}

fn root(emulator: &Emulator) -> Client {
    client(with_token(emulator, &emulator.root_token()))
}

/// One of the tokens that the emulator starts with.
fn seeded(emulator: &Emulator, name: &str) -> Client {
    let seeds = emulator.seeds();
    client(with_token(emulator, &seeds.tokens[name].token))
}

fn new_token(emulator: &Emulator) -> NewToken {
    NewToken {
        description: "tag 1".to_owned(),
        expiry: Some(OffsetDateTime::now_utc() + time::Duration::HOUR),
        roles: vec![emulator.seeds().roles["API RO User"].clone()],
    }
}

#[tokio::test]
async fn a_token_lives_and_dies() {
    let emulator = emulator().await;
    let root = root(&emulator);
    let org = root.current_org(soon()).await.unwrap();
    let asked = new_token(&emulator);
    let minted = root.create_token(&asked, soon()).await.ok().unwrap();
    assert_eq!(minted.org_id, org);
    assert_eq!(minted.description.as_deref(), Some("tag 1"));
    let late = minted.expiry.unwrap() - asked.expiry.unwrap();
    assert!(
        !late.is_negative() && late < time::Duration::SECOND,
        "{late}"
    );

    let own = client(with_token(&emulator, minted.token.expose()));
    assert_eq!(own.current_org(soon()).await, Ok(org));
    let entry = root
        .token(&minted.client_id, soon())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (&entry.roles, entry.token_expiry),
        (&asked.roles, minted.expiry)
    );

    assert_eq!(
        root.delete_token(&minted.client_id, soon()).await,
        Ok(Deletion::Deleted)
    );
    assert_eq!(
        own.current_org(soon()).await.unwrap_err().kind(),
        "unauthorized"
    );
    let absent = root.delete_token(&minted.client_id, soon()).await.unwrap();
    let absence = absent.absence().unwrap();
    assert_eq!(absence.org_id.as_deref(), Some(minted.org_id.as_str()));
    assert!(absence.list.entries > 0 && absence.list.answered_at.is_some());
    assert_eq!(
        emulator.violations().len(),
        0,
        "{:?}",
        emulator.violations()
    );
    assert_eq!(emulator.invariants().orphans, 0);
}

#[tokio::test]
async fn every_way_to_answer_a_deletion_ends_it() {
    let emulator = emulator().await;
    let root = root(&emulator);
    for missing in ["not_found", "bad_request", "server_error"] {
        emulator
            .set_knobs(json!({"delete_missing": missing}))
            .unwrap();
        let result = root.delete_token("NeverThereNeverThereNevr", soon()).await;
        assert!(result.unwrap().absence().is_some(), "{missing}");
    }
    for status in ["no_content", "ok_empty", "ok_object"] {
        emulator
            .set_knobs(json!({"delete_status": status}))
            .unwrap();
        let minted = root
            .create_token(&new_token(&emulator), soon())
            .await
            .ok()
            .unwrap();
        let result = root.delete_token(&minted.client_id, soon()).await;
        assert_eq!(result, Ok(Deletion::Deleted), "{status}");
    }
    assert_eq!(
        emulator.violations().len(),
        0,
        "{:?}",
        emulator.violations()
    );
}

/// Whichever status a lacking permission has: reports show both.
#[tokio::test]
async fn tells_dead_tokens_from_weak_ones() {
    let emulator = emulator().await;
    let cases = [
        ("expired", "unauthorized", "unauthorized"),
        ("deleted", "unauthorized", "unauthorized"),
        ("read_only", "forbidden", ""),
        // May make tokens, but none with rights that it lacks; sees no databases (401, null).
        ("token_writer", "forbidden", "forbidden"),
    ];
    for (status, (name, minting, databases)) in [403, 401]
        .into_iter()
        .flat_map(|status| cases.map(|case| (status, case)))
    {
        emulator
            .set_knobs(json!({"iam_forbidden_status": status}))
            .unwrap();
        let client = seeded(&emulator, name);
        match client
            .create_token(&new_token(&emulator), soon())
            .await
            .err()
            .unwrap()
        {
            MintError::NotMinted(error) => assert_eq!(error.kind(), minting, "{status} {name}"),
            other => panic!("{status} {name}: {other:?}"),
        }
        let seen = client
            .databases(soon())
            .await
            .map_or_else(|error| error.kind(), |_| "");
        assert_eq!(seen, databases, "{status} {name}");
    }
}

#[tokio::test]
async fn reads_roles_in_every_spelling() {
    let emulator = emulator().await;
    let root = root(&emulator);
    for case in ["snake", "oas", "pascal", "policy_as_string"] {
        emulator.set_knobs(json!({"role_case": case})).unwrap();
        let roles = root.roles(soon()).await.unwrap();
        let admins: Vec<&str> = roles
            .iter()
            .filter(|role| role.grants_token_admin())
            .map(|role| role.name.as_str())
            .collect();
        assert!(roles.len() >= 16, "{case}");
        assert!(roles.iter().all(|role| role.policy.is_some()), "{case}");
        let expected = [
            "Database Administrator",
            "Organization Administrator",
            "Token Writer",
        ];
        assert!(
            expected.iter().all(|name| admins.contains(name)),
            "{case}: {admins:?}"
        );
        assert!(!admins.contains(&"API RO User"), "{case}: {admins:?}");
    }
}

/// All built-in roles: which of them let a token make a credential that lasts.
#[tokio::test]
async fn knows_which_built_in_roles_make_lasting_credentials() {
    let emulator = emulator().await;
    let roles = root(&emulator).roles(soon()).await.unwrap();
    let built_in: Vec<_> = roles
        .iter()
        .filter(|role| emulator.seeds().roles.contains_key(&role.name))
        .collect();
    assert!(built_in.len() >= 16, "{}", built_in.len());
    let mut lasting: Vec<&str> = built_in
        .iter()
        .filter(|role| role.grants_token_admin())
        .map(|role| role.name.as_str())
        .collect();
    lasting.sort_unstable();
    assert_eq!(lasting, LASTING_ROLES);
}

#[tokio::test]
async fn a_list_shows_whether_the_organization_keeps_descriptions() {
    let emulator = emulator().await;
    let root = root(&emulator);
    assert_eq!(root.last_list(), None);
    let lists = async || {
        let count = root.tokens(|_| Some(()), soon()).await.unwrap().len();
        let facts = root.last_list().unwrap();
        assert_eq!(facts.entries, count);
        assert!(facts.answered_at.is_some());
        facts.descriptions
    };
    assert_eq!(lists().await, Descriptions::Empty, "those of the portal");
    emulator
        .set_knobs(json!({"list_fields": "legacy"}))
        .unwrap();
    assert_eq!(lists().await, Descriptions::Missing);
}

#[tokio::test]
async fn a_list_with_empty_descriptions_is_compared_with_what_was_made() {
    let emulator = emulator().await;
    let root = root(&emulator);
    let learned = async || {
        root.tokens(|_| Some(()), soon()).await.unwrap();
        root.last_list().unwrap().descriptions
    };
    let fields = |fields: &str| emulator.set_knobs(json!({"list_fields": fields})).unwrap();
    fields("empty_description");
    assert_eq!(learned().await, Descriptions::Empty, "nothing was made");
    let asked = new_token(&emulator);
    let made = root.create_token(&asked, soon()).await.ok().unwrap();
    assert_eq!(learned().await, Descriptions::Hidden);
    root.delete_token(&made.client_id, soon()).await.unwrap();
    assert_eq!(learned().await, Descriptions::Hidden, "it stays known");
    fields("full");
    assert_eq!(learned().await, Descriptions::Hidden, "nothing is shown");
    let asked = new_token(&emulator);
    root.create_token(&asked, soon()).await.ok().unwrap();
    assert_eq!(learned().await, Descriptions::Listed);
}

#[tokio::test]
async fn keeps_a_custom_role() {
    let emulator = emulator().await;
    let root = root(&emulator);
    let org = root.current_org(soon()).await.unwrap();
    let mut new = NewRole {
        name: "made by a test".to_owned(),
        policy: Policy {
            actions: vec!["db-cql".to_owned()],
            description: "d".to_owned(),
            effect: "allow".to_owned(),
            resources: vec![format!("drn:astra:org:{org}")],
        },
    };
    let made = root.create_role(&new, soon()).await.unwrap();
    assert_eq!(made.policy.as_ref(), Some(&new.policy));
    assert_eq!(
        root.create_role(&new, soon())
            .await
            .unwrap_err()
            .error()
            .kind(),
        "conflict"
    );
    new.policy.actions.push("db-rest".to_owned());
    root.update_role(&made.id, &new, soon()).await.unwrap();
    let read = root.role(&made.id, soon()).await.unwrap();
    assert_eq!(read.policy, Some(new.policy));
    assert_eq!(
        root.delete_role(&made.id, soon()).await,
        Ok(Deletion::Deleted)
    );
    assert!(
        root.delete_role(&made.id, soon())
            .await
            .unwrap()
            .absence()
            .is_some()
    );
    assert_eq!(
        root.role(&made.id, soon()).await.unwrap_err().kind(),
        "not-found"
    );
}

#[tokio::test]
async fn finds_databases_and_their_bundles() {
    let emulator = emulator().await;
    let root = root(&emulator);
    let seed = emulator.seeds().databases["vector_db"].clone();
    let all = root.databases(soon()).await.unwrap();
    let found = all.iter().find(|database| database.id == seed.id).unwrap();
    assert!(found.is_vector);
    assert_eq!(Ok(found), root.database(&seed.id, soon()).await.as_ref());
    let regions: Vec<&String> = found.datacenters.iter().map(|dc| &dc.region).collect();
    assert_eq!(regions, seed.regions.iter().collect::<Vec<_>>());
    let mut links = Vec::new();
    for region in [
        None,
        Some(seed.regions[0].as_str()),
        Some(seed.regions[1].as_str()),
    ] {
        let link = root
            .secure_bundle_url(&seed.id, region, soon())
            .await
            .ok()
            .unwrap();
        links.push(link.expose().to_owned());
    }
    assert_ne!(links[1], links[2]);
    let unknown = root.secure_bundle_url(&seed.id, Some("mars"), soon()).await;
    assert_eq!(unknown.err().map(|error| error.kind()), Some("malformed"));
    let hibernated = emulator.seeds().databases["classic_db"].id.clone();
    let conflict = root.secure_bundle_url(&hibernated, None, soon()).await;
    assert_eq!(conflict.err().map(|error| error.kind()), Some("conflict"));
    assert_eq!(
        emulator.violations().len(),
        0,
        "{:?}",
        emulator.violations()
    );
}

#[tokio::test]
async fn an_enterprise_token_makes_nothing_in_another_organization() {
    let emulator = emulator().await;
    let seeds = emulator.seeds();
    let config = ClientConfig {
        org_id: Some(seeds.organizations[1].id.clone()),
        ..with_token(&emulator, &seeds.tokens["enterprise"].token)
    };
    let before = emulator.live_tokens().len();
    let result = client(config)
        .create_token(&new_token(&emulator), soon())
        .await;
    let error = result.err().unwrap();
    assert_eq!(
        (error.may_exist(), error.error().kind()),
        (false, "wrong-organization")
    );
    assert_eq!(emulator.live_tokens().len(), before);
}

#[tokio::test]
async fn an_orphan_is_always_announced() {
    for fault in [
        json!({"kind": "reset_after_commit"}),
        json!({"kind": "reset_mid_body"}),
        json!({"kind": "truncate", "chunked": true}),
        json!({"kind": "malformed_json"}),
        json!({"kind": "status", "status": 504, "committed": true, "body": "html"}),
        json!({"kind": "wrong_hash"}),
        json!({"kind": "roles_mismatch"}),
        json!({"kind": "gzip"}),
    ] {
        let emulator = emulator().await;
        let spoilt: Fault = serde_json::from_value(fault.clone()).unwrap();
        emulator.add_fault(FaultRule::new(spoilt)).unwrap();
        let before = emulator.live_tokens().len();
        let two_roles = NewToken {
            roles: vec![
                emulator.seeds().roles["API RO User"].clone(),
                emulator.seeds().roles["RO User"].clone(),
            ],
            ..new_token(&emulator)
        };
        let result = root(&emulator).create_token(&two_roles, soon()).await;
        let error = result
            .err()
            .unwrap_or_else(|| panic!("{fault} went unseen"));
        assert!(
            !matches!(error, MintError::NotMinted(_)),
            "{fault}: {error:?}"
        );
        assert_eq!(emulator.live_tokens().len(), before + 1, "{fault}");
    }
}

#[tokio::test]
async fn a_crowd_gets_through_a_rate_limit() {
    let emulator = emulator().await;
    emulator.set_knobs(json!({"rate_limit_per_s": 40})).unwrap();
    // With real waits: they are what is tested.
    let root = Client::new(with_token(&emulator, &emulator.root_token()))
        .ok()
        .unwrap();
    let asked = new_token(&emulator);
    let mint = async || {
        let mut waits = root.rate_limit_waits();
        loop {
            match root.create_token(&asked, soon()).await {
                Err(MintError::RateLimited { wait, .. }) => assert!(waits.wait(wait, soon()).await),
                minted => return minted.ok().unwrap().client_id,
            }
        }
    };
    let minted = join_all((0..60).map(|_| mint())).await;
    let deleted = join_all(minted.iter().map(|id| root.delete_token(id, soon()))).await;
    assert!(
        deleted
            .iter()
            .all(|result| *result == Ok(Deletion::Deleted))
    );
    let invariants = emulator.invariants();
    assert_eq!((invariants.orphans, invariants.double_mints), (0, 0));
    assert_eq!(
        emulator.violations().len(),
        0,
        "{:?}",
        emulator.violations()
    );
}
