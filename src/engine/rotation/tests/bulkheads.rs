//! An organization that does not answer costs the others nothing.

use std::time::Duration;

use astra_emulator::Emulator;
use astra_emulator::Fault;
use astra_emulator::FaultRule;
use astra_emulator::Options;

use tokio::time::Instant;

use super::*;
use crate::engine::Deadlines;
use crate::engine::testing::READER;
use crate::engine::testing::virtual_time;
use crate::engine::testing::warnings;
use crate::vault::Operation;

/// More than one config's share of static roles at once.
const STATIC_ROLES: usize = 6;

fn hang() -> Fault {
    Fault::Latency {
        ms: 3_600_000,
        max_ms: None,
        at: Default::default(),
    }
}

async fn static_role(mount: &AstraMount, config: &str, name: &str) {
    let role = json!({"config": config, "astra_roles": READER, "rotation_period": 60});
    let path = format!("static-roles/{name}");
    mount.write(&path, role).await.unwrap();
}

async fn token_of(mount: &AstraMount, name: &str) -> String {
    let read = mount.read_data(&format!("static-creds/{name}")).await;
    read["client_id"].as_str().unwrap().to_owned()
}

/// In another service than `mount`: a config and static roles that are due, and the root token of a
/// deleted config that is still to be deleted.
async fn other_service(mount: &AstraMount) -> Emulator {
    let options = Options {
        // Of its own, as two services never have the same tokens.
        seed: 7,
        ..Options::default()
    };
    let other = Emulator::start(options).await.unwrap();
    let organizations = other.seeds().organizations;
    let config = |organization: usize| {
        json!({
            "token": organizations[organization].root_token, "url": other.url(),
            "rotation_period": 60,
        })
    };
    mount.write("config/a-slow", config(0)).await.unwrap();
    for number in 0..STATIC_ROLES {
        static_role(mount, "a-slow", &format!("slow-{number}")).await;
    }
    mount.write("config/gone", config(1)).await.unwrap();
    mount.write("rotate-root/gone", json!({})).await.unwrap();
    let rule = FaultRule::new(refused(403)).on("DELETE", "*");
    let refusal = other.add_fault(rule).unwrap();
    mount
        .call(Operation::Delete, "config/gone", json!({"force": true}))
        .await
        .unwrap();
    other.remove_fault(refusal).unwrap();
    other
}

#[tokio::test]
async fn an_organization_that_hangs_holds_up_no_other() {
    let mut mount = AstraMount::configured().await;
    let token = mount.astra.root_token();
    let mut config = mount.config(json!({"token": &token}));
    config["rotation_period"] = 60.into();
    mount.write("config", config).await.unwrap();
    static_role(&mount, "default", "well").await;
    let other = other_service(&mount).await;
    let (root, well) = (root_of(&mount).await, token_of(&mount, "well").await);
    mount.advance(Duration::from_secs(61));
    other.add_fault(FaultRule::new(hang())).unwrap();

    let others_work = async {
        // Deleted, rotated and written while the tick waits for the other service.
        while root_of(&mount).await == root || token_of(&mount, "well").await == well {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let unknown = mount.write("rotate-root/unknown", json!({})).await;
        assert!(
            unknown
                .err()
                .unwrap()
                .to_string()
                .contains("\"unknown\" does not exist")
        );
        let second =
            mount.config(json!({"token": &mount.astra.seeds().organizations[1].root_token}));
        mount.write("config/second", second).await.unwrap();
        mount.write("rotate-root/second", json!({})).await.unwrap();
        let delete = mount.call(Operation::Delete, "config/second", json!({}));
        delete.await.unwrap();
    };
    tokio::select! {
        biased;
        () = mount.tick() => panic!("the tick is over, and the other organization had not its \
            turn"),
        () = others_work => {}
    }
    assert!(other.journal().len() > STATIC_ROLES, "nothing hung");
}

/// Metrics are counted in an organization that hangs: a rotation does not wait for that.
#[test]
fn counting_for_metrics_keeps_no_other_configs_root_token_in_use() {
    virtual_time::run(1, async {
        let mount = AstraMount::in_virtual_time(Deadlines::default());
        mount.mount().await;
        let orgs = mount.astra.seeds().organizations;
        mount.write_config("slow", &orgs[1].root_token).await;
        mount.read_data("metrics").await;
        let hangs = FaultRule::new(hang()).of_org(&orgs[1].id);
        mount.astra.add_fault(hangs).unwrap();
        let rotation = async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            let began = Instant::now();
            mount.write("rotate-root/default", json!({})).await.unwrap();
            let first = root_of(&mount).await;
            let rotated = mount.write("rotate-root/default", json!({})).await.unwrap();
            assert_eq!(warnings(rotated), [""; 0]);
            assert!(!mount.is_live(&first));
            assert!(began.elapsed() < Duration::from_secs(8));
        };
        tokio::join!(mount.tick(), rotation);
    });
}
