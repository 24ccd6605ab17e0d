//! What storage says of Astra roles is compared with what Astra has.

use std::time::Duration;

use astra_emulator::Fault;
use astra_emulator::FaultRule;
use astra_emulator::Policy;
use astra_emulator::Role;
use serde_json::Value;
use serde_json::json;

use crate::engine::Deadlines;
use crate::engine::testing::AstraMount;
use crate::engine::testing::virtual_time;
use crate::engine::testing::warnings;
use crate::vault::Error;
use crate::vault::Operation;
use crate::vault::Response;

fn policy(actions: &[&str]) -> Value {
    let resources = ["drn:astra:org:{{org_id}}:db:*"];
    json!({"policy": {"resources": resources, "actions": actions, "effect": "allow"}})
}

fn kept(mount: &AstraMount) -> Role {
    let roles = mount.astra.roles(None).unwrap().into_iter();
    let mut kept = roles.filter(|role| role.name.starts_with("vault-"));
    kept.next().unwrap()
}

fn edited(role: &Role, actions: &[&str]) -> Policy {
    Policy {
        actions: actions.iter().map(|&action| action.to_owned()).collect(),
        ..role.policy.clone()
    }
}

/// How often the roles were listed.
fn lists(mount: &AstraMount) -> usize {
    let journal = mount.astra.journal();
    let lists = journal
        .iter()
        .filter(|entry| entry.method == "GET" && entry.path == "/v2/organizations/roles");
    lists.count()
}

async fn read(mount: &AstraMount, path: &str) -> Response {
    let read = mount.call(Operation::Read, path, json!({})).await;
    read.unwrap().unwrap()
}

async fn mint(mount: &AstraMount, role: &str) -> Result<(), Error> {
    let path = format!("creds/{role}");
    mount
        .call(Operation::Read, &path, json!({}))
        .await
        .map(drop)
}

async fn refused(mount: &AstraMount, role: &str) -> String {
    match mint(mount, role).await {
        Err(Error::BadRequest(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_custom_role_that_was_changed_in_astra_is_told_of_and_gets_its_policy_back() {
    let mut mount = AstraMount::configured().await;
    mount.write("roles/dr", policy(&["db-cql"])).await.unwrap();
    mount.tick().await;
    let role = kept(&mount);
    let wider = edited(&role, &["org-token-write", "org-role-write", "db-cql"]);
    mount.astra.edit_role(&role.id, wider.clone()).unwrap();

    let texts = read(&mount, "roles/dr").await.warnings().to_vec();
    assert!(
        texts[0].contains("was changed in Astra and does not grant this policy"),
        "{texts:?}"
    );
    assert!(texts[1].contains("may by now create tokens"), "{texts:?}");
    // Until it is repaired nothing is minted with it.
    let text = refused(&mount, "dr").await;
    assert!(
        text.contains("may create tokens, roles, users or passwords"),
        "{text}"
    );

    // This hour has had its comparison.
    mount.tick().await;
    assert_eq!(kept(&mount).policy.actions, wider.actions);
    mount.advance(Duration::from_secs(3601));
    mount.tick().await;
    assert_eq!(kept(&mount).policy.actions, ["db-cql"]);
    assert_eq!(read(&mount, "roles/dr").await.warnings(), [""; 0]);
    mint(&mount, "dr").await.unwrap();

    // A write sends the policy whatever else it is about.
    mount.astra.edit_role(&role.id, wider).unwrap();
    mount
        .write("roles/dr", json!({"ttl": "30m"}))
        .await
        .unwrap();
    assert_eq!(kept(&mount).policy.actions, ["db-cql"]);
}

#[tokio::test]
async fn the_custom_role_of_a_static_role_gets_its_policy_back() {
    let mut mount = AstraMount::configured().await;
    let mut role = policy(&["db-cql"]);
    role["rotation_period"] = json!("24h");
    mount.write("static-roles/app", role).await.unwrap();
    mount.tick().await;
    let role = kept(&mount);
    let by_hand = Policy {
        description: "by hand".to_owned(),
        ..edited(&role, &["db-*"])
    };
    mount.astra.edit_role(&role.id, by_hand).unwrap();
    mount.advance(Duration::from_secs(3601));
    mount.tick().await;
    assert_eq!(kept(&mount).policy, role.policy);
}

#[tokio::test]
async fn a_custom_role_that_cannot_be_repaired_keeps_no_other_from_it() {
    let mut mount = AstraMount::configured().await;
    let names = ["roles/a", "roles/b", "static-roles/c"];
    for name in names {
        let mut given = policy(&["db-cql"]);
        if name.starts_with("static") {
            given["rotation_period"] = json!(86_400);
        }
        mount.write(name, given).await.unwrap();
    }
    mount.tick().await;
    let own = |mount: &AstraMount| -> Vec<Role> {
        let roles = mount.astra.roles(None).unwrap().into_iter();
        roles
            .filter(|role| role.name.starts_with("vault-"))
            .collect()
    };
    for role in own(&mount) {
        let wider = edited(&role, &["db-cql", "db-rest"]);
        mount.astra.edit_role(&role.id, wider).unwrap();
    }
    let first = own(&mount)
        .into_iter()
        .find(|role| role.name.ends_with("-a"));
    let first = first.unwrap().id;
    let refusal = Fault::Status {
        status: 403,
        body: astra_emulator::fault::FaultBody::String,
        retry_after: None,
        committed: false,
    };
    mount.fault("PUT", &format!("/v2/organizations/roles/{first}"), refusal);
    mount.advance(Duration::from_secs(3601));
    mount.tick().await;
    for role in own(&mount) {
        let is_repaired = role.policy.actions == ["db-cql"];
        assert_eq!(is_repaired, role.id != first, "{}", role.name);
    }
}

/// An organization that hangs, and has something to be finished, keeps no other from its comparison.
#[test]
fn an_organization_that_hangs_does_not_keep_another_from_its_comparison() {
    virtual_time::run(1, async {
        let mut mount = AstraMount::in_virtual_time(Deadlines::default());
        mount
            .write("config", mount.config(json!({})))
            .await
            .unwrap();
        let other = mount.astra.seeds().organizations[1].clone();
        mount.write_config("other", &other.root_token).await;
        let mut there = policy(&["db-cql"]);
        there["config"] = json!("other");
        mount.write("roles/there", there).await.unwrap();
        mount.write("roles/dr", policy(&["db-cql"])).await.unwrap();
        mount.tick().await;
        let role = kept(&mount);
        let wider = edited(&role, &["db-cql", "db-rest"]);
        mount.astra.edit_role(&role.id, wider).unwrap();
        let hangs = FaultRule::new(Fault::Hang { committed: false }).of_org(&other.id);
        mount.astra.add_fault(hangs).unwrap();
        mount.delete("roles/there", json!({})).await.unwrap();
        mount.advance(Duration::from_secs(3601));
        mount.tick().await;
        assert_eq!(kept(&mount).policy.actions, ["db-cql"]);
    });
}

#[tokio::test]
async fn a_role_that_is_being_changed_is_compared_once_that_is_over() {
    let mut mount = AstraMount::configured().await;
    let mut role = policy(&["db-cql"]);
    role["rotation_period"] = json!("24h");
    mount.write("static-roles/app", role).await.unwrap();
    mount.tick().await;
    let role = kept(&mount);
    let by_hand = edited(&role, &["db-table-describe"]);
    mount.astra.edit_role(&role.id, by_hand).unwrap();
    mount.advance(Duration::from_secs(3601));
    // What a rotation of the same tick does.
    let changing = mount.backend.engine.static_roles.lock("app").await;
    let before = lists(&mount);
    let finish = async {
        while lists(&mount) == before {
            tokio::task::yield_now().await;
        }
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        drop(changing);
    };
    tokio::join!(mount.tick(), finish);
    assert_eq!(kept(&mount).policy, role.policy);
}

#[tokio::test]
async fn one_list_an_hour_is_enough_for_all_roles_of_a_config() {
    let mut mount = AstraMount::configured().await;
    for name in ["a", "b", "c"] {
        let path = format!("roles/{name}");
        mount.write(&path, policy(&["db-cql"])).await.unwrap();
    }
    let before = lists(&mount);
    for _ in 0..3 {
        mount.tick().await;
    }
    assert_eq!(lists(&mount) - before, 1);
    mount.advance(Duration::from_secs(3601));
    mount.tick().await;
    assert_eq!(lists(&mount) - before, 2);
}

#[tokio::test]
async fn an_astra_role_that_became_a_token_admin_is_refused_at_the_mint() {
    let mut mount = AstraMount::configured().await;
    let plain = Policy {
        actions: vec!["db-cql".to_owned()],
        ..mount.astra.roles(None).unwrap()[0].policy.clone()
    };
    let team = mount.astra.create_role(None, "Team A", plain).unwrap();
    let role = json!({"astra_roles": "Team A"});
    mount.write("roles/ta", role).await.unwrap();
    let static_role = json!({"astra_roles": "Team A", "rotation_period": "24h"});
    mount.write("static-roles/ts", static_role).await.unwrap();
    mint(&mount, "ta").await.unwrap();
    mount
        .astra
        .edit_role(&team.id, edited(&team, &["org-token-write"]))
        .unwrap();
    mount.tick().await;
    let expected = format!(
        "the Astra role \"Team A\" ({}) may create tokens, roles, users or passwords, so tokens \
         with it could outlive their lease by making others: take those rights from it, choose \
         another one, or set allow_token_admin=true on config \"default\"",
        team.id
    );
    assert_eq!(refused(&mount, "ta").await, expected);
    let rotated = mount.write("rotate-role/ts", json!({})).await;
    assert!(matches!(rotated, Err(Error::BadRequest(text)) if text == expected));
    let texts = read(&mount, "roles/ta").await.warnings().to_vec();
    assert!(texts[0].contains("may by now create tokens"), "{texts:?}");

    // Once the rights are taken back, the next look lets it mint.
    mount
        .astra
        .edit_role(&team.id, edited(&team, &["db-cql"]))
        .unwrap();
    assert_eq!(read(&mount, "roles/ta").await.warnings(), [""; 0]);
    mint(&mount, "ta").await.unwrap();
    mount.advance(Duration::from_secs(1));
}

#[tokio::test]
async fn taking_allow_token_admin_back_ends_the_roles_that_rested_on_it() {
    let mut mount = AstraMount::configured().await;
    let allow = |allowed: bool| json!({"allow_token_admin": allowed});
    mount.write("config", allow(true)).await.unwrap();
    let admin = json!({"astra_roles": "Database Administrator"});
    mount.write("roles/da", admin.clone()).await.unwrap();
    mount
        .write("roles/own", policy(&["org-token-write"]))
        .await
        .unwrap();
    mint(&mount, "da").await.unwrap();
    mount.write("config", allow(false)).await.unwrap();
    for restarted in [false, true] {
        for role in ["da", "own"] {
            let text = refused(&mount, role).await;
            assert!(
                text.contains("set allow_token_admin=true on config \"default\""),
                "{restarted} {text}"
            );
            let again = mount
                .refusal(&format!("roles/{role}"), json!({"ttl": "30m"}))
                .await;
            assert!(
                again.contains("allow_token_admin=true"),
                "{restarted} {again}"
            );
        }
        let again = mount.refusal("roles/da", admin.clone()).await;
        assert!(
            again.starts_with("astra_roles: \"Database Administrator\" may create"),
            "{again}"
        );
        mount.restart();
    }
    mount.write("config", allow(true)).await.unwrap();
    mint(&mount, "da").await.unwrap();
}

#[tokio::test]
async fn astra_roles_that_are_written_again_are_looked_up_again() {
    let mount = AstraMount::configured().await;
    let plain = Policy {
        actions: vec!["db-cql".to_owned()],
        ..mount.astra.roles(None).unwrap()[0].policy.clone()
    };
    let first = mount
        .astra
        .create_role(None, "Team A", plain.clone())
        .unwrap();
    let role = json!({"astra_roles": "Team A"});
    mount.write("roles/ta", role.clone()).await.unwrap();
    mount.astra.delete_role(&first.id).unwrap();
    let second = mount.astra.create_role(None, "Team A", plain).unwrap();
    // The read says that the write helps, and it does.
    let shown = read(&mount, "roles/ta").await;
    assert_eq!(shown.data()["unresolved_astra_roles"], json!(["Team A"]));
    let written = mount.write("roles/ta", role).await.unwrap();
    assert_eq!(warnings(written), [""; 0]);
    let shown = read(&mount, "roles/ta").await;
    assert_eq!(shown.data()["astra_role_ids"], json!([second.id]));
}
