//! `org/token` for callers of the archived engine.

use serde_json::Value;
use serde_json::json;

use super::old_mount::OldMount;
use super::old_mount::Version;
use crate::engine::testing::refused;
use crate::vault::Error;
use crate::vault::HandlerResult;
use crate::vault::Operation;

/// The keys of every answer of the archived engine.
const KEYS: [&str; 7] = [
    "clientId",
    "generatedOn",
    "logicalName",
    "metadata",
    "orgId",
    "roleName",
    "token",
];

impl OldMount {
    async fn ask(&self, operation: Operation, org: &str, mut data: Value) -> HandlerResult {
        data["org_id"] = json!(self.word(org));
        self.inner.call(operation, "org/token", data).await
    }
}

#[tokio::test]
async fn in_sidecar_mode_each_request_mints_under_a_lease() {
    let mount = OldMount::new(Version::Two).await;
    mount
        .inner
        .call(Operation::Update, "import", json!({}))
        .await
        .unwrap();
    let live = mount.inner.live().len();
    for (place, operation) in [Operation::Read, Operation::Read, Operation::Update]
        .into_iter()
        .enumerate()
    {
        let asked = json!({
            "role_name": "API_RO_User", "logical_name": "ignored", "metadata": ["a=b", "c=d"],
        });
        let answer = mount
            .ask(operation, "$ORG_B", asked)
            .await
            .unwrap()
            .unwrap();
        let data = answer.data();
        assert_eq!(data.keys().collect::<Vec<_>>(), KEYS);
        assert_eq!(
            (&data["orgId"], &data["roleName"], &data["logicalName"]),
            (
                &json!(mount.word("$ORG_B")),
                &json!("api_ro_user"),
                &json!("")
            )
        );
        assert_eq!(data["metadata"], json!({"a": "b", "c": "d"}));
        assert!(
            data["generatedOn"].as_str().unwrap().ends_with('Z'),
            "{data:?}"
        );
        assert!(
            answer.warnings()[0]
                .starts_with("astra/org/token is deprecated: read astra/creds/api_ro_user-")
        );
        assert_eq!(mount.inner.live().len(), live + place + 1);
        let lease = answer.lease().unwrap();
        assert!(lease.renewable && lease.ttl.as_secs() == 86_400);
        assert_eq!(lease.internal_data["clientId"], data["clientId"]);
    }
    assert_eq!(
        mount.inner.read("import").await.unwrap()["org_token_uses"],
        3
    );
}

#[tokio::test]
async fn in_standard_mode_a_write_mints_and_a_read_shows_what_is_stored() {
    for version in [Version::Two, Version::One] {
        let mount = OldMount::new(version).await;
        mount
            .inner
            .call(Operation::Update, "import", json!({}))
            .await
            .unwrap();
        let live = mount.inner.live().len();
        for asked in [
            json!({"role_name": "api_ro_user", "logical_name": "APP1"}),
            json!({"client_id": mount.word("$ID_STANDARD")}),
        ] {
            let answer = mount
                .ask(Operation::Read, "$ORG_A", asked)
                .await
                .unwrap()
                .unwrap();
            assert!(answer.lease().is_none());
            let data = answer.data();
            assert_eq!(data.keys().collect::<Vec<_>>(), KEYS);
            assert_eq!(
                (&data["token"], &data["logicalName"], &data["roleName"]),
                (
                    &json!(mount.word("$TOKEN_STANDARD")),
                    &json!("app1"),
                    &json!("api_ro_user")
                )
            );
            assert!(data["metadata"].is_object());
            assert!(answer.warnings()[0].contains("org/token is deprecated"));
        }
        assert_eq!(mount.inner.live().len(), live, "a read mints nothing");
        let named = json!({"role_name": "api_ro_user", "logical_name": "app2"});
        for _ in 0..2 {
            let answer = mount
                .ask(Operation::Update, "$ORG_A", named.clone())
                .await
                .unwrap()
                .unwrap();
            assert_eq!(answer.data()["logicalName"], "app2");
            assert!(answer.lease().is_some());
        }
        assert_eq!(
            mount.inner.live().len(),
            live + 2,
            "each write is a token of its own"
        );
        // What was minted now is not stored, and neither is what Astra refused.
        for asked in [
            named,
            json!({"role_name": "api_ro_user", "logical_name": "empty"}),
            json!({"client_id": mount.word("$ID_SIDECAR")}),
        ] {
            let text = refused(mount.ask(Operation::Read, "$ORG_A", asked).await);
            assert!(text.contains("read astra/static-creds/<name>"), "{text}");
        }
    }
}

#[tokio::test]
async fn what_was_not_imported_or_not_given_is_refused() {
    let mount = OldMount::new(Version::Two).await;
    let asked = || json!({"role_name": "api_ro_user", "logical_name": "x"});
    // Before an import there is no such path, and after the end.
    let outcome = mount.ask(Operation::Read, "$ORG_B", asked()).await;
    assert_eq!(outcome.err(), Some(Error::UnsupportedPath));
    let names = json!({mount.fill("$ORG_B:api_ro_user"): ""});
    mount
        .inner
        .call(Operation::Update, "import", json!({"names": names}))
        .await
        .unwrap();
    let live = mount.inner.live();
    for operation in [Operation::Read, Operation::Update] {
        let text = refused(mount.ask(operation.clone(), "$ORG_B", asked()).await);
        assert_eq!(
            text,
            "role \"api_ro_user\" was not imported: import it, or read creds/ of another role"
        );
        let text = refused(mount.ask(operation.clone(), "$ORG_A", json!({})).await);
        assert_eq!(text, "please provide a role_name argument");
        let text = refused(
            mount
                .ask(operation.clone(), "$ORG_A", json!({"role_name": "a:b"}))
                .await,
        );
        assert_eq!(text, "please provide a logical_name argument");
        let missing = json!({"org_id": "missing", "role_name": "x"});
        let text = refused(
            mount
                .inner
                .call(operation.clone(), "org/token", missing)
                .await,
        );
        assert!(
            text.starts_with("the config of organization missing was not imported"),
            "{text}"
        );
        let text = refused(mount.inner.call(operation, "org/token", json!({})).await);
        assert_eq!(text, "please provide an org_id argument");
    }
    // A role that was written later is not reachable here, and one that needs a reason is for creds.
    mount
        .inner
        .write(
            "roles/new",
            json!({"config": "prod", "astra_roles": "API RO User"}),
        )
        .await
        .unwrap();
    let new = json!({"role_name": "new", "logical_name": "x"});
    assert!(
        refused(mount.ask(Operation::Update, "$ORG_A", new).await).contains("was not imported")
    );
    mount
        .inner
        .write("roles/a_b", json!({"require_reason": true}))
        .await
        .unwrap();
    let text = refused(
        mount
            .ask(
                Operation::Update,
                "$ORG_A",
                json!({"role_name": "a:b", "logical_name": "x"}),
            )
            .await,
    );
    assert!(
        text.contains("vault read astra/creds/a_b reason="),
        "{text}"
    );
    assert_eq!(mount.inner.live(), live, "nothing was minted");
    mount
        .inner
        .call(
            Operation::Update,
            "import",
            json!({"finish": true, "force": true}),
        )
        .await
        .unwrap();
    let outcome = mount.ask(Operation::Update, "$ORG_A", asked()).await;
    assert_eq!(outcome.err(), Some(Error::UnsupportedPath));
}

#[tokio::test]
async fn a_node_that_may_not_write_forwards_before_anything() {
    let mut mount = OldMount::new(Version::Two).await;
    for is_imported in [false, true] {
        if is_imported {
            mount
                .inner
                .call(Operation::Update, "import", json!({}))
                .await
                .unwrap();
        }
        mount.inner.system.replication_state = crate::vault::ReplicationState(64);
        mount.inner.restart();
        for operation in [Operation::Read, Operation::Update] {
            let outcome = mount
                .ask(operation, "$ORG_B", json!({"role_name": "api_ro_user"}))
                .await;
            assert_eq!(outcome.err(), Some(Error::ReadOnly));
        }
        mount.inner.system = crate::vault::memory::FixedSystem::default();
        mount.inner.restart();
    }
}
