//! A node that may not write forwards, and asks nothing of Astra.

use serde_json::json;

use crate::engine::testing::AstraMount;
use crate::engine::testing::on_lease;
use crate::vault::Error;
use crate::vault::Operation;
use crate::vault::ReplicationState;

/// Performance standby, DR secondary, performance secondary (docs/internals/protocol.md,
/// "Replication state").
const MAY_NOT_WRITE: [i32; 3] = [16_384, 512, 64];

#[tokio::test]
async fn every_side_effect_is_forwarded_before_astra_is_asked() {
    for bits in MAY_NOT_WRITE {
        let mut mount = AstraMount::mounted().await;
        let issued = mount.mint("reader").await.unwrap();
        mount.system.replication_state = ReplicationState(bits);
        mount.restart();
        let requests = mount.astra.journal().len();
        let writes = mount.storage.operations().puts;
        let config = mount.config(json!({}));
        let role = json!({"astra_roles": "API RO User"});
        let forwarded = [
            mount.call(Operation::Read, "creds/reader", json!({})).await,
            mount.call(Operation::Update, "config", config).await,
            mount.call(Operation::Update, "roles/reader", role).await,
            mount.call(Operation::Update, "tidy", json!({})).await,
            mount.delete("config", json!({"force": true})).await,
            mount.delete("roles/reader", json!({})).await,
            mount.revoke(&issued).await,
            mount.renew(&issued).await,
        ];
        for (place, outcome) in forwarded.into_iter().enumerate() {
            assert_eq!(outcome.err(), Some(Error::ReadOnly), "{place} with {bits}");
        }
        mount.tick().await;
        assert_eq!(mount.astra.journal().len(), requests);
        assert_eq!(mount.storage.operations().puts, writes);
        // What is only read is answered here.
        assert!(mount.read("config").await.is_some());
        assert!(mount.read("roles/reader").await.is_some());
        assert_eq!(mount.astra.journal().len(), requests);
        mount.assert_clean(&[&issued], "nothing happened");
    }
}

#[tokio::test]
async fn a_local_mount_of_a_secondary_writes() {
    let mut mount = AstraMount::mounted().await;
    mount.system.replication_state = ReplicationState(64);
    mount.system.local_mount = true;
    mount.restart();
    let issued = mount.mint("reader").await.unwrap();
    let request = on_lease(Operation::Revoke, &issued);
    assert!(mount.handle(request).await.unwrap().is_none());
    mount.assert_clean(&[], "minted and revoked");
}
