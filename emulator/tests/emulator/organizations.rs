//! Several organizations of which one hangs, refuses or gives false answers; invitations.

use std::time::Duration;

use serde_json::json;

use crate::harness::*;

const USERS: &str = "/v2/organizations/users";

#[tokio::test]
async fn a_fault_of_one_organization_leaves_the_others_alone() {
    let astra = Astra::new().await;
    let seeds = astra.emulator.seeds();
    let (first, second) = (&seeds.organizations[0], &seeds.organizations[1]);
    for fault in [
        json!({"kind": "hang"}),
        json!({"kind": "status", "status": 403, "body": "block_page"}),
    ] {
        astra.fault(json!({"match": {"org_id": first.id}, "fault": fault}));
        let call = |token: &str| astra.request("GET", "/v2/currentOrg").bearer_auth(token);
        let got = got(call(&second.root_token).send().await.unwrap()).await;
        assert_eq!(got.0, 200, "{fault}");
        let fired = || astra.emulator.faults()[0].fired;
        // Also a token that was deleted belongs to its organization.
        for (number, token) in (1..).zip([&first.root_token, &astra.seed("deleted")]) {
            match fault["kind"] == "hang" {
                true => give_up(call(token), || fired() == number).await,
                false => assert_eq!(call(token).send().await.unwrap().status(), 403),
            }
        }
        assert_eq!(fired(), 2);
        astra.emulator.clear_faults();
    }
    assert_eq!(
        astra
            .emulator
            .journal()
            .iter()
            .filter(|entry| !entry.fault_applied.is_empty())
            .count(),
        4
    );
}

#[tokio::test]
async fn knobs_of_one_organization_leave_the_others_alone() {
    let astra = Astra::new().await;
    let seeds = astra.emulator.seeds();
    let (first, third) = (&seeds.organizations[0], &seeds.organizations[2]);
    let own =
        json!({"ignore_description": true, "delete_status": "ok_object", "max_description": 300});
    let all = astra.emulator.set_org_knobs(&first.id, own).unwrap();
    assert!(all.ignore_description);
    assert!(!astra.emulator.knobs().ignore_description);
    for (token, description, deleted) in [
        (&first.root_token, "", (200, "{}")),
        (&third.root_token, "text", (204, "")),
    ] {
        let body = json!({"roles": [API_RO_USER], "description": "text"});
        let made = astra
            .call_as(token, "POST", "/v2/clientIdSecrets", Some(body))
            .await;
        let made = parsed(&made);
        assert_eq!(made["description"], description);
        let path = format!("/v2/clientIdSecrets/{}", made["clientId"].as_str().unwrap());
        let got = astra.call_as(token, "DELETE", &path, None).await;
        assert_eq!((got.0, got.1.as_str()), deleted);
    }
    // A general change reaches the organization, except where it has a knob of its own.
    astra.knobs(json!({"max_description": 10, "create_status": 201}));
    let knobs = astra.emulator.org_knobs(&first.id).unwrap();
    assert_eq!((knobs.max_description, knobs.create_status), (300, 201));
    astra.emulator.set_org_knobs(&first.id, json!({})).unwrap();
    assert_eq!(
        astra.emulator.org_knobs(&first.id).unwrap(),
        astra.emulator.knobs()
    );
    assert!(
        astra
            .emulator
            .set_org_knobs(&first.id, json!({"x": 1}))
            .is_err()
    );
    assert!(astra.emulator.set_org_knobs("x", json!({})).is_err());
    assert!(astra.emulator.org_knobs("x").is_err());
}

#[tokio::test]
async fn rate_limit_and_latency_of_one_organization() {
    let astra = Astra::new().await;
    let seeds = astra.emulator.seeds();
    let (first, third) = (&seeds.organizations[0], &seeds.organizations[2]);
    astra
        .emulator
        .set_org_knobs(&first.id, json!({"rate_limit_per_s": 1}))
        .unwrap();
    // Real time: on a slow machine the bucket fills between two requests.
    let mut limited = 0;
    while limited == 0 {
        let got = astra
            .call_as(&third.root_token, "GET", "/v2/currentOrg", None)
            .await;
        assert_eq!(got.0, 200);
        limited += u32::from(astra.get("/v2/currentOrg").await.0 == 429);
    }
    astra
        .emulator
        .set_org_knobs(&first.id, json!({"latency_ms": 600_000}))
        .unwrap();
    let got = astra
        .call_as(&third.root_token, "GET", "/v2/currentOrg", None)
        .await;
    assert_eq!(got.0, 200);
    let slow = astra
        .request("GET", "/v2/currentOrg")
        .bearer_auth(&first.root_token);
    let error = slow
        .timeout(Duration::from_millis(200))
        .send()
        .await
        .unwrap_err();
    assert!(error.is_timeout());
}

#[tokio::test]
async fn foreign_org_names_another_organization() {
    let astra = Astra::new().await;
    let own = astra.emulator.seeds().organizations[0].id.clone();
    astra
        .emulator
        .set_org_knobs(&own, json!({"foreign_org": true}))
        .unwrap();
    let got = parsed(&astra.get("/v2/currentOrg").await);
    assert!(got["id"].is_string() && got["id"] != own.as_str());
    let made = parsed(&astra.create(json!({"roles": [API_RO_USER]})).await);
    assert_eq!(made["orgId"], got["id"]);
    let client_id = made["clientId"].as_str().unwrap();
    assert_eq!(astra.emulator.token(client_id).unwrap().org_id, own);
    assert_eq!(astra.emulator.invariants().orphans, 0);
    let third = astra.emulator.seeds().organizations[2].clone();
    let honest = astra
        .call_as(&third.root_token, "GET", "/v2/currentOrg", None)
        .await;
    assert_eq!(parsed(&honest)["id"], third.id.as_str());
}

#[tokio::test]
async fn an_invitation_makes_an_administrator_who_stays() {
    let astra = Astra::new().await;
    let org = astra.emulator.seeds().organizations[0].id.clone();
    let policy = json!({"description": "", "effect": "allow", "actions": ["org-user-write"],
        "resources": [format!("drn:astra:org:{org}")]});
    let role = astra
        .emulator
        .create_role(None, "Inviter", serde_json::from_value(policy).unwrap())
        .unwrap();
    let made = parsed(&astra.create(json!({"roles": [role.id]})).await);
    let (token, client_id) = (
        made["token"].as_str().unwrap(),
        made["clientId"].as_str().unwrap(),
    );
    let invite =
        |email: &str, roles: &[&str]| Some(json!({"email": email, "orgID": org, "roles": roles}));
    // Without the permission: refused.
    let got = astra
        .call_as(
            &astra.seed("read_only"),
            "PUT",
            USERS,
            invite("new@example.com", &[ORG_ADMIN]),
        )
        .await;
    assert_eq!(got.0, 403);
    let got = astra
        .call_as(token, "PUT", USERS, invite("new@example.com", &[ORG_ADMIN]))
        .await;
    assert_eq!(got, (200, String::new()));
    assert_eq!(astra.delete(client_id).await.0, 204);
    let users = astra.emulator.users(None).unwrap();
    let new = users
        .iter()
        .find(|user| user.email == "new@example.com")
        .unwrap();
    assert_eq!(
        (new.status.as_str(), &new.roles[..]),
        ("invited", &[ORG_ADMIN.to_owned()][..])
    );
    assert!(astra.get(USERS).await.1.contains("new@example.com"));
    // A second invitation changes the roles.
    assert_eq!(
        astra
            .call("PUT", USERS, invite("new@example.com", &[API_RO_USER]))
            .await
            .0,
        200
    );
    let users = astra.emulator.users(None).unwrap();
    assert_eq!(
        users
            .iter()
            .filter(|user| user.email == "new@example.com")
            .count(),
        1
    );
    assert!(astra.emulator.violations().is_empty());
}

#[tokio::test]
async fn bad_invitations_are_refused() {
    let astra = Astra::new().await;
    let org = astra.emulator.seeds().organizations[0].id.clone();
    let other = astra.emulator.seeds().organizations[2].id.clone();
    let before = astra.emulator.users(None).unwrap().len();
    for (body, status) in [
        (json!({"orgID": org, "roles": [API_RO_USER]}), 400),
        (json!({"email": "a@b", "roles": [API_RO_USER]}), 400),
        (json!({"email": "a@b", "orgID": org, "roles": []}), 400),
        (
            json!({"email": "a@b", "orgID": org, "roles": ["API RO User"]}),
            400,
        ),
        (
            json!({"email": "a@b", "orgID": org, "roles": [API_RO_USER], "x": 1}),
            400,
        ),
        (
            json!({"email": "a@b", "orgID": other, "roles": [API_RO_USER]}),
            403,
        ),
        (
            json!({"email": "a@b", "orgID": org, "roles": [UNKNOWN_ROLE]}),
            404,
        ),
    ] {
        let got = astra.call("PUT", USERS, Some(body.clone())).await;
        assert_eq!(got.0, status, "{body}");
    }
    assert_eq!(
        astra.violations(),
        ["email", "org_id", "roles", "roles", "unknown_field"]
    );
    astra.knobs(json!({"invite_ceiling": true}));
    let admin = json!({"email": "a@b", "orgID": org, "roles": [ORG_ADMIN]});
    let inviter = astra.emulator.create_token(astra_emulator::PortalToken {
        roles: vec!["Admin User".into()],
        ..Default::default()
    });
    let got = astra
        .call_as(&inviter.unwrap().token, "PUT", USERS, Some(admin))
        .await;
    assert_eq!(got.0, 403);
    assert_eq!(astra.emulator.users(None).unwrap().len(), before);
}
