//! Changes of a custom role that hung, were given up, and take effect later.

use std::time::Duration;

use astra_emulator::Fault;
use astra_emulator::Policy;
use astra_emulator::Role;
use astra_emulator::fault::FaultBody;
use serde_json::Value;
use serde_json::json;

use crate::engine::Deadlines;
use crate::engine::testing::AstraMount;
use crate::engine::testing::virtual_time;
use crate::engine::testing::warnings;
use crate::vault::Storage;
use crate::vault::memory::WriteFault;

const ONE_ROLE: &str = "/v2/organizations/roles/*";

fn policy(actions: &[&str]) -> Value {
    let resources = ["drn:astra:org:{{org_id}}:db:*"];
    json!({"policy": {"resources": resources, "actions": actions, "effect": "allow"}})
}

/// The custom roles that this mount keeps.
fn kept(mount: &AstraMount) -> Vec<Role> {
    let roles = mount.astra.roles(None).unwrap().into_iter();
    roles
        .filter(|role| role.name.starts_with("vault-"))
        .collect()
}

fn notes(mount: &AstraMount) -> Vec<String> {
    let keys = mount.storage.keys().into_iter();
    keys.filter(|key| key.starts_with("v1/custom-role/"))
        .collect()
}

/// The newest nonce of `kind` in the only note.
async fn newest(mount: &AstraMount, kind: &str) -> String {
    let [key] = notes(mount).try_into().unwrap();
    let entry = mount.storage.get(&key).await.unwrap().unwrap();
    let note: Value = serde_json::from_slice(&entry.value).unwrap();
    let nonces = note[kind].as_array().unwrap();
    nonces.last().unwrap().as_str().unwrap().to_owned()
}

async fn mounted() -> AstraMount {
    let mount = AstraMount::in_virtual_time(Deadlines::default());
    let config = mount.config(json!({}));
    mount.write("config", config).await.unwrap();
    mount
}

/// A write of the role whose change hangs until its deadline.
async fn hung_write(mount: &AstraMount, actions: &[&str]) {
    mount.fault("PUT", ONE_ROLE, Fault::Hang { committed: false });
    let outcome = mount.write("roles/app", policy(actions)).await;
    assert!(outcome.is_err());
    mount.astra.clear_faults();
}

/// The change with `nonce` takes effect.
fn carry_out(mount: &AstraMount, role: &Role, nonce: &str, actions: &[&str]) {
    let description = &role.policy.description;
    let (mount_id, _) = description.rsplit_once(':').unwrap();
    let late = Policy {
        description: format!("{mount_id}:{nonce} Kept by Vault for role app"),
        actions: actions.iter().map(|&action| action.to_owned()).collect(),
        ..role.policy.clone()
    };
    mount.astra.edit_role(&role.id, late).unwrap();
}

#[test]
fn an_earlier_try_to_take_a_lost_custom_role_is_known_when_it_takes_effect() {
    virtual_time::run(1, async {
        let mount = mounted().await;
        // Its create is never stored.
        mount
            .storage
            .set_write_fault(Some(WriteFault::refuse_puts_after(1)));
        assert!(mount.write("roles/app", policy(&["db-cql"])).await.is_err());
        mount.storage.set_write_fault(None);
        let [lost] = kept(&mount).try_into().unwrap();
        let wide = ["db-cql", "db-rest"];
        hung_write(&mount, &wide).await;
        let nonce = newest(&mount, "creates").await;
        mount
            .write("roles/app", policy(&["db-rest"]))
            .await
            .unwrap();
        assert_eq!(kept(&mount)[0].policy.actions, ["db-rest"]);

        carry_out(&mount, &lost, &nonce, &wide);
        mount.tick().await;
        tokio::time::sleep(Duration::from_secs(3_601)).await;
        mount.tick().await;
        let [role] = kept(&mount).try_into().unwrap();
        assert_eq!(
            (role.id, role.policy.actions),
            (lost.id.clone(), vec!["db-rest".to_owned()])
        );
        assert_eq!(notes(&mount), Vec::<String>::new());

        // It goes with its role, whichever change was the last.
        carry_out(&mount, &lost, &nonce, &wide);
        let deleted = mount.delete("roles/app", json!({})).await.unwrap();
        assert_eq!(warnings(deleted), [""; 0]);
        assert_eq!(kept(&mount), []);
    });
}

/// A create that hung may make another custom role than the one that was taken.
#[test]
fn a_create_that_hung_is_looked_for_after_another_lost_one_was_taken() {
    virtual_time::run(1, async {
        let mount = mounted().await;
        let hang = Fault::Hang { committed: false };
        mount.fault("POST", "/v2/organizations/roles", hang);
        let outcome = mount.write("roles/app", policy(&["db-cql"])).await;
        assert!(outcome.is_err());
        mount.astra.clear_faults();
        let nonce = newest(&mount, "creates").await;
        mount
            .storage
            .set_write_fault(Some(WriteFault::refuse_puts_after(1)));
        let outcome = mount.write("roles/app", policy(&["db-cql"])).await;
        assert!(outcome.is_err());
        mount.storage.set_write_fault(None);
        mount.write("roles/app", policy(&["db-cql"])).await.unwrap();
        let [own] = kept(&mount).try_into().unwrap();
        let late = Policy {
            description: format!("vault:0123456789ab:{nonce} late"),
            ..own.policy.clone()
        };
        mount.astra.create_role(None, "vault-late", late).unwrap();
        mount.tick().await;
        assert_eq!(kept(&mount), [own]);
        tokio::time::sleep(Duration::from_secs(121)).await;
        mount.tick().await;
        mount.tick().await;
        assert_eq!(notes(&mount), Vec::<String>::new());
    });
}

#[test]
fn a_custom_role_that_gets_rights_back_after_it_was_emptied_is_emptied_again() {
    virtual_time::run(1, async {
        let mount = mounted().await;
        mount.write("roles/app", policy(&["db-cql"])).await.unwrap();
        let [role] = kept(&mount).try_into().unwrap();
        hung_write(&mount, &["db-rest"]).await;
        let nonce = newest(&mount, "updates").await;
        mount.fault("DELETE", ONE_ROLE, forbidden());
        let deleted = mount.delete("roles/app", json!({})).await.unwrap();
        assert!(warnings(deleted)[0].contains("It grants nothing any more"));
        let empty = kept(&mount)[0].policy.clone();
        assert_ne!(empty.resources, role.policy.resources);

        carry_out(&mount, &role, &nonce, &["db-rest"]);
        mount.tick().await;
        assert_eq!(kept(&mount)[0].policy, empty);
        let puts = mount.requests("PUT", "/");
        mount.tick().await;
        assert_eq!(mount.requests("PUT", "/"), puts, "once is enough");
        mount.astra.clear_faults();
        mount.tick().await;
        assert_eq!(kept(&mount), []);
        assert_eq!(notes(&mount), Vec::<String>::new());
    });
}

/// A root token that may neither delete nor change it is given the rights only after many ticks.
#[test]
fn a_custom_role_that_could_not_be_emptied_for_long_still_counts_as_its_own() {
    virtual_time::run(1, async {
        let mount = mounted().await;
        mount.write("roles/app", policy(&["db-cql"])).await.unwrap();
        for method in ["DELETE", "PUT"] {
            mount.fault(method, ONE_ROLE, forbidden());
        }
        let deleted = mount.delete("roles/app", json!({})).await.unwrap();
        assert!(warnings(deleted)[0].contains("keeps its rights"));
        for _ in 0..20 {
            mount.tick().await;
        }
        assert_eq!(kept(&mount).len(), 1);
        mount.astra.clear_faults();
        mount.tick().await;
        assert_eq!(kept(&mount), []);
    });
}

#[test]
fn a_custom_role_still_counts_as_its_own_after_many_refused_writes() {
    virtual_time::run(1, async {
        let mount = mounted().await;
        mount.write("roles/app", policy(&["db-cql"])).await.unwrap();
        mount.fault("PUT", ONE_ROLE, forbidden());
        for _ in 0..20 {
            let outcome = mount.write("roles/app", policy(&["db-rest"])).await;
            assert!(outcome.is_err());
        }
        mount.astra.clear_faults();
        let deleted = mount.delete("roles/app", json!({})).await.unwrap();
        assert_eq!(warnings(deleted), [""; 0]);
        assert_eq!(kept(&mount), []);
    });
}

/// A change that happened although its answer was lost is undone, however many others were refused since.
#[test]
fn a_lost_change_is_undone_after_many_refused_writes() {
    virtual_time::run(1, async {
        for deletes in [false, true] {
            let mount = mounted().await;
            mount.write("roles/app", policy(&["db-cql"])).await.unwrap();
            let wide = ["db-cql", "db-rest"];
            mount.fault_once("PUT", ONE_ROLE, page(403, true));
            assert!(mount.write("roles/app", policy(&wide)).await.is_err());
            mount.fault("PUT", ONE_ROLE, forbidden());
            for _ in 0..20 {
                let outcome = mount.write("roles/app", policy(&["db-rest"])).await;
                assert!(outcome.is_err());
            }
            // Refused ticks do not forget what Astra shows either.
            for _ in 0..3 {
                mount.tick().await;
                tokio::time::sleep(Duration::from_secs(121)).await;
            }
            assert_eq!(kept(&mount)[0].policy.actions, wide);
            mount.astra.clear_faults();
            if deletes {
                let deleted = mount.delete("roles/app", json!({})).await.unwrap();
                assert_eq!(warnings(deleted), [""; 0]);
                assert_eq!(kept(&mount), []);
            } else {
                mount.tick().await;
                assert_eq!(kept(&mount)[0].policy.actions, ["db-cql"]);
            }
        }
    });
}

#[test]
fn a_change_that_hung_is_undone_by_the_next_tick_after_another_write() {
    virtual_time::run(1, async {
        let mount = mounted().await;
        mount.write("roles/app", policy(&["db-cql"])).await.unwrap();
        let [role] = kept(&mount).try_into().unwrap();
        // The hourly comparison is not what sees it.
        mount.tick().await;
        let wide = ["db-cql", "db-rest"];
        hung_write(&mount, &wide).await;
        let nonce = newest(&mount, "updates").await;
        mount
            .write("roles/app", policy(&["db-rest"]))
            .await
            .unwrap();
        carry_out(&mount, &role, &nonce, &wide);
        mount.tick().await;
        assert_eq!(kept(&mount)[0].policy.actions, ["db-rest"]);
        tokio::time::sleep(Duration::from_secs(121)).await;
        mount.tick().await;
        assert_eq!(notes(&mount), Vec::<String>::new());
    });
}

/// Tokens may hold a custom role that was given up: it is not taken for one whose create was lost.
#[test]
fn a_custom_role_that_was_given_up_is_not_taken_for_a_lost_one() {
    virtual_time::run(1, async {
        let mount = mounted().await;
        // The note of its create stays, as it cannot be removed.
        mount.storage.set_write_fault(Some(WriteFault {
            prefix: "v1/custom-role/".to_owned(),
            after: 1,
            deletions: true,
            once: true,
            ..WriteFault::default()
        }));
        mount.write("roles/app", policy(&["db-cql"])).await.unwrap();
        assert_eq!(notes(&mount).len(), 1);
        let [first] = kept(&mount).try_into().unwrap();
        mount.mint("app").await.unwrap();
        mount.fault("DELETE", ONE_ROLE, Fault::ResetBeforeCommit {});
        mount.delete("roles/app", json!({})).await.unwrap();
        mount
            .write("roles/app", policy(&["org-db-view"]))
            .await
            .unwrap();
        let there = kept(&mount);
        let [former, next] = &there[..] else {
            panic!("{there:?}");
        };
        assert_eq!((&former.id, &former.policy), (&first.id, &first.policy));
        assert_eq!(next.policy.actions, ["org-db-view"]);
        mount.astra.clear_faults();
        mount.tick().await;
        assert_eq!(kept(&mount), std::slice::from_ref(next));
    });
}

/// What cannot be done for one custom role of a note keeps nothing from another.
#[test]
fn a_custom_role_that_was_given_up_goes_although_another_cannot_be_changed() {
    virtual_time::run(1, async {
        let mount = mounted().await;
        mount.write("roles/app", policy(&["db-cql"])).await.unwrap();
        let [first] = kept(&mount).try_into().unwrap();
        mount.fault("DELETE", ONE_ROLE, Fault::ResetBeforeCommit {});
        mount.delete("roles/app", json!({})).await.unwrap();
        mount
            .write("roles/app", policy(&["db-rest"]))
            .await
            .unwrap();
        mount.fault_once("PUT", ONE_ROLE, page(403, true));
        let outcome = mount.write("roles/app", policy(&["db-cql"])).await;
        assert!(outcome.is_err());
        mount.astra.clear_faults();
        mount.fault("PUT", ONE_ROLE, forbidden());
        mount.tick().await;
        let left = kept(&mount);
        assert!(left.iter().all(|role| role.id != first.id), "{left:?}");
        assert_eq!(left.len(), 1);
    });
}

/// Astra need not know at once what it has made: that it does not is no evidence.
#[test]
fn a_new_custom_role_that_astra_does_not_know_yet_is_deleted_later() {
    virtual_time::run(1, async {
        // Nor does the next process know what its predecessor has made.
        for restarts in [false, true] {
            let mut mount = mounted().await;
            let late = json!({"role_visible_after_ms": 20_000});
            mount.astra.set_knobs(late).unwrap();
            tokio::time::sleep(Duration::from_secs(300)).await;
            mount.write("roles/app", policy(&["db-cql"])).await.unwrap();
            if restarts {
                mount.restart();
            }
            mount.delete("roles/app", json!({})).await.unwrap();
            assert_eq!(kept(&mount).len(), 1);
            tokio::time::sleep(Duration::from_secs(60)).await;
            mount.tick().await;
            assert_eq!(kept(&mount), [], "{restarts}");
            assert_eq!(notes(&mount), Vec::<String>::new());
        }
    });
}

fn page(status: u16, committed: bool) -> Fault {
    Fault::Status {
        status,
        body: FaultBody::Html,
        retry_after: None,
        committed,
    }
}

fn forbidden() -> Fault {
    Fault::Status {
        status: 403,
        body: FaultBody::String,
        retry_after: None,
        committed: false,
    }
}
