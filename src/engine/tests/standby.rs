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
        let mut bench = AstraMount::mounted().await;
        let issued = bench.mint("reader").await.unwrap();
        bench.system.replication_state = ReplicationState(bits);
        bench.restart();
        let requests = bench.astra.journal().len();
        let writes = bench.storage.operations().puts;
        let config = bench.config(json!({}));
        let role = json!({"astra_roles": "API RO User"});
        let forwarded = [
            bench.call(Operation::Read, "creds/reader", json!({})).await,
            bench.call(Operation::Update, "config", config).await,
            bench.call(Operation::Update, "roles/reader", role).await,
            bench.call(Operation::Update, "tidy", json!({})).await,
            bench.delete("config", json!({"force": true})).await,
            bench.delete("roles/reader", json!({})).await,
            bench.revoke(&issued).await,
            bench.renew(&issued).await,
        ];
        for (place, outcome) in forwarded.into_iter().enumerate() {
            assert_eq!(outcome.err(), Some(Error::ReadOnly), "{place} with {bits}");
        }
        bench.tick().await;
        assert_eq!(bench.astra.journal().len(), requests);
        assert_eq!(bench.storage.operations().puts, writes);
        // What is only read is answered here.
        assert!(bench.read("config").await.is_some());
        assert!(bench.read("roles/reader").await.is_some());
        assert_eq!(bench.astra.journal().len(), requests);
        bench.assert_clean(&[&issued], "nothing happened");
    }
}

#[tokio::test]
async fn a_local_mount_of_a_secondary_writes() {
    let mut bench = AstraMount::mounted().await;
    bench.system.replication_state = ReplicationState(64);
    bench.system.local_mount = true;
    bench.restart();
    let issued = bench.mint("reader").await.unwrap();
    let request = on_lease(Operation::Revoke, &issued);
    assert!(bench.handle(request).await.unwrap().is_none());
    bench.assert_clean(&[], "minted and revoked");
}
