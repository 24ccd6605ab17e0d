//! Renew, revoke, rollback and the other calls that have no path.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use super::shelf::declared;
use super::shelf::framework;
use crate::framework::Call;
use crate::framework::testing::Shelf;
use crate::framework::testing::builder;
use crate::framework::testing::lease_request;
use crate::framework::testing::now;
use crate::framework::testing::request;
use crate::vault::Backend;
use crate::vault::Error;
use crate::vault::Operation;

#[test]
fn a_lease_knows_its_kind() {
    let response =
        now(framework().handle(request(Operation::Read, "loans/moby", json!({"ttl": "90"}))))
            .unwrap()
            .unwrap();
    let lease = response.lease().unwrap();
    assert_eq!(
        Value::Object(lease.internal_data.clone()),
        json!({"secret_type": "loan", "name": "moby"})
    );
    assert_eq!(
        (lease.ttl, lease.max_ttl),
        (Duration::from_secs(90), Duration::from_secs(600))
    );
    assert!(lease.renewable);
}

#[test]
fn leases_are_renewed_and_keep_their_kind() {
    let framework = framework();
    let internal = json!({"secret_type": "loan", "name": "moby"});
    let response = now(framework.handle(lease_request(Operation::Renew, internal.clone())))
        .unwrap()
        .unwrap();
    assert_eq!(
        Value::Object(response.lease().unwrap().internal_data.clone()),
        internal
    );
    assert_eq!(framework.engine.notes(), ["renew"]);
}

#[test]
fn leases_are_revoked_whatever_their_path() {
    let framework = framework();
    for kind in ["loan", "gift"] {
        let mut request = lease_request(Operation::Revoke, json!({ "secret_type": kind }));
        request.path = "a/path/of/an/older/version".to_owned();
        assert!(now(framework.handle(request)).unwrap().is_none());
    }
    assert_eq!(framework.engine.notes(), ["revoke", "revoke"]);
}

#[test]
fn a_kind_without_renewal_does_not_renew() {
    let outcome = now(framework().handle(lease_request(
        Operation::Renew,
        json!({"secret_type": "gift"}),
    )));
    assert_eq!(outcome.err(), Some(Error::UnsupportedOperation));
}

#[test]
fn foreign_leases_are_internal_errors() {
    for operation in [Operation::Renew, Operation::Revoke] {
        let outcome = now(framework().handle(request(operation.clone(), "loans/moby", json!({}))));
        assert_eq!(
            outcome.err(),
            Some(Error::Internal("request has no secret".to_owned()))
        );
        for internal in [
            json!({}),
            json!({"secret_type": 5}),
            json!({"secret_type": "theft"}),
            Value::Null,
        ] {
            let outcome = now(framework().handle(lease_request(operation.clone(), internal)));
            assert_eq!(
                outcome.err(),
                Some(Error::Internal(
                    "secret is unsupported by this backend".to_owned()
                ))
            );
        }
    }
}

#[test]
fn rollback_reaches_its_hook() {
    let rolls = declared(builder())
        .on_rollback(async |shelf: Arc<Shelf>, call: Call| {
            shelf.note(format!("rollback {:?}", call.request.data.get("immediate")));
            match call.request.data.get("fail") {
                Some(_) => Err(Error::ReadOnly),
                None => Ok(()),
            }
        })
        .build()
        .unwrap();
    assert!(
        now(rolls.handle(request(Operation::Rollback, "", json!({"immediate": true}))))
            .unwrap()
            .is_none()
    );
    assert_eq!(rolls.engine.notes(), ["rollback Some(Bool(true))"]);
    let failed = now(rolls.handle(request(Operation::Rollback, "", json!({"fail": 1}))));
    assert_eq!(failed.err(), Some(Error::ReadOnly));

    let without = now(framework().handle(request(Operation::Rollback, "", json!({}))));
    assert_eq!(without.err(), Some(Error::UnsupportedOperation));
}

#[test]
fn hooks_are_called() {
    let hooked = builder()
        .on_initialize(async |shelf: Arc<Shelf>| {
            shelf.note("initialize");
            Err(Error::Internal("not yet".to_owned()))
        })
        .on_invalidate(async |shelf: Arc<Shelf>, key: String| {
            shelf.note(format!("invalidate {key}"))
        })
        .on_cleanup(async |shelf: Arc<Shelf>| shelf.note("cleanup"))
        .build()
        .unwrap();
    assert_eq!(
        now(hooked.initialize()),
        Err(Error::Internal("not yet".to_owned()))
    );
    now(hooked.invalidate("v1/config/a"));
    now(hooked.cleanup());
    assert_eq!(
        hooked.engine.notes(),
        ["initialize", "invalidate v1/config/a", "cleanup"]
    );

    let bare = builder().build().unwrap();
    assert_eq!(now(bare.initialize()), Ok(()));
    now(bare.invalidate("k"));
    now(bare.cleanup());
    assert!(bare.engine.notes().is_empty());
    assert_eq!(framework().special_paths().root, ["audit/*"]);
}

#[test]
fn a_lease_that_lacks_a_text_says_which() {
    let call = Call {
        request: lease_request(Operation::Revoke, json!({"id": "7", "number": 7})),
        fields: Default::default(),
        ineffective: Default::default(),
    };
    assert_eq!(call.lease_text("id"), Ok("7"));
    for name in ["number", "absent"] {
        let text = format!("the lease's internal data has no text {name:?}");
        assert_eq!(call.lease_text(name), Err(Error::Internal(text)));
    }
}
