//! The library API, concurrency and size.

use std::net::SocketAddr;
use std::time::Duration;
use std::time::Instant;

use astra_emulator::Emulator;
use astra_emulator::Error;
use astra_emulator::Options;
use astra_emulator::Origin;
use astra_emulator::PortalToken;
use astra_emulator::TokenState;
use serde_json::json;
use tokio::net::TcpStream;

use crate::harness::*;

#[tokio::test]
async fn only_loopback() {
    for address in ["0.0.0.0:0", "192.168.0.1:0", "[::]:0"] {
        let address: SocketAddr = address.parse().unwrap();
        let api = Options {
            api: address,
            ..Options::default()
        };
        assert!(matches!(
            Emulator::start(api).await,
            Err(Error::NotLoopback(_))
        ));
        let control = Options {
            control: address,
            ..Options::default()
        };
        assert!(matches!(
            Emulator::start(control).await,
            Err(Error::NotLoopback(_))
        ));
    }
}

#[tokio::test]
async fn a_seed_decides_everything() {
    let options = |seed| Options {
        seed,
        ..Options::default()
    };
    let (one, two) = (Astra::with(options(7)).await, Astra::with(options(7)).await);
    let ids = |seeds: astra_emulator::Seeds| {
        (
            seeds.enterprise_id,
            seeds.roles,
            seeds.tokens["portal_1"].token.clone(),
        )
    };
    assert_eq!(ids(one.emulator.seeds()), ids(two.emulator.seeds()));
    assert_eq!(one.mint().await["token"], two.mint().await["token"]);
    let other = Astra::with(options(8)).await;
    assert_ne!(ids(one.emulator.seeds()), ids(other.emulator.seeds()));
}

#[tokio::test]
async fn tokens_by_hand() {
    let astra = Astra::new().await;
    let emulator = &astra.emulator;
    let made = emulator
        .create_token(PortalToken {
            roles: vec!["API RO User".into()],
            expires_in_s: Some(60),
            ..PortalToken::default()
        })
        .unwrap();
    assert!(astra.works(&made.token).await);
    let view = emulator.token(&made.client_id).unwrap();
    assert_eq!(
        (view.origin, view.state),
        (Origin::Portal, TokenState::Active)
    );
    assert_eq!(
        emulator.live_tokens(),
        [],
        "only what was minted through the API"
    );
    emulator.revoke_token(&made.client_id).unwrap();
    assert_eq!(
        emulator.token(&made.client_id).unwrap().state,
        TokenState::Deleted
    );
    assert!(emulator.revoke_token(&made.client_id).is_err());
    let nowhere = PortalToken {
        org_id: Some("x".into()),
        ..PortalToken::default()
    };
    assert!(matches!(
        emulator.create_token(nowhere),
        Err(Error::Unknown { .. })
    ));

    let minted = astra.mint().await;
    let view = emulator
        .token(minted["clientId"].as_str().unwrap())
        .unwrap();
    let root = emulator.seeds().tokens["org_admin"].client_id.clone();
    assert_eq!((view.origin, view.minted_by), (Origin::Api, Some(root)));
}

#[tokio::test]
async fn roles_by_hand() {
    let astra = Astra::new().await;
    let emulator = &astra.emulator;
    let org = emulator.seeds().organizations[1].clone();
    let mut policy = emulator.roles(None).unwrap()[0].policy.clone();
    policy.actions = vec!["org-role-read".into()];
    let role = emulator
        .create_role(Some(&org.id), "Made", policy.clone())
        .unwrap();
    assert!(emulator.roles(Some(&org.id)).unwrap().contains(&role));
    assert!(!emulator.roles(None).unwrap().contains(&role));
    policy.actions.clear();
    assert_eq!(
        emulator
            .edit_role(&role.id, policy)
            .unwrap()
            .policy
            .actions
            .len(),
        0
    );
    emulator.delete_role(&role.id).unwrap();
    assert!(emulator.delete_role(&role.id).is_err());
}

#[tokio::test]
async fn double_mints_are_counted() {
    let astra = Astra::new().await;
    let body = json!({"roles": [API_RO_USER], "description": "one marker"});
    let first = parsed(&astra.create(body.clone()).await);
    assert_eq!(astra.emulator.invariants().double_mints, 0);
    astra.create(body).await;
    assert_eq!(astra.emulator.invariants().double_mints, 1);
    astra.delete(first["clientId"].as_str().unwrap()).await;
    assert_eq!(astra.emulator.invariants().double_mints, 0);
}

#[tokio::test]
async fn the_journal_is_a_ring_and_can_be_off() {
    let small = Options {
        journal_size: 3,
        ..Options::default()
    };
    let astra = Astra::with(small).await;
    for _ in 0..5 {
        astra.get("/v2/currentOrg").await;
    }
    let seqs: Vec<u64> = astra
        .emulator
        .journal()
        .iter()
        .map(|entry| entry.seq)
        .collect();
    assert_eq!(seqs, [3, 4, 5]);
    astra.emulator.clear_journal();
    assert!(astra.emulator.journal().is_empty());
    let off = Options {
        journal_size: 0,
        ..Options::default()
    };
    let astra = Astra::with(off).await;
    astra.get("/v2/currentOrg").await;
    assert!(astra.emulator.journal().is_empty());
    assert_eq!(astra.emulator.stats().requests, 1);
}

#[tokio::test]
async fn concurrency_is_measured() {
    let astra = Astra::new().await;
    astra.knobs(json!({"latency_ms": 200}));
    let calls = (0..8).map(|_| astra.get("/v2/currentOrg"));
    futures_util::future::join_all(calls).await;
    let stats = astra.emulator.stats();
    assert_eq!(stats.max_concurrency_seen, 8);
    assert_eq!(
        astra
            .emulator
            .journal()
            .iter()
            .map(|entry| entry.concurrency)
            .max(),
        Some(8)
    );
    astra.emulator.reset_concurrency();
    astra.get("/v2/currentOrg").await;
    assert!(astra.emulator.stats().max_concurrency_seen < 8);
}

#[tokio::test]
async fn it_ends() {
    let astra = Astra::new().await;
    let (api, emulator) = (astra.address(), astra.emulator.clone());
    assert_eq!(astra.get("/v2/currentOrg").await.0, 200);
    emulator.shutdown().await;
    assert!(TcpStream::connect(api).await.is_err());
    // So does it when the last handle goes.
    let astra = Astra::new().await;
    let api = astra.address();
    drop(astra);
    assert!(TcpStream::connect(api).await.is_err());
}

/// Order and speed with many tokens: everything but the list must not depend on their number.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_tokens() {
    let quiet = Options {
        journal_size: 0,
        ..Options::default()
    };
    let astra = Astra::with(quiet).await;
    let mut made = Vec::new();
    for _ in 0..100_000 {
        let token = PortalToken {
            roles: vec![API_RO_USER.into()],
            ..PortalToken::default()
        };
        made.push(astra.emulator.create_token(token).unwrap().client_id);
    }
    // Every other one goes, which makes the ledger compact itself.
    for client_id in made.iter().step_by(2).chain(made.iter().skip(1).step_by(4)) {
        astra.emulator.revoke_token(client_id).unwrap();
    }
    let listed = astra.listed().await;
    let rest: Vec<&String> = made.iter().skip(3).step_by(4).collect();
    let kept: Vec<&String> = listed
        .iter()
        .filter(|id| rest.binary_search(id).is_ok() || rest.contains(id))
        .take(50)
        .collect();
    assert_eq!(kept, rest[..50], "insertion order");
    assert_eq!(listed.len(), rest.len() + 9);
    // The best of many rounds counts, in turn with an emulator without tokens: a busy machine slows both.
    let empty = Astra::new().await;
    let (mut best, mut best_empty) = (Duration::MAX, Duration::MAX);
    for _ in 0..20 {
        best = best.min(round(&astra).await);
        best_empty = best_empty.min(round(&empty).await);
    }
    assert!(
        best < best_empty * 5,
        "{best:?}, and {best_empty:?} without"
    );
    assert_eq!(astra.emulator.invariants().orphans, 0);
}

/// How long ten mints and deletions take.
async fn round(astra: &Astra) -> Duration {
    let started = Instant::now();
    for _ in 0..10 {
        let token = astra.mint().await;
        let client_id = token["clientId"].as_str().unwrap();
        assert_eq!(astra.delete(client_id).await.0, 204);
    }
    started.elapsed()
}
