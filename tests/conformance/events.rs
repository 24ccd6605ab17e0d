//! Events: what the host's event service gets.  The list has no line for it, as a host may do without.

use std::sync::Arc;

use prost_types::value::Kind;
use serde_json::json;

use crate::host::Host;
use crate::host::LONG;
use crate::host::Services;
use crate::host::eventually;
use crate::upstream::Upstream;

#[tokio::test]
async fn the_host_gets_events_with_an_id_and_without_secrets() {
    let upstream = Upstream::start().await;
    let mut host = Host::start().await;
    let services = Services::default();
    services.system.change(|facts| facts.edition = "ent");
    let events = services.events.clone();
    let mount = host.mount_on(services).await;
    upstream.configure(&mount).await;
    upstream.write_role(&mount, "reader").await;
    let reply = mount.read("creds/reader").await;
    let (lease, data) = (reply.lease(), reply.data());
    mount.revoke("creds/reader", &lease).await;
    mount.write("rotate-root", json!({})).await;
    let batch = json!({"astra_roles": upstream.role_name(), "rotation_period": "24h"});
    mount.write("static-roles/batch", batch).await;
    mount.write("rotate-role/batch", json!({})).await;
    let batch = mount.read("static-creds/batch").await.data();
    mount.delete("static-roles/batch").await;

    let kinds = || {
        let mut kinds: Vec<String> = events
            .sent()
            .into_iter()
            .map(|sent| sent.event_type)
            .collect();
        kinds.sort();
        kinds
    };
    let expected = [
        "astra/config-write",
        "astra/creds-create",
        "astra/creds-revoke",
        "astra/role-write",
        "astra/root-rotate",
        "astra/static-role-delete",
        "astra/static-role-write",
        "astra/static-rotate",
    ];
    eventually("all events have arrived", LONG, || kinds() == expected).await;

    let mut secrets = upstream.secrets();
    for data in [&data, &batch] {
        let secret = |key: &str| data[key].as_str().unwrap().to_owned();
        secrets.extend(["token", "client_secret"].map(secret));
    }
    for sent in events.sent() {
        let text = format!("{sent:?}");
        assert!(
            secrets.iter().all(|secret| !text.contains(secret)),
            "a secret is in {text}"
        );
        let event = sent.event.expect("an event");
        assert!(uuid::Uuid::try_parse(&event.id).is_ok(), "{text}");
        let fields = event.metadata.expect("metadata").fields;
        let is_text = |value: &prost_types::Value| matches!(value.kind, Some(Kind::StringValue(_)));
        assert!(fields.values().all(is_text), "{text}");
        for key in ["path", "operation", "modified"] {
            assert!(fields.contains_key(key), "{key} is not in {text}");
        }
        if sent.event_type.starts_with("astra/creds-") {
            let client_id = Some(Kind::StringValue(
                data["client_id"].as_str().unwrap().to_owned(),
            ));
            assert_eq!(fields["client_id"].kind, client_id);
        }
    }
    host.finish().await;
}

#[tokio::test]
async fn a_host_that_lets_no_one_subscribe_is_spared_the_events() {
    let upstream = Upstream::start().await;
    let mut host = Host::start().await;
    let services = Services::default();
    let (events, system) = (services.events.clone(), Arc::clone(&services.system));
    let mount = host.mount_on(services).await;
    upstream.configure(&mount).await;
    eventually("the host was asked what it is", LONG, || {
        system.environment_calls() > 0
    })
    .await;
    upstream.write_role(&mount, "reader").await;
    mount.read("creds/reader").await;
    mount.client().cleanup().await.unwrap();
    assert_eq!(system.environment_calls(), 1);
    assert!(events.sent().is_empty(), "{:?}", events.sent());
    host.finish().await;
}
