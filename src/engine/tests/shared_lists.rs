//! Configs of one organization list its tokens together, whatever the list is for.

use serde_json::json;

use crate::engine::testing::AstraMount;
use crate::engine::testing::READER;

const CONFIGS: usize = 12;

/// A mount with many configs of one organization, each with a root token of its own and a role.
async fn mount() -> AstraMount {
    let mount = AstraMount::new().await;
    for number in 0..CONFIGS {
        let token = mount.another_root_token();
        mount
            .write_config(&format!("config-{number}"), &token)
            .await;
        let role = json!({"astra_roles": READER, "config": format!("config-{number}")});
        mount
            .write(&format!("roles/role-{number}"), role)
            .await
            .unwrap();
    }
    mount
}

async fn mint_from_each(mount: &AstraMount) {
    for number in 0..CONFIGS {
        mount.mint(&format!("role-{number}")).await.unwrap();
    }
}

/// How many lists of tokens `work` asks for.
async fn lists(mount: &AstraMount, work: impl Future<Output = ()>) -> usize {
    mount.astra.clear_journal();
    work.await;
    let journal = mount.astra.journal().into_iter();
    journal
        .filter(|entry| entry.method == "GET" && entry.path == "/v2/clientIdSecrets")
        .count()
}

#[tokio::test]
async fn a_tick_clears_up_all_configs_of_an_organization_from_few_lists() {
    let mut mount = mount().await;
    mint_from_each(&mount).await;
    // Answers that are lost with the process: no caller has those tokens.
    mount.restart();
    let before = mount.astra.live_tokens().len();
    let reset = mount.fault(
        "POST",
        "/v2/clientIdSecrets",
        astra_emulator::Fault::ResetAfterCommit {},
    );
    for number in 0..CONFIGS {
        let _ = mount.mint(&format!("role-{number}")).await;
    }
    mount.astra.remove_fault(reset).unwrap();
    mount.restart();
    // Those who ask while a list runs share the next.
    let listed = lists(&mount, mount.tick()).await;
    assert!(
        (1..=3).contains(&listed),
        "{listed} lists for {CONFIGS} configs"
    );
    assert_eq!(mount.astra.live_tokens().len(), before);
    assert_eq!(mount.astra.invariants().orphans, 0);
}

#[tokio::test]
async fn tokens_of_all_configs_are_counted_from_few_lists() {
    let mount = mount().await;
    mint_from_each(&mount).await;
    mount.mint("role-3").await.unwrap();
    mount.read_data("metrics").await;
    let listed = lists(&mount, mount.tick()).await;
    assert!(
        (1..=3).contains(&listed),
        "{listed} lists for {CONFIGS} configs"
    );
    let metrics = mount.read_data("metrics").await;
    let text = metrics["http_raw_body"].as_str().unwrap().to_owned();
    for number in 0..CONFIGS {
        let count = 1 + usize::from(number == 3);
        let line = format!("astra_live_lease_tokens{{config=\"config-{number}\"}} {count}");
        assert!(text.contains(&line), "{line}");
    }
}
