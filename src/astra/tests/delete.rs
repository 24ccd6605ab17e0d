use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;

use super::DEAD;
use super::ORG;
use super::client;
use super::config;
use super::server::Act;
use super::server::Server;
use super::server::answer;
use super::server::json;
use super::server::router_404;
use super::soon;
use crate::astra::ClientConfig;
use crate::astra::Deadline;
use crate::astra::Deletion;

const ID: &str = "BOjFakeFakeFakeFakeFakeA";
const DELETE: &str = "DELETE /v2/clientIdSecrets/BOjFakeFakeFakeFakeFakeA";
const LIST: &str = "GET /v2/clientIdSecrets";

/// A list with the token, and one whose ids differ from it only in case.
fn with() -> Act {
    json(
        200,
        &format!(r#"{{"clients":[{{"clientId":"{ID}","roles":null}}]}}"#),
    )
}

fn without() -> Act {
    json(
        200,
        &format!(r#"{{"clients":[{{"clientId":"{}"}}]}}"#, ID.to_lowercase()),
    )
}

fn outcome(result: &Result<Deletion, crate::astra::Error>) -> &'static str {
    match result {
        Ok(Deletion::AlreadyAbsent(_)) => "already absent",
        Ok(Deletion::Deleted) => "deleted",
        Err(error) => error.kind(),
    }
}

/// Deletes where the server answers with `delete` to that and with `list` to a list.
async fn delete(delete: Act, list: Act) -> (&'static str, Vec<String>) {
    let server = Server::start(move |seen, _| match seen.line.as_str() {
        LIST => list.clone(),
        "GET /v2/currentOrg" => json(200, &format!(r#"{{"id":"{ORG}"}}"#)),
        _ => delete.clone(),
    })
    .await;
    let result = client(config(&server.url)).delete_token(ID, soon()).await;
    (outcome(&result), server.lines())
}

#[tokio::test]
async fn any_success_is_enough() {
    for act in [
        Act::Answer(b"HTTP/1.1 204 X\r\n\r\n".to_vec()),
        answer(200, "", ""),
        json(200, "{}"),
        json(202, "null"),
    ] {
        assert_eq!(
            delete(act, with()).await,
            ("deleted", vec![DELETE.to_owned()])
        );
    }
}

#[tokio::test]
async fn the_request_has_no_body() {
    let server = Server::start(|_, _| answer(200, "", "")).await;
    client(config(&server.url))
        .delete_token(ID, soon())
        .await
        .unwrap();
    let seen = server.seen().pop().unwrap();
    assert_eq!(seen.headers.len(), 4, "{:?}", seen.headers);
    assert!(
        seen.headers
            .iter()
            .all(|line| !line.starts_with("content-")),
        "{:?}",
        seen.headers
    );
}

#[tokio::test]
async fn gone_needs_a_list_without_it() {
    for (name, act, with_it, without_it) in [
        (
            "404 errors",
            json(404, r#"{"errors":[{"ID":1,"message":"x"}]}"#),
            "not-found",
            "already absent",
        ),
        (
            "404 string",
            json(404, "\"x\""),
            "not-found",
            "already absent",
        ),
        (
            "404 text",
            answer(404, "", "no such token"),
            "not-found",
            "already absent",
        ),
        (
            "404 empty",
            answer(404, "", ""),
            "not-found",
            "already absent",
        ),
        ("400", json(400, "\"x\""), "bad-request", "already absent"),
        ("403", json(403, "\"x\""), "forbidden", "already absent"),
        ("500", json(500, "\"x\""), "unavailable", "already absent"),
        (
            "page",
            answer(200, "", "<html>"),
            "malformed",
            "already absent",
        ),
        (
            "gzip",
            answer(200, "content-encoding: gzip\r\n", "x"),
            "malformed",
            "already absent",
        ),
    ] {
        let (seen, lines) = delete(act.clone(), with()).await;
        assert_eq!(seen, with_it, "{name}");
        assert!(lines.contains(&LIST.to_owned()), "{name}");
        assert_eq!(delete(act, without()).await.0, without_it, "{name}");
    }
}

#[tokio::test]
async fn what_is_not_about_the_token_is_never_success() {
    for (name, act, expected) in [
        ("router", router_404(), "wrong-url"),
        ("other server", answer(404, "", "<html>"), "wrong-url"),
        ("dead root", json(401, DEAD), "unauthorized"),
        ("401 null", json(401, "null"), "forbidden"),
        ("redirect", answer(301, "location: /\r\n", ""), "redirected"),
        ("conflict", json(409, ""), "conflict"),
        ("503", answer(503, "", ""), "unavailable"),
        (
            "errors in 200",
            json(200, r#"{"errors":[{"message":"x"}]}"#),
            "unavailable",
        ),
        ("break", Act::Break(Vec::new()), "disconnected"),
    ] {
        let (seen, lines) = delete(act, without()).await;
        assert_eq!(seen, expected, "{name}");
        assert!(!lines.contains(&LIST.to_owned()), "{name}: {lines:?}");
    }
}

#[tokio::test]
async fn a_list_that_fails_confirms_nothing() {
    for (name, list, expected) in [
        ("forbidden", json(403, ""), "forbidden"),
        ("wrong URL", router_404(), "wrong-url"),
        ("dead root", json(401, DEAD), "unauthorized"),
        ("down", answer(503, "", ""), "unavailable"),
        ("another object", json(200, "{}"), "malformed"),
        ("a page", answer(200, "", "<html>"), "malformed"),
        (
            "an entry without id",
            json(200, r#"{"clients":[{}]}"#),
            "malformed",
        ),
    ] {
        assert_eq!(delete(json(404, "\"x\""), list).await.0, expected, "{name}");
    }
}

#[tokio::test]
async fn a_lost_answer_is_asked_again() {
    let server = Server::start(|seen, number| match (seen.line.as_str(), number) {
        (LIST, _) => without(),
        ("GET /v2/currentOrg", _) => json(200, &format!(r#"{{"id":"{ORG}"}}"#)),
        (_, 0) => Act::Break(Vec::new()),
        (_, 1) => answer(429, "retry-after: 0\r\n", ""),
        (_, 2) => answer(503, "", ""),
        _ => json(404, "\"x\""),
    })
    .await;
    let result = client(config(&server.url)).delete_token(ID, soon()).await;
    assert_eq!(outcome(&result), "already absent");
    assert_eq!(
        server.lines(),
        [DELETE, DELETE, DELETE, DELETE, LIST, "GET /v2/currentOrg"]
    );
}

#[tokio::test]
async fn confirmations_share_list_calls() {
    const MANY: usize = 300;
    let (all_answered, signal) = watch::channel(false);
    let answered = AtomicUsize::new(0);
    // The first list stays open until every deletion has been refused.
    let server = Server::start(move |seen, _| {
        if seen.line == LIST {
            return Act::After(signal.clone(), Box::new(without()));
        }
        if seen.line == "GET /v2/currentOrg" {
            return json(200, &format!(r#"{{"id":"{ORG}"}}"#));
        }
        if answered.fetch_add(1, Ordering::SeqCst) + 1 == MANY {
            all_answered.send_replace(true);
        }
        json(404, "\"x\"")
    })
    .await;
    let client = client(config(&server.url));
    let ids: Vec<String> = (0..MANY).map(|number| format!("token{number}")).collect();
    let results = join_all(ids.iter().map(|id| client.delete_token(id, soon()))).await;
    assert!(
        results
            .iter()
            .all(|result| outcome(result) == "already absent")
    );
    let lists = server.lines().iter().filter(|line| *line == LIST).count();
    // One that began before the others were refused, and one or two for those.
    assert!((2..=4).contains(&lists), "{lists}");
}

#[tokio::test]
async fn a_confirmation_ends_with_the_deadline() {
    let server = Server::start(|seen, _| match seen.line.as_str() {
        LIST => Act::Hang(Vec::new()),
        _ => json(404, "\"x\""),
    })
    .await;
    let deadline = Deadline::after(Duration::from_secs(3));
    let result = client(config(&server.url)).delete_token(ID, deadline).await;
    assert_eq!(outcome(&result), "timed-out");
}

#[tokio::test]
async fn ids_that_would_change_the_path_are_never_sent() {
    let server = Server::start(|_, _| answer(200, "", "")).await;
    let client = client(config(&server.url));
    for id in ["", "..", "a/b", "a?b=c", "a#b"] {
        let result = client.delete_token(id, soon()).await;
        assert_eq!(outcome(&result), "invalid-argument", "{id}");
    }
    assert!(server.lines().is_empty());
}

#[tokio::test]
async fn a_rate_limited_crowd_stays_within_the_limit() {
    let server = Server::start(|_, number| match number % 3 {
        0 => answer(429, "retry-after: 0\r\n", ""),
        _ => answer(200, "", ""),
    })
    .await;
    let client = client(ClientConfig {
        max_concurrent_requests: 3,
        ..config(&server.url)
    });
    let ids: Vec<String> = (0..60).map(|number| format!("token{number}")).collect();
    let results = join_all(ids.iter().map(|id| client.delete_token(id, soon()))).await;
    assert!(results.iter().all(|result| outcome(result) == "deleted"));
    assert!(server.peak.load(Ordering::SeqCst) <= 3);
}
