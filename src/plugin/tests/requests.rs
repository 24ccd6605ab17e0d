//! Requests and the storage behind them.

use super::backend::in_flight;
use super::host::Host;
use super::host::arguments;
use super::host::named;
use super::storage::Mode;
use super::storage::Verb;
use crate::proto::pb;
use crate::vault::StorageError;

#[tokio::test]
async fn odd_data_is_answered() {
    let mut host = Host::start().await;
    let _mount = host.mount("a").await;
    assert_eq!(
        host.request("a", "read", "echo", "null")
            .await
            .unwrap()
            .response
            .unwrap()
            .data,
        "{}"
    );
    for data in ["", "[]", "{"] {
        let reply = host.request("a", "read", "echo", data).await.unwrap();
        assert!(reply.err.unwrap().err_msg.contains("JSON object"), "{data}");
    }
    let empty = pb::HandleRequestArgs::default();
    let reply = host
        .backend()
        .handle_request(named(empty, "a"))
        .await
        .unwrap()
        .into_inner();
    assert!(reply.err.is_some());
    assert_eq!(host.read("a", "nowhere").await.err.unwrap().err_type, 6);
    assert_eq!(
        host.request("a", "frobnicate", "echo", "null")
            .await
            .unwrap()
            .err
            .unwrap()
            .err_type,
        5
    );
}

#[tokio::test]
async fn leases_arrive_whole() {
    let mut host = Host::start().await;
    let _mount = host.mount("a").await;
    let secret = host
        .read("a", "lease")
        .await
        .response
        .unwrap()
        .secret
        .unwrap();
    let options = secret.lease_options.unwrap();
    assert_eq!(
        (options.ttl, options.max_ttl, options.renewable),
        (3_600_000_000_000, 86_400_000_000_000, true)
    );
    assert!(options.issue_time.is_some());
    assert_eq!(secret.internal_data, r#"{"secret_type":"test"}"#);
}

#[tokio::test]
async fn existence_checks_look_and_nothing_else() {
    let mut host = Host::start().await;
    let mount = host.mount("a").await;
    let check = async |path: &str| {
        let arguments = arguments("update", path, "{}");
        let arguments = pb::HandleExistenceCheckArgs {
            storage_id: 0,
            request: arguments.request,
        };
        host.backend()
            .handle_existence_check(named(arguments, "a"))
            .await
            .unwrap()
            .into_inner()
    };
    let reply = check("put/x").await;
    assert_eq!((reply.check_found, reply.exists), (true, false));
    assert_eq!(mount.storage.count(Verb::Put), 0);
    host.request("a", "create", "put/x", r#"{"value":"1"}"#)
        .await
        .unwrap();
    let reply = check("put/x").await;
    assert_eq!((reply.check_found, reply.exists), (true, true));
    let reply = check("echo").await;
    assert_eq!(
        (reply.check_found, reply.exists, reply.err),
        (false, false, None)
    );
    let reply = check("panic/x").await;
    assert_eq!(reply.err.unwrap().err_type, 0);
}

#[tokio::test]
async fn a_panic_is_an_answer_and_no_end() {
    let mut host = Host::start().await;
    let _mount = host.mount("a").await;
    let reply = host.read("a", "panic").await;
    let error = reply.err.unwrap();
    assert_eq!((reply.response, error.err_type), (None, 0));
    assert!(error.err_msg.contains("unexpectedly"), "{}", error.err_msg);
    assert!(host.read("a", "echo").await.response.is_some());
}

#[tokio::test]
async fn big_messages_and_many_requests_pass() {
    let mut host = Host::start().await;
    let _mount = host.mount("a").await;
    let data = format!(r#"{{"text":"{}"}}"#, "x".repeat(20 << 20));
    let reply = host.request("a", "update", "size", &data).await.unwrap();
    assert_eq!(
        reply.response.unwrap().data,
        format!(r#"{{"size":{}}}"#, 20 << 20)
    );
    assert!(host.read("a", "big").await.response.unwrap().data.len() > 20 << 20);

    let requests = (0..300).map(|number| {
        let mut client = host.backend();
        let arguments = arguments("read", "echo", &format!(r#"{{"number":{number}}}"#));
        tokio::spawn(async move { client.handle_request(named(arguments, "a")).await })
    });
    for (number, request) in requests.collect::<Vec<_>>().into_iter().enumerate() {
        let reply = request.await.unwrap().unwrap().into_inner();
        assert_eq!(
            reply.response.unwrap().data,
            format!(r#"{{"number":{number}}}"#)
        );
    }
}

#[tokio::test]
async fn storage_does_all_it_promises() {
    let mut host = Host::start().await;
    let mount = host.mount("a").await;
    let reply = host
        .backend()
        .initialize(named(pb::InitializeArgs {}, "a"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(reply.err, None);
    for key in ["b/1", "c"] {
        host.request("a", "update", &format!("put/{key}"), r#"{"value":"v"}"#)
            .await
            .unwrap();
    }
    assert_eq!(
        host.read("a", "list/").await.response.unwrap().data,
        r#"{"keys":["b/","c","initialized"]}"#
    );
    host.request("a", "delete", "delete/c", "null")
        .await
        .unwrap();
    assert_eq!(mount.storage.keys(), ["b/1", "initialized"]);
    assert_eq!(
        host.read("a", "get/c").await,
        pb::HandleRequestReply::default()
    );
}

#[tokio::test]
async fn paging_is_asked_for_until_the_host_cannot() {
    let mut host = Host::start().await;
    let (vault, bao) = (host.mount("vault").await, host.mount("bao").await);
    bao.storage.set_pages();
    for (id, key) in ["vault", "bao"]
        .iter()
        .flat_map(|id| ["a", "b", "c", "d"].map(|key| (*id, key)))
    {
        host.request(id, "update", &format!("put/{key}"), "{}")
            .await
            .unwrap();
    }
    for id in ["vault", "bao"] {
        for (after, expected) in [
            ("", r#"["a","b"]"#),
            ("/a", r#"["b","c"]"#),
            ("/c", r#"["d"]"#),
        ] {
            let data = host
                .read(id, &format!("page{after}"))
                .await
                .response
                .unwrap()
                .data;
            assert_eq!(data, format!(r#"{{"keys":{expected}}}"#), "{id} {after}");
        }
    }
    assert_eq!(vault.storage.count(Verb::Page), 1, "it is asked once");
    assert_eq!(bao.storage.count(Verb::Page), 3);
    assert_eq!(vault.storage.count(Verb::List), 3);
}

#[tokio::test]
async fn a_node_that_may_not_write_says_so_in_the_hosts_words() {
    let mut host = Host::start().await;
    let mount = host.mount("a").await;
    mount.storage.set_mode(Mode::ReadOnly);
    for (operation, path) in [("update", "put/x"), ("delete", "delete/x")] {
        let reply = host.request("a", operation, path, "{}").await.unwrap();
        let error = reply.err.unwrap();
        assert_eq!(
            (error.err_type, error.err_msg.as_str()),
            (0, "cannot write to readonly storage")
        );
        assert_eq!(reply.response, None);
    }
    mount.storage.set_mode(Mode::Normal);
    mount
        .storage
        .memory
        .set_failure(Some(StorageError::Refused("because".to_owned())));
    let error = host.read("a", "get/x").await.err.unwrap();
    assert!(
        error.err_msg.contains("storage refused") && error.err_msg.contains("because"),
        "{}",
        error.err_msg
    );
}

#[tokio::test]
async fn a_cut_connection_is_made_again() {
    let mut host = Host::start().await;
    let mount = host.mount("a").await;
    host.request("a", "update", "put/x", r#"{"value":"v"}"#)
        .await
        .unwrap();
    for round in 2..5 {
        mount.proxy.cut();
        let data = host.read("a", "get/x").await.response.unwrap().data;
        assert_eq!(data, r#"{"value":"v"}"#);
        assert_eq!(
            mount.proxy.total(),
            round + 1,
            "one for the set-up, one to begin with, one for each cut"
        );
    }
}

#[tokio::test]
async fn a_call_that_is_cut_off_is_made_again() {
    let mut host = Host::start().await;
    let mount = host.mount("a").await;
    let held = mount.storage.hold(Verb::Get);
    let mut client = host.backend();
    let reading = tokio::spawn(async move {
        client
            .handle_request(named(arguments("read", "get/x", "null"), "a"))
            .await
    });
    in_flight(&mount.storage, 1).await;
    mount.proxy.cut();
    drop(held);
    let reply = reading.await.unwrap().unwrap().into_inner();
    assert_eq!(reply, pb::HandleRequestReply::default());
    assert_eq!(mount.storage.count(Verb::Get), 2);
}

#[tokio::test]
async fn the_system_view_is_read() {
    let mut host = Host::start().await;
    let _mount = host.mount("a").await;
    let data = host.read("a", "system").await.response.unwrap().data;
    let expected = r#"{"default":3600,"local":true,"max":86400,"state":12288,"tainted":true,"version":"1.21.0"}"#;
    assert_eq!(data, expected);
}
