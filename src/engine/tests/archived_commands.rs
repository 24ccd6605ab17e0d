//! Commands of the archived Go engine on the path `config` change and show nothing.

use serde_json::json;

use crate::engine::testing::AstraMount;
use crate::engine::testing::refused;
use crate::vault::Entry;
use crate::vault::Operation;
use crate::vault::Storage;

/// All that is stored, sorted by key.
async fn stored(mount: &AstraMount) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for key in mount.storage.keys() {
        let Entry { value, .. } = mount.storage.get(&key).await.unwrap().unwrap();
        all.push((key, value));
    }
    all
}

#[tokio::test]
async fn nothing_of_another_organization_is_read_changed_or_deleted() {
    let mount = AstraMount::new().await;
    let orgs = mount.astra.seeds().organizations;
    let (own, other) = (&orgs[0], &orgs[2]);
    let old_write = json!({
        "org_id": other.id, "astra_token": other.root_token, "url": mount.astra.url(),
        "logical_name": "prod", "caller_mode": "sidecar"
    });
    let shown = json!({"org_id": other.id});
    let named = json!({"logical_name": "prod"});
    let unset = json!({"org_id": ""});
    for is_configured in [false, true] {
        if is_configured {
            let config = mount.config(json!({}));
            mount.write("config", config).await.unwrap();
        }
        let before = stored(&mount).await;
        let requests = mount.astra.journal().len();
        for (operation, data, start) in [
            (Operation::Read, &shown, "org_id: config"),
            (Operation::Read, &named, "logical_name is a parameter"),
            (Operation::Read, &unset, "org_id: config"),
            (Operation::Update, &old_write, "astra_token is a parameter"),
            (Operation::Create, &old_write, "astra_token is a parameter"),
            (Operation::Patch, &old_write, "astra_token is a parameter"),
            (Operation::Delete, &shown, "org_id: config"),
            (Operation::Delete, &unset, "org_id: config"),
        ] {
            for path in ["config", "config/default"] {
                let text = refused(mount.call(operation.clone(), path, data.clone()).await);
                assert!(text.starts_with(start), "{operation:?} {data}: {text}");
                let command = match operation {
                    Operation::Read => "vault read astra/config/<name>",
                    Operation::Delete => "vault delete astra/config/<name>",
                    _ => "vault write astra/config/<name> token=…",
                };
                assert!(text.contains(command), "{text}");
                assert!(!text.contains(&other.root_token), "{text}");
            }
        }
        // A deletion takes no parameter that it does not know.
        let deletion = mount.call(Operation::Delete, "config", named.clone());
        let text = refused(deletion.await);
        assert!(text.contains("logical_name"), "{text}");
        assert_eq!(stored(&mount).await, before, "nothing is changed");
        assert_eq!(mount.astra.journal().len(), requests, "nothing is asked");
    }
    // The config's own organization may be named, in any case.
    let own_id = own.id.to_uppercase();
    let data = json!({"org_id": own_id});
    let read = mount.call(Operation::Read, "config", data.clone()).await;
    assert_eq!(read.unwrap().unwrap().data()["org_id"], own.id);
    mount.delete("config", data).await.unwrap();
    assert!(mount.read("config").await.is_none());
}
