use std::time::Duration;
use std::time::SystemTime;

use time::macros::datetime;

use super::DEAD;
use super::ORG;
use super::client;
use super::config;
use super::server::Act;
use super::server::Server;
use super::server::answer;
use super::server::bytes;
use super::server::json;
use super::server::router_404;
use super::soon;
use crate::astra::Client;
use crate::astra::ClientConfig;
use crate::astra::Deadline;
use crate::astra::Error;
use crate::astra::SetupError;
use crate::astra::TokenEntry;
use crate::secret::Secret;

fn org() -> Act {
    json(200, &format!(r#"{{"id":"{ORG}","more":1}}"#))
}

#[tokio::test]
async fn reads_the_organization() {
    let server = Server::start(|_, _| org()).await;
    assert_eq!(
        client(config(&server.url))
            .current_org(soon())
            .await
            .as_deref(),
        Ok(ORG)
    );
    let seen = server.seen().pop().unwrap();
    assert_eq!(seen.line, "GET /v2/currentOrg");
    assert_eq!(seen.headers.len(), 4, "{:?}", seen.headers);
}

#[tokio::test]
async fn a_refusal_tells_by_how_much_the_clocks_differ() {
    let day = Duration::from_secs(86_400);
    for (theirs, words) in [
        (SystemTime::now() - day, Some("ahead of")),
        (SystemTime::now() + day, Some("behind")),
        (SystemTime::now() + Duration::from_secs(30), None),
    ] {
        let date = httpdate::fmt_http_date(theirs);
        let headers = format!("content-type: application/json\r\ndate: {date}\r\n");
        let refusal = r#"{"errors":[{"message":"tokenExpiry is not in the future"}]}"#;
        let act = answer(400, &headers, refusal);
        let server = Server::start(move |_, _| act.clone()).await;
        let error = client(config(&server.url)).current_org(soon()).await;
        let error = error.unwrap_err().to_string();
        let told = error.split_once("; this node's clock is ");
        let told = told.map(|(before, clock)| {
            assert!(
                before.ends_with(": Astra says \"tokenExpiry is not in the future\""),
                "{error}"
            );
            let (amount, rest) = clock.split_once(' ').unwrap();
            // The answer has whole seconds, and the request takes its time.
            let is_day = ["24h", "23h59m", "23h58m"]
                .iter()
                .any(|day| amount.starts_with(day));
            assert!(is_day, "{error}");
            rest.strip_suffix(" Astra's: set it right").unwrap()
        });
        assert_eq!(told, words, "{error}");
    }
}

#[tokio::test]
async fn a_path_before_the_api_is_kept() {
    let server = Server::start(|_, _| org()).await;
    let client = client(config(&format!("{}/astra/", server.url)));
    assert!(client.current_org(soon()).await.is_ok());
    assert_eq!(server.lines(), ["GET /astra/v2/currentOrg"]);
}

#[tokio::test]
async fn passing_failures_are_overcome() {
    for (name, act) in [
        ("break", Act::Break(Vec::new())),
        ("500", json(500, DEAD)),
        ("502", answer(502, "", "<html>")),
        (
            "429",
            answer(429, "retry-after: Thu, 01 Jan 1970 00:00:00 GMT\r\n", ""),
        ),
        (
            "half",
            Act::Break(b"HTTP/1.1 200 X\r\ncontent-length: 50\r\n\r\n{".to_vec()),
        ),
        (
            "endless",
            Act::Break(
                b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"id\"\r\n".to_vec(),
            ),
        ),
        ("errors", json(200, r#"{"errors":[{"ID":1}]}"#)),
    ] {
        let server = Server::start(move |_, number| match number {
            0..3 => act.clone(),
            _ => org(),
        })
        .await;
        assert!(
            client(config(&server.url))
                .current_org(soon())
                .await
                .is_ok(),
            "{name}"
        );
        assert_eq!(server.lines().len(), 4, "{name}");
    }
}

#[tokio::test]
async fn a_stalled_attempt_is_repeated() {
    let server = Server::start(|_, number| match number {
        0 => Act::Hang(Vec::new()),
        1 => Act::Hang(b"HTTP/1.1 200 X\r\ncontent-length: 50\r\n\r\n{".to_vec()),
        _ => org(),
    })
    .await;
    let quick = ClientConfig {
        // Long enough for a busy machine to answer.
        request_timeout: Duration::from_secs(3),
        ..config(&server.url)
    };
    assert!(client(quick).current_org(soon()).await.is_ok());
    assert_eq!(server.lines().len(), 3);
}

#[tokio::test]
async fn failures_that_stay_name_cause_and_remedy() {
    for (act, kind, part) in [
        (json(401, DEAD), "unauthorized", "configure a live one"),
        (json(403, "\"no\""), "forbidden", "lacks a permission"),
        (router_404(), "wrong-url", "correct the URL"),
        (
            answer(
                302,
                "location: https://u:p@other.example/x?token=1#f\r\n",
                "",
            ),
            "redirected",
            "redirected to https://other.example/x (HTTP 302)",
        ),
        (
            answer(503, "", "no healthy upstream"),
            "unavailable",
            "Astra says \"no healthy upstream\"",
        ),
        (
            Act::Break(Vec::new()),
            "disconnected",
            "broke during GET /v2/currentOrg (4 attempts)",
        ),
        (
            json(200, "{}"),
            "malformed",
            "a field is missing or has the wrong type",
        ),
        (json(200, r#"{"id":""}"#), "malformed", "id is empty"),
        (
            answer(200, "content-encoding: gzip\r\n", "x"),
            "malformed",
            "compressed",
        ),
        (
            json(200, &"x".repeat(2 << 20)),
            "too-large",
            "larger than 1048576 bytes",
        ),
        (json(418, "\"tea\""), "bad-request", "HTTP 418"),
    ] {
        let server = Server::start(move |_, _| act.clone()).await;
        let error = client(config(&server.url))
            .current_org(soon())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[tokio::test]
async fn the_root_token_never_follows_a_redirect() {
    let elsewhere = Server::start(|_, _| org()).await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("location: {}/v2/currentOrg\r\n", elsewhere.url);
        let server = Server::start(move |_, _| answer(status, &location, "")).await;
        let error = client(config(&server.url))
            .current_org(soon())
            .await
            .unwrap_err();
        assert!(error.to_string().contains(&elsewhere.url), "{error}");
    }
    assert!(elsewhere.lines().is_empty());
}

#[tokio::test]
async fn a_long_failure_is_cut() {
    let server = Server::start(|_, _| answer(400, "", &"é\r\n".repeat(100_000))).await;
    let error = client(config(&server.url))
        .current_org(soon())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), "bad-request");
    assert!(
        error.to_string().len() < 2_300,
        "{}",
        error.to_string().len()
    );
}

#[tokio::test]
async fn waiting_for_a_turn_counts_against_the_deadline() {
    let server = Server::start(|_, _| Act::Hang(Vec::new())).await;
    let client = client(ClientConfig {
        max_concurrent_requests: 1,
        ..config(&server.url)
    });
    // Long enough for a busy machine to send the first.
    let deadline = Deadline::after(Duration::from_secs(3));
    let (first, second) = tokio::join!(client.current_org(deadline), client.current_org(deadline));
    assert_eq!(first.unwrap_err().kind(), "timed-out");
    let second = second.unwrap_err();
    assert_eq!(second.kind(), "busy");
    assert!(second.to_string().contains("all 1 requests"), "{second}");
    assert_eq!(server.lines().len(), 1);
}

#[tokio::test]
async fn connections_are_reused_and_a_closed_one_does_not_hurt() {
    let server = Server::start(|_, number| match number {
        // Closed without a word after a complete answer.
        1 => Act::Break(b"HTTP/1.1 200 X\r\ncontent-length: 10\r\n\r\n{\"id\":\"x\"}".to_vec()),
        _ => org(),
    })
    .await;
    let client = client(config(&server.url));
    for _ in 0..4 {
        assert!(client.current_org(soon()).await.is_ok());
    }
}

async fn all_tokens(client: &Client) -> Result<Vec<TokenEntry>, Error> {
    client.tokens(|token| Some(token.clone()), soon()).await
}

#[tokio::test]
async fn reads_every_form_of_the_token_list() {
    let server = Server::start(|_, _| {
        json(
            200,
            r#"{"clients":[
            {"clientId":"A","roles":["r1","R/W User"],"generatedOn":"2025-06-17T02:26:29.846Z",
             "description":"d","tokenExpiry":"2025-12-31T23:59:59.000Z","new":{}},
            {"clientId":"B","roles":null,"description":"","tokenExpiry":null},
            {"clientId":"C","roles":[],"tokenExpiry":"0001-01-01T00:00:00Z","generatedOn":7}]}"#,
        )
    })
    .await;
    let tokens = all_tokens(&client(config(&server.url))).await.unwrap();
    assert_eq!(server.lines(), ["GET /v2/clientIdSecrets"]);
    let [a, b, c] = tokens.as_slice() else {
        panic!("{tokens:?}");
    };
    assert_eq!(
        (a.client_id.as_str(), a.description.as_deref()),
        ("A", Some("d"))
    );
    assert_eq!(a.roles, ["r1", "R/W User"]);
    assert_eq!(a.generated_on, Some(datetime!(2025-06-17 02:26:29.846 UTC)));
    assert_eq!(a.token_expiry, Some(datetime!(2025-12-31 23:59:59 UTC)));
    assert_eq!(
        (b.description.as_deref(), b.token_expiry, b.roles.len()),
        (Some(""), None, 0)
    );
    assert_eq!(
        (c.description.as_deref(), c.token_expiry, c.generated_on),
        (None, None, None)
    );
}

/// What was seen of a list that broke off counts for nothing: the next one counts.
#[tokio::test]
async fn a_list_that_breaks_off_is_asked_for_again() {
    let whole = r#"{"clients":[{"clientId":"A"},{"clientId":"C"}]}"#;
    let broken = bytes(
        200,
        "",
        r#"{"clients":[{"clientId":"A"},{"clientId":"B"},{"clientId":"C"}]}"#,
    );
    let broken = broken[..broken.len() - 4].to_vec();
    let server = Server::start(move |_, number| match number {
        0 | 2 => Act::Break(broken.clone()),
        _ => json(200, whole),
    })
    .await;
    let client = client(config(&server.url));
    let ids = |token: &TokenEntry| Some(token.client_id.clone());
    assert_eq!(client.tokens(ids, soon()).await.unwrap(), ["A", "C"]);
    assert_eq!(client.shared_tokens(ids, soon()).await.unwrap(), ["A", "C"]);
    assert_eq!(server.lines().len(), 4);
}

#[tokio::test]
async fn a_list_that_always_breaks_off_is_no_list() {
    let body = bytes(
        200,
        "",
        r#"{"clients":[{"clientId":"A"},{"clientId":"B"}]}"#,
    );
    for length in [body.len() - 1, body.len() - 20] {
        let part = body[..length].to_vec();
        let server = Server::start(move |_, _| Act::Break(part.clone())).await;
        let client = client(config(&server.url));
        for error in [
            all_tokens(&client).await.map(drop),
            client.shared_tokens(|_| Some(()), soon()).await.map(drop),
            client.is_listed("C", soon()).await.map(drop),
        ] {
            let error = error.unwrap_err();
            assert!(error.is_retryable(), "{error}");
            assert_eq!(error.kind(), "disconnected");
        }
    }
}

#[tokio::test]
async fn those_who_share_a_list_each_get_their_own_answer() {
    let server = Server::start(|_, _| {
        json(
            200,
            r#"{"clients":[{"clientId":"A"},{"clientId":"B"},{"clientId":"C"}]}"#,
        )
    })
    .await;
    let client = client(config(&server.url));
    let count = |_: &TokenEntry| Some(());
    let not_a = |token: &TokenEntry| (token.client_id != "A").then(|| token.client_id.clone());
    let (counted, others, has_b, has_d) = tokio::join!(
        client.shared_tokens(count, soon()),
        client.shared_tokens(not_a, soon()),
        client.is_listed("B", soon()),
        client.is_listed("D", soon()),
    );
    assert_eq!(counted.map(|counted| counted.len()), Ok(3));
    assert_eq!(others, Ok(vec!["B".to_owned(), "C".to_owned()]));
    let is_listed = |answer: Result<(bool, _), _>| answer.map(|(is_listed, _)| is_listed);
    assert_eq!((is_listed(has_b), is_listed(has_d)), (Ok(true), Ok(false)));
    assert_eq!(server.lines().len(), 1, "one list serves all");
}

#[tokio::test]
async fn a_list_is_a_list_or_an_error() {
    for (body, expected) in [
        (r#"{"clients":null}"#, Ok(0)),
        (r#"{"clients":[]}"#, Ok(0)),
        ("{}", Err("malformed")),
        ("[]", Err("malformed")),
        ("null", Err("malformed")),
        (r#"{"clients":[{"roles":[]}]}"#, Err("malformed")),
        (r#"{"clients":7}"#, Err("malformed")),
        (r#"{"clients":[{"clientId":"A"}]"#, Err("malformed")),
        (r#"{"clients":[{"clientId":"A"}]}}"#, Err("malformed")),
        (
            r#"{"clients":[{"clientId":"A"}],"clients":[]}"#,
            Err("malformed"),
        ),
        (
            r#"{"page":{},"clients":[{"clientId":"A"}],"errors":[]} "#,
            Ok(1),
        ),
        (
            r#"{"clients":[{"clientId":"A"}],"errors":[{"ID":7}]}"#,
            Err("unavailable"),
        ),
        (r#"{"errors":[{"ID":340018}]}"#, Err("unauthorized")),
    ] {
        let server = Server::start(move |_, _| json(200, body)).await;
        let result = all_tokens(&client(config(&server.url))).await;
        let seen = result.as_ref().map(Vec::len).map_err(Error::kind);
        assert_eq!(seen, expected, "{body}");
    }
}

#[test]
fn a_client_refuses_a_useless_configuration() {
    let base = || config("http://127.0.0.1:1");
    let refused = |config| Client::new(config).err().unwrap();
    let with_token = |token: &str| ClientConfig {
        token: Secret::new(token.to_owned()),
        ..base()
    };
    assert_eq!(refused(with_token("")), SetupError::Token);
    assert_eq!(refused(with_token("AstraCS:a\nb")), SetupError::Token);
    assert_eq!(refused(with_token("AstraCS:é")), SetupError::Token);
    let none = ClientConfig {
        max_concurrent_requests: 0,
        ..base()
    };
    assert_eq!(refused(none), SetupError::Concurrency(0));
    let instant = ClientConfig {
        request_timeout: Duration::ZERO,
        ..base()
    };
    assert_eq!(refused(instant), SetupError::Timeout);
    let agent = ClientConfig {
        user_agent: "a\nb".to_owned(),
        ..base()
    };
    assert_eq!(refused(agent), SetupError::UserAgent("a\nb".to_owned()));
    let pem = [
        "",
        "nonsense",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ];
    for pem in pem {
        let with_pem = ClientConfig {
            ca_cert_pem: Some(pem.to_owned()),
            ..base()
        };
        assert!(matches!(refused(with_pem), SetupError::CaCert(_)), "{pem}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    /// Whatever comes back, there is an outcome, and no message repeats a success.
    #[test]
    fn no_answer_panics(status in 200_u16..600, body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut bytes = format!("HTTP/1.1 {status} X\r\nlocation: ?\r\nconnection: \
                close\r\n\r\n").into_bytes();
            bytes.extend_from_slice(&body);
            let server = Server::start(move |_, _| Act::Break(bytes.clone())).await;
            let client = client(config(&server.url));
            let tokens = all_tokens(&client).await.map(drop);
            let roles = client.roles(soon()).await.map(drop);
            let databases = client.databases(soon()).await.map(drop);
            for error in [tokens, roles, databases].into_iter().filter_map(Result::err) {
                assert!(!error.kind().is_empty() && error.to_string().len() < 3_000, "{error}");
            }
        });
    }
}
