//! What is known about a token after each answer to the request for it.

use std::time::Duration;

use super::DEAD;
use super::ROOT_HASH;
use super::ROOT_ID;
use super::client;
use super::config;
use super::mint::ID;
use super::mint::OTHER_ROLE;
use super::mint::ROLE;
use super::mint::SECRET;
use super::mint::made;
use super::mint::mint;
use super::mint::new_token;
use super::mint::token;
use super::server::Act;
use super::server::Server;
use super::server::answer;
use super::server::bytes;
use super::server::json;
use super::server::router_404;
use crate::astra::Deadline;
use crate::astra::MintError;
use crate::astra::MintedToken;

/// The class of the outcome in short, for tables.
pub(super) fn outcome(result: Result<MintedToken, MintError>) -> String {
    let error = match result {
        Ok(token) => return format!("minted {}", token.client_id),
        Err(error) => error,
    };
    for secret in [SECRET, ROOT_HASH, &token()] {
        assert!(!error.to_string().contains(secret), "{error}");
        assert!(!format!("{error:?}").contains(secret), "{error:?}");
    }
    let kind = error.error().kind();
    match error {
        MintError::Mismatch {
            client_id: None, ..
        } => format!("mismatch no-id {kind}"),
        MintError::Mismatch { .. } => format!("mismatch {kind}"),
        MintError::NotMinted(_) => format!("not minted {kind}"),
        MintError::RateLimited { .. } => format!("perhaps {kind}"),
        MintError::Unknown(_) => format!("unknown {kind}"),
    }
}

#[tokio::test]
async fn every_answer_has_a_known_outcome_and_one_request() {
    type Change = fn(&mut serde_json::Value);
    let changed = |change: Change| json(200, &made(change));
    let full = || made(|_| {});
    let cut = |length: usize| full().chars().take(length).collect::<String>();
    let html = "<html><title>Bad Gateway</title></html>";
    let huge = "x".repeat(2 << 20);
    for (name, act, expected) in [
        (
            "no token",
            changed(|made| made["token"] = serde_json::Value::Null),
            format!("minted {ID}"),
        ),
        (
            "no roles",
            changed(|made| made["roles"] = serde_json::Value::Null),
            format!("minted {ID}"),
        ),
        ("201", json(201, &full()), format!("minted {ID}")),
        (
            "year 1",
            changed(|made| made["tokenExpiry"] = "0001-01-01T00:00:00Z".into()),
            format!("minted {ID}"),
        ),
        (
            "bad request",
            json(400, "\"bad\""),
            "not minted bad-request".to_owned(),
        ),
        (
            "dead root",
            json(401, DEAD),
            "not minted unauthorized".to_owned(),
        ),
        (
            "forbidden",
            json(403, "\"no\""),
            "not minted forbidden".to_owned(),
        ),
        (
            "access list",
            answer(403, "", html),
            "unknown forbidden".to_owned(),
        ),
        (
            "dead root with another status",
            json(404, DEAD),
            "not minted unauthorized".to_owned(),
        ),
        (
            "refused without a word",
            json(400, "null"),
            "unknown bad-request".to_owned(),
        ),
        (
            "half a refusal",
            Act::Break(
                bytes(403, "", "\"no such right\"")
                    .into_iter()
                    .take(52)
                    .collect(),
            ),
            "unknown forbidden".to_owned(),
        ),
        (
            "whole text of a longer body",
            Act::Break(b"HTTP/1.1 403 X\r\ncontent-length: 99\r\n\r\n\"no\"".to_vec()),
            "unknown forbidden".to_owned(),
        ),
        (
            "too large",
            answer(413, "", "\"x\""),
            "unknown bad-request".to_owned(),
        ),
        (
            "rate limit",
            answer(429, "retry-after: 0\r\n", "\"slow down\""),
            "perhaps rate-limited".to_owned(),
        ),
        (
            "no role",
            json(404, "\"role\""),
            "not minted not-found".to_owned(),
        ),
        ("wrong url", router_404(), "unknown wrong-url".to_owned()),
        (
            "conflict",
            json(409, "\"x\""),
            "unknown conflict".to_owned(),
        ),
        (
            "302",
            answer(302, "location: /x\r\n", ""),
            "unknown redirected".to_owned(),
        ),
        (
            "303",
            answer(303, "location: /x\r\n", ""),
            "unknown redirected".to_owned(),
        ),
        ("408", answer(408, "", ""), "unknown unavailable".to_owned()),
        (
            "500",
            json(500, r#"{"errors":[]}"#),
            "unknown unavailable".to_owned(),
        ),
        (
            "502",
            answer(502, "", html),
            "unknown unavailable".to_owned(),
        ),
        (
            "503",
            answer(503, "retry-after: 0\r\n", html),
            "unknown unavailable".to_owned(),
        ),
        (
            "504",
            answer(504, "", "upstream request timeout"),
            "unknown unavailable".to_owned(),
        ),
        (
            "errors in 200",
            json(200, r#"{"errors":[{"ID":1,"message":"x"}]}"#),
            "unknown unavailable".to_owned(),
        ),
        (
            "no byte",
            Act::Break(Vec::new()),
            "unknown disconnected".to_owned(),
        ),
        (
            "half a head",
            Act::Break(b"HTTP/1.1 200 O".to_vec()),
            "unknown disconnected".to_owned(),
        ),
        (
            "half a body",
            Act::Break(bytes(200, "", &full()).into_iter().take(120).collect()),
            "unknown disconnected".to_owned(),
        ),
        (
            "garbage",
            Act::Break(b"\x16\x03\x01 what\r\n\r\n".to_vec()),
            "unknown disconnected".to_owned(),
        ),
        (
            "cut JSON",
            json(200, &cut(150)),
            "unknown malformed".to_owned(),
        ),
        (
            "trailing",
            json(200, &format!("{} x", full())),
            "unknown malformed".to_owned(),
        ),
        (
            "roles text",
            changed(|made| made["roles"] = ROLE.into()),
            "unknown malformed".to_owned(),
        ),
        (
            "id null",
            changed(|made| made["clientId"] = serde_json::Value::Null),
            "unknown malformed".to_owned(),
        ),
        (
            "id empty",
            changed(|made| made["clientId"] = "".into()),
            "unknown malformed".to_owned(),
        ),
        ("empty", answer(200, "", ""), "unknown malformed".to_owned()),
        (
            "204",
            Act::Answer(b"HTTP/1.1 204 X\r\n\r\n".to_vec()),
            "unknown malformed".to_owned(),
        ),
        ("null", json(200, "null"), "unknown malformed".to_owned()),
        (
            "html",
            answer(200, "", html),
            "unknown malformed".to_owned(),
        ),
        (
            "gzip",
            answer(200, "content-encoding: gzip\r\n", &full()),
            "unknown malformed".to_owned(),
        ),
        ("huge", json(200, &huge), "unknown too-large".to_owned()),
        (
            "no secret",
            changed(|made| made["secret"] = serde_json::Value::Null),
            "mismatch malformed".to_owned(),
        ),
        (
            "wrong hash",
            changed(|made| made["secret"] = "other".into()),
            "mismatch malformed".to_owned(),
        ),
        (
            "more roles",
            changed(|made| made["roles"] = serde_json::json!([ROLE, OTHER_ROLE])),
            "mismatch malformed".to_owned(),
        ),
        (
            "fewer roles",
            changed(|made| made["roles"] = serde_json::json!([])),
            "mismatch malformed".to_owned(),
        ),
        (
            "foreign client",
            changed(|made| made["clientId"] = "SomebodyElsesTokenAbcdef".into()),
            "mismatch no-id malformed".to_owned(),
        ),
        (
            "root itself",
            changed(|made| {
                made["clientId"] = ROOT_ID.into();
                made["token"] = serde_json::Value::Null;
            }),
            "mismatch no-id malformed".to_owned(),
        ),
    ] {
        let server = Server::start(move |_, _| act.clone()).await;
        assert_eq!(outcome(mint(config(&server.url)).await), expected, "{name}");
        assert_eq!(server.lines(), ["POST /v2/clientIdSecrets"], "{name}");
    }
}

#[tokio::test]
async fn without_a_connection_there_is_certainly_no_token() {
    // A port that was just free: nothing listens there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = mint(config(&url)).await.err().unwrap();
    assert!(matches!(error, MintError::NotMinted(_)), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("cannot be reached") && text.contains("(4 attempts)"),
        "{text}"
    );
}

#[tokio::test]
async fn after_the_deadline_nothing_is_sent() {
    let server = Server::start(|_, _| json(200, &made(|_| {}))).await;
    let client = client(config(&server.url));
    let result = client
        .create_token(&new_token(), Deadline::after(Duration::ZERO))
        .await;
    assert!(outcome(result).starts_with("not minted"));
    assert!(server.lines().is_empty());
}
