use std::time::Duration;

use time::macros::datetime;
use tokio::time::Instant;

use super::ORG;
use super::ROOT_HASH;
use super::ROOT_ID;
use super::client;
use super::config;
use super::outcome::outcome;
use super::server::Server;
use super::server::answer;
use super::server::json;
use super::soon;
use crate::astra::Client;
use crate::astra::ClientConfig;
use crate::astra::Deadline;
use crate::astra::MintError;
use crate::astra::MintedToken;
use crate::astra::NewToken;
use crate::astra::token_from_secret;
use crate::secret::Secret;

pub(super) const ID: &str = "FakeClientIdForDocsOnlyA";
pub(super) const SECRET: &str = "FAKE-secret_for.docs,only";
pub(super) const ROLE: &str = "ad0566b5-2a67-49de-89e8-92258c2f2c98";
pub(super) const OTHER_ROLE: &str = "43745b73-ad46-46e4-b826-c15d06d2cea0";

pub(super) fn token() -> String {
    token_from_secret(ID, &Secret::new(SECRET.to_owned()))
        .expose()
        .to_owned()
}

/// The body of a proper answer after `change`.
pub(super) fn made(change: impl FnOnce(&mut serde_json::Value)) -> String {
    let mut body = serde_json::json!({
        "clientId": ID, "secret": SECRET, "token": token(), "orgId": ORG, "roles": [ROLE],
        "generatedOn": "2026-11-23T18:10:10.799083554Z", "description": "tag x",
        "tokenExpiry": "2026-11-24T18:10:10Z",
    });
    change(&mut body);
    body.to_string()
}

pub(super) fn new_token() -> NewToken {
    NewToken {
        description: "tag x".to_owned(),
        expiry: Some(datetime!(2026-11-24 18:10:09.5 UTC)),
        roles: vec![ROLE.to_owned()],
    }
}

pub(super) async fn mint(config: ClientConfig) -> Result<MintedToken, MintError> {
    client(config).create_token(&new_token(), soon()).await
}

#[tokio::test]
async fn sends_exactly_what_the_api_takes() {
    let server = Server::start(|_, _| json(200, &made(|_| {}))).await;
    let minted = mint(config(&server.url)).await.ok().unwrap();
    assert_eq!(minted.client_id, ID);
    assert_eq!(minted.secret.expose(), SECRET);
    assert_eq!(minted.token.expose(), token());
    assert_eq!(minted.org_id, ORG);
    assert_eq!(minted.roles, [ROLE]);
    assert_eq!(minted.description.as_deref(), Some("tag x"));
    assert_eq!(minted.expiry, Some(datetime!(2026-11-24 18:10:10 UTC)));
    assert_eq!(
        minted.generated_on,
        Some(datetime!(2026-11-23 18:10:10.799083554 UTC))
    );

    let seen = server.seen().pop().unwrap();
    let host = server.url.strip_prefix("http://").unwrap();
    assert_eq!(seen.line, "POST /v2/clientIdSecrets");
    assert_eq!(
        seen.headers,
        [
            "accept: application/json".to_owned(),
            format!("authorization: Bearer AstraCS:{ROOT_ID}:{ROOT_HASH}"),
            format!("content-length: {}", seen.body.len()),
            "content-type: application/json".to_owned(),
            format!("host: {host}"),
            "user-agent: test/1.2.3".to_owned(),
        ]
    );
    assert_eq!(
        seen.body,
        format!(
            r#"{{"description":"tag x","roles":["{ROLE}"],"tokenExpiry":"2026-11-24T18:10:10Z"}}"#
        )
    );
}

/// However far this machine's clock is off: only Astra's two times count.
#[tokio::test]
async fn a_life_is_the_time_between_astras_own_two_times() {
    let full = Duration::from_secs_f64(86_399.200_916_447);
    for (made_on, ends, expected) in [
        (
            "2026-11-23T18:10:10.799083553Z",
            "2026-11-24T18:10:10Z",
            Some(full),
        ),
        (
            "1999-01-01T00:00:00Z",
            "1999-01-01T01:00:00Z",
            Some(Duration::from_secs(3_600)),
        ),
        (
            "2999-01-01T00:00:00Z",
            "2999-01-01T01:00:00Z",
            Some(Duration::from_secs(3_600)),
        ),
        (
            "2026-11-24T18:10:11Z",
            "2026-11-24T18:10:10Z",
            Some(Duration::ZERO),
        ),
        ("2026-11-24T18:10:10Z", "0001-01-01T00:00:00Z", None),
        ("soon", "2026-11-24T18:10:10Z", None),
    ] {
        let body = made(|made| {
            made["generatedOn"] = made_on.into();
            made["tokenExpiry"] = ends.into();
        });
        let server = Server::start(move |_, _| json(200, &body)).await;
        let minted = mint(config(&server.url)).await.ok().unwrap();
        assert_eq!(minted.lifetime(), expected, "{made_on} {ends}");
        assert!(minted.remaining() <= expected, "{made_on} {ends}");
        assert_eq!(minted.remaining().is_some(), expected.is_some());
    }
}

#[tokio::test]
async fn leaves_out_what_is_not_asked_for() {
    let server = Server::start(|_, _| json(200, &made(|_| {}))).await;
    let request = NewToken {
        description: String::new(),
        expiry: None,
        ..new_token()
    };
    let result = client(config(&server.url))
        .create_token(&request, soon())
        .await;
    assert!(result.is_ok());
    assert_eq!(
        server.seen().pop().unwrap().body,
        format!(r#"{{"roles":["{ROLE}"]}}"#)
    );
}

/// A proxy may answer so in the place of an answer that reports a token.
#[tokio::test]
async fn a_rate_limit_is_left_to_the_caller_as_a_token_may_exist() {
    for (header, expected) in [
        ("retry-after: 3600\r\n", Some(Duration::from_secs(3_600))),
        ("retry-after: soon\r\n", None),
        ("", None),
    ] {
        let server = Server::start(move |_, _| answer(429, header, "\"slow down\"")).await;
        let error = mint(config(&server.url)).await.err().unwrap();
        assert!(error.may_exist(), "{error}");
        match error {
            MintError::RateLimited { wait, .. } => assert_eq!(wait, expected),
            other => panic!("{other:?}"),
        }
        assert_eq!(server.lines().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn the_waits_for_a_rate_limit_end_with_the_deadline() {
    let client =
        Client::new(config("http://127.0.0.1:1")).unwrap_or_else(|error| panic!("{error}"));
    let begun = Instant::now();
    let mut waits = client.rate_limit_waits();
    let deadline = Deadline::after(Duration::from_secs(30));
    let mut count = 0;
    while waits.wait(Some(Duration::from_secs(1)), deadline).await {
        count += 1;
    }
    assert!((15..=30).contains(&count), "{count}");
    assert!(begun.elapsed() <= Duration::from_secs(30));
    let begun = Instant::now();
    assert!(!waits.wait(Some(Duration::MAX), deadline).await);
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn a_401_that_does_not_blame_the_token_is_checked() {
    for (org, expected) in [
        (
            json(200, &format!(r#"{{"id":"{ORG}"}}"#)),
            "unknown forbidden",
        ),
        (json(401, "null"), "unknown unauthorized"),
        (json(500, ""), "unknown unavailable"),
    ] {
        let server = Server::start(move |seen, _| match seen.line.as_str() {
            "GET /v2/currentOrg" => org.clone(),
            _ => json(401, "null"),
        })
        .await;
        assert_eq!(outcome(mint(config(&server.url)).await), expected);
    }
}

/// However the root token was changed: what it does in the wrong organization shows nothing.
#[tokio::test]
async fn a_root_token_of_another_organization_does_nothing() {
    for (org, is_right) in [(ORG, true), ("00000000-0000-4000-8000-000000000001", false)] {
        let server = Server::start(move |seen, _| match seen.line.as_str() {
            "GET /v2/currentOrg" => json(200, &format!(r#"{{"id":"{org}"}}"#)),
            "GET /v2/clientIdSecrets" => json(200, r#"{"clients":[]}"#),
            "POST /v2/clientIdSecrets" => json(200, &made(|_| {})),
            _ => answer(204, "", ""),
        })
        .await;
        let client = client(ClientConfig {
            org_id: Some(ORG.to_uppercase()),
            ..config(&server.url)
        });
        let minted = client.create_token(&new_token(), soon()).await;
        let listed = client.tokens(|_| Some(()), soon()).await;
        let shared = client.shared_tokens(|_| Some(()), soon()).await;
        let deleted = client.delete_token(ID, soon()).await;
        let lines = server.lines();
        if is_right {
            assert!(minted.is_ok() && listed.is_ok() && shared.is_ok() && deleted.is_ok());
            assert_eq!(
                lines
                    .iter()
                    .filter(|line| line.contains("currentOrg"))
                    .count(),
                1
            );
            continue;
        }
        assert_eq!(outcome(minted), "not minted wrong-organization");
        for error in [listed.err(), shared.err(), deleted.err()] {
            let text = error.map(|error| error.to_string()).unwrap_or_default();
            assert!(text.contains(org) && text.contains("enterprise"), "{text}");
        }
        assert_eq!(lines, ["GET /v2/currentOrg"]);
    }
}

#[tokio::test]
async fn a_token_of_another_organization_is_a_mismatch() {
    let other = "00000000-0000-4000-8000-000000000001";
    let server = Server::start(move |seen, _| match seen.line.as_str() {
        "GET /v2/currentOrg" => json(200, &format!(r#"{{"id":"{other}"}}"#)),
        _ => json(200, &made(|_| {})),
    })
    .await;
    let client = client(config(&server.url));
    assert_eq!(client.current_org(soon()).await.as_deref(), Ok(other));
    assert_eq!(
        outcome(client.create_token(&new_token(), soon()).await),
        "mismatch malformed"
    );
}

#[tokio::test]
async fn bad_arguments_are_never_sent() {
    let server = Server::start(|_, _| json(200, &made(|_| {}))).await;
    let client = client(config(&server.url));
    for roles in [
        vec![],
        vec!["API RO User".to_owned()],
        vec![ROLE.to_owned(), String::new()],
    ] {
        let request = NewToken {
            roles,
            ..new_token()
        };
        let result = client.create_token(&request, soon()).await;
        assert_eq!(outcome(result), "not minted invalid-argument");
    }
    assert!(server.lines().is_empty());
}
