use super::ORG;
use super::client;
use super::config;
use super::server::Act;
use super::server::Server;
use super::server::answer;
use super::server::json;
use super::soon;
use crate::astra::ClientConfig;
use crate::astra::CreateRoleError;
use crate::astra::Deletion;
use crate::astra::Error;
use crate::astra::NewRole;
use crate::astra::Policy;

#[tokio::test]
async fn custom_roles_are_made_replaced_and_deleted() {
    let role = r#"{"ID":"r1","Name":"n","Policy":{"Actions":["db-cql"],"Resources":[],"Effect":"allow","Description":"d"}}"#;
    let server = Server::start(move |seen, _| match seen.line.split(' ').next().unwrap() {
        "POST" => json(201, role),
        "PUT" => answer(200, "", ""),
        "DELETE" => Act::Answer(b"HTTP/1.1 204 X\r\n\r\n".to_vec()),
        _ => json(200, role),
    })
    .await;
    let client = client(config(&server.url));
    let new = NewRole {
        name: "n".to_owned(),
        policy: Policy {
            actions: vec!["db-cql".to_owned()],
            description: "d".to_owned(),
            effect: "allow".to_owned(),
            resources: vec![],
        },
    };
    let made = client.create_role(&new, soon()).await.unwrap();
    assert_eq!(
        (made.id.as_str(), made.policy.as_ref()),
        ("r1", Some(&new.policy))
    );
    client.update_role("r1", &new, soon()).await.unwrap();
    assert_eq!(client.role("r1", soon()).await.unwrap(), made);
    assert_eq!(
        client.delete_role("r1", soon()).await,
        Ok(Deletion::Deleted)
    );
    let expected = r#"{"name":"n","policy":{"actions":["db-cql"],"description":"d","effect":"allow","resources":[]}}"#;
    let seen = server.seen();
    assert_eq!(
        seen.iter()
            .map(|seen| seen.line.as_str())
            .collect::<Vec<_>>(),
        [
            "POST /v2/organizations/roles",
            "PUT /v2/organizations/roles/r1",
            "GET /v2/organizations/roles/r1",
            "DELETE /v2/organizations/roles/r1",
        ]
    );
    assert_eq!([&seen[0].body, &seen[1].body], [expected, expected]);
    assert!(seen[2].body.is_empty() && seen[3].body.is_empty());
}

/// A page of something before Astra, with the status of a success: the list tells what was done.
#[tokio::test]
async fn a_page_is_no_proof_that_a_role_was_changed_or_deleted() {
    let policy = |action| {
        format!(
            r#"[{{"id":"R1","name":"n","policy":{{"actions":["db-cql","{action}"],"resources":["a","b"],"effect":"allow","description":"d"}}}}]"#
        )
    };
    let other = r#"[{"id":"r2","name":"n"}]"#.to_owned();
    for (list, is_changed, is_gone) in [
        (policy("db-rest"), true, false),
        (policy("db-graphql"), false, false),
        (other, false, true),
    ] {
        let server = Server::start(move |seen, _| match seen.line.starts_with("GET") {
            true => json(200, &list),
            false => answer(200, "", "<html>"),
        })
        .await;
        let client = client(config(&server.url));
        let texts = |texts: [&str; 2]| texts.map(str::to_owned).to_vec();
        let new = NewRole {
            name: "n".to_owned(),
            policy: Policy {
                actions: texts(["db-rest", "db-cql"]),
                description: "d".to_owned(),
                effect: "allow".to_owned(),
                resources: texts(["b", "a"]),
            },
        };
        let updated = client.update_role("r1", &new, soon()).await;
        assert_eq!(
            updated.map_err(|error| error.kind()),
            is_changed.then_some(()).ok_or("malformed")
        );
        let deleted = client.delete_role("r1", soon()).await;
        let is_absent = deleted.map(|deletion| deletion.absence().is_some());
        assert_eq!(
            is_absent.map_err(|error| error.kind()),
            is_gone.then_some(true).ok_or("malformed")
        );
    }
}

#[tokio::test]
async fn a_role_is_gone_when_the_list_says_so() {
    for (list, expected) in [
        (r#"[{"id":"R1","name":"n"}]"#, Err("not-found")),
        (r#"[{"id":"r2","name":"n"}]"#, Ok(true)),
        ("{}", Err("malformed")),
    ] {
        let server = Server::start(move |seen, _| match seen.line.starts_with("GET") {
            true => json(200, list),
            false => json(404, "\"role not found\""),
        })
        .await;
        let result = client(config(&server.url)).delete_role("r1", soon()).await;
        assert_eq!(
            result
                .as_ref()
                .map(|deletion| deletion.absence().is_some())
                .map_err(Error::kind),
            expected
        );
    }
}

#[tokio::test]
async fn a_role_is_not_made_twice() {
    for act in [json(500, ""), Act::Break(Vec::new())] {
        let server = Server::start(move |_, _| act.clone()).await;
        let new = NewRole {
            name: "n".to_owned(),
            policy: Policy::default(),
        };
        let error = client(config(&server.url))
            .create_role(&new, soon())
            .await
            .unwrap_err();
        assert!(matches!(error, CreateRoleError::Unknown(_)), "{error}");
        assert!(error.error().is_retryable(), "{error}");
        assert_eq!(server.lines().len(), 1);
    }
}

/// A root token of another organization shows nothing of the custom roles of this one, and may not touch
/// those of its own.
#[tokio::test]
async fn roles_are_left_alone_where_the_root_token_is_of_another_organization() {
    let other = r#"{"id":"00000000-0000-4000-8000-000000000001"}"#;
    let server = Server::start(move |seen, _| match seen.line.as_str() {
        "GET /v2/currentOrg" => json(200, other),
        _ => answer(404, "application/json", r#""not found""#),
    })
    .await;
    let settings = ClientConfig {
        org_id: Some(ORG.to_owned()),
        ..config(&server.url)
    };
    let client = client(settings);
    let new = NewRole {
        name: "n".to_owned(),
        policy: Policy::default(),
    };
    let wrong = |error: &Error| matches!(error, Error::WrongOrganization { .. });
    assert!(wrong(&client.roles(soon()).await.unwrap_err()));
    assert!(wrong(
        &client.update_role("r1", &new, soon()).await.unwrap_err()
    ));
    assert!(wrong(&client.delete_role("r1", soon()).await.unwrap_err()));
    let made = client.create_role(&new, soon()).await.unwrap_err();
    assert!(matches!(&made, CreateRoleError::NotMade(error) if wrong(error)));
    assert!(
        server
            .seen()
            .iter()
            .all(|seen| seen.line == "GET /v2/currentOrg")
    );
}
