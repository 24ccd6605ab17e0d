//! Container plugins: all connections are streams of one session: lines 74 to 78, and what the list has
//! no line for.

use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

use crate::host::Host;
use crate::host::Identity;
use crate::host::KnockReply;
use crate::host::LONG;
use crate::host::Launch;
use crate::host::Mount;
use crate::host::Services;
use crate::host::answer;
use crate::host::eventually;
use crate::host::mount_config;
use crate::host::multiplex_id;
use crate::host::request;
use crate::upstream::Upstream;

async fn container() -> Host {
    Host::launch(Launch::container()).await
}

/// Asserts that the plugin ends by itself, and why.
async fn ends(mut host: Host, why: &str) {
    let status = host.process.exit(LONG).await;
    assert_eq!(status.code(), Some(1), "{status}");
    host.process.stderr.end().await;
    let said = host.process.stderr.text();
    assert!(said.contains(why), "{said}");
    assert!(host.process.sockets().is_empty());
}

const OUT_OF_STEP: &str = "may have missed each other";

#[tokio::test]
async fn c74_a_credential_comes_and_goes_through_one_socket() {
    let upstream = Upstream::start().await;
    let mut host = container().await;
    let socket = host.handshake.socket();
    assert_eq!(socket.parent(), Some(host.process.temporary()));
    let metadata = std::fs::metadata(&socket).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o660);
    assert_eq!(metadata.gid(), nix::unistd::getegid().as_raw());

    let mount = host.mount().await;
    upstream.configure(&mount).await;
    upstream.write_role(&mount, "reader").await;
    let credential = mount.read("creds/reader").await;
    mount
        .revoke("creds/reader", &credential.lease())
        .await
        .nothing();
    mount.rollback().await.nothing();
    upstream.check().await;
    assert_eq!(upstream.live(), 0);
    assert_eq!(host.session().knocks(), [1], "one dial serves all calls");
    assert_eq!(mount.brokered.refused(), 0);
    // Nothing but the session: neither a second connection nor a socket of ours towards the host.
    assert_eq!(connections(&host), 1);
    mount.client().cleanup().await.unwrap();
    host.finish().await;
}

/// How many connections are open at the plugin's socket.
fn connections(host: &Host) -> usize {
    let socket = host.handshake.socket();
    let sockets = std::fs::read_to_string("/proc/net/unix").unwrap();
    let connected = sockets.lines().filter(|line| {
        let mut fields = line.split_whitespace();
        // Flags, type and state come before the inode and the path; state 03 is connected.
        fields.nth(5) == Some("03") && fields.nth(1) == socket.to_str()
    });
    connected.count()
}

#[tokio::test]
async fn c75_a_second_mount_is_refused_and_the_first_goes_on() {
    let mut host = container().await;
    let first = host.mount().await;
    first.read("config").await.nothing();
    let second = host.client(&multiplex_id());
    let (id, brokered) = host.offer(Services::default());
    let error = Host::setup(&second, id, mount_config()).await;
    assert!(error.contains("serves one mount only"), "{error}");
    second.backend_type().await.unwrap_err();
    first.read("roles/other").await.nothing();

    // Nor does the process change hands.
    first.client().cleanup().await.unwrap();
    let error = Host::setup(&second, id, mount_config()).await;
    assert!(error.contains("serves one mount only"), "{error}");
    assert_eq!(brokered.accepted(), 0);

    // The mount itself may be set up again.
    let (again, brokered) = host.offer(Services::default());
    assert_eq!(Host::setup(first.client(), again, mount_config()).await, "");
    let reply = first.read("config").await;
    reply.nothing();
    assert_eq!(brokered.accepted(), 1);
    host.finish().await;
}

#[tokio::test]
async fn two_containers_of_one_host_never_see_each_other_s_storage() {
    let upstream = Upstream::start().await;
    let (mut one, mut other) = (container().await, container().await);
    let (a, b) = (one.mount().await, other.mount().await);
    upstream.configure(&a).await;
    upstream.configure(&b).await;
    for round in 0..20 {
        a.brokered.cut();
        b.brokered.cut();
        let (left, right) = (format!("left{round}"), format!("right{round}"));
        tokio::join!(
            upstream.write_role(&a, &left),
            upstream.write_role(&b, &right)
        );
    }
    for (mount, own, foreign) in [(&a, "left", "right"), (&b, "right", "left")] {
        let keys = mount.services.storage.keys();
        assert_eq!(keys.iter().filter(|key| key.contains(own)).count(), 20);
        assert!(!keys.iter().any(|key| key.contains(foreign)), "{keys:?}");
    }
    one.finish().await;
    other.finish().await;
}

#[tokio::test]
async fn registration_knocks_for_nothing() {
    let mut host = container().await;
    let client = host.client(&multiplex_id());
    let (id, brokered) = host.offer(Services::default());
    assert_eq!(Host::setup(&client, id, Default::default()).await, "");
    assert!(host.version(&client).await.starts_with('v'));
    assert_eq!(client.backend_type().await.unwrap(), 1);
    assert_eq!(host.session().knocks(), [0; 0]);
    assert_eq!(brokered.accepted(), 0);
    host.finish().await;
}

#[tokio::test]
async fn c76_a_refused_knock_is_repeated() {
    let mut host = container().await;
    let mount = host.mount().await;
    host.session().set_knock_reply(KnockReply::Refusing(3));
    mount.read("config").await.nothing();
    assert_eq!(host.session().knocks(), [1; 4]);
    host.finish().await;
}

#[tokio::test]
async fn c76_a_knock_that_stays_refused_fails_the_request_and_not_the_process() {
    let mut host = container().await;
    let mount = host.mount().await;
    host.session()
        .set_knock_reply(KnockReply::Refusing(usize::MAX));
    let (_, error) = mount.read("config").await.failure();
    assert!(error.contains("refused the knock"), "{error}");
    assert!(error.contains("no listener for id 1"), "{error}");
    host.session().set_knock_reply(KnockReply::Open);
    mount.read("config").await.nothing();
    host.finish().await;
}

#[tokio::test]
async fn c77_a_late_acknowledgement_ends_the_process() {
    let mut host = container().await;
    let mount = host.mount().await;
    host.session().set_knock_reply(KnockReply::Silent);
    let (_, error) = mount.read("config").await.failure();
    assert!(error.contains("did not answer the knock"), "{error}");
    assert!(host.process.alive());
    let unanswered = host.session().take_unanswered();
    // Only the first: what was meant is whether an answer without a knock is noticed.
    host.say(answer(unanswered[0], "")).await;
    ends(host, OUT_OF_STEP).await;
}

#[tokio::test]
async fn c77_an_acknowledgement_that_nothing_waits_for_ends_the_process() {
    for id in [1, 77] {
        let mut host = container().await;
        let mount = host.mount().await;
        mount.read("config").await.nothing();
        // A refusal opened no listener, and a knock of the host finds none here.
        host.say(answer(id, "no listener")).await;
        let mut knock = answer(id, "");
        knock.knock.as_mut().unwrap().ack = false;
        host.say(knock).await;
        mount.read("roles/x").await.nothing();
        host.say(answer(id, "")).await;
        ends(host, OUT_OF_STEP).await;
    }
}

#[tokio::test]
async fn c77_a_stream_that_no_listener_takes_ends_the_process() {
    let mut host = container().await;
    let mount = host.mount().await;
    host.session().set_knock_reply(KnockReply::Deserted);
    let client = mount.client().clone();
    let reading = tokio::spawn(async move {
        client
            .try_send(request("read", "config", Value::Null))
            .await
    });
    eventually("the stream", LONG, || host.session().backlog() == 1).await;
    ends(host, OUT_OF_STEP).await;
    assert!(
        reading
            .await
            .unwrap()
            .map_or(true, |reply| reply.is_error())
    );
}

#[tokio::test]
async fn c77_a_listener_that_is_not_the_host_ends_the_process() {
    let mut host = container().await;
    let client = host.client(&multiplex_id());
    let services = Services::default();
    let (id, brokered) = host.offer_as(&Identity::new(), services.clone());
    assert_eq!(Host::setup(&client, id, mount_config()).await, "");
    let mount = Mount::new(client, brokered, services.clone());
    let sent = mount
        .client()
        .try_send(request("read", "config", Value::Null))
        .await;
    assert!(sent.map_or(true, |reply| reply.is_error()));
    assert!(services.storage.calls().is_empty());
    ends(host, OUT_OF_STEP).await;
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_take_the_dial_with_it() {
    let mut host = container().await;
    let mount = host.mount().await;
    host.session().set_knock_reply(KnockReply::Silent);
    let client = mount.client().clone();
    let reading = tokio::spawn(async move {
        client
            .try_send(request("read", "config", Value::Null))
            .await
    });
    eventually("the knock", LONG, || host.session().knocks() == [1]).await;
    reading.abort();
    let _ = reading.await;
    for id in host.session().take_unanswered() {
        host.say(answer(id, "")).await;
    }
    host.session().set_knock_reply(KnockReply::Open);
    eventually("the stream", LONG, || mount.brokered.accepted() == 1).await;
    mount.read("roles/x").await.nothing();
    assert!(host.process.alive());
    host.finish().await;
}

#[tokio::test]
async fn each_dial_is_a_knock_of_its_own() {
    let mut host = container().await;
    let mount = host.mount().await;
    for round in 1..=5 {
        mount.read(&format!("roles/a{round}")).await.nothing();
        assert_eq!(host.session().knocks(), vec![1; round]);
        mount.brokered.cut();
        eventually("the cut", LONG, || mount.brokered.open() == 0).await;
    }
    host.finish().await;
}

#[tokio::test]
async fn entries_larger_than_a_window_pass() {
    let mut host = container().await;
    let mount = host.mount().await;
    let upstream = Upstream::start().await;
    upstream.configure(&mount).await;
    let large = "x".repeat(1 << 20);
    let data = json!({"astra_roles": upstream.role_name(), "description": large});
    // The answer warns that a token's description has no room for it.
    let told = mount.write("roles/large", data).await.warnings();
    assert_eq!(told.len(), 1, "{told:?}");
    let stored = mount.services.storage.get("v1/role/large").unwrap();
    assert!(stored.len() > 1 << 20);
    // Another process has to read it from storage.
    let services = mount.services.clone();
    drop(mount);
    host.finish().await;
    let mut host = container().await;
    let mount = host.mount_on(services).await;
    let read = mount.read("roles/large").await.data();
    assert!(read["description"] == large);
    host.finish().await;
}

#[tokio::test]
async fn c78_the_end_of_the_session_is_the_end_of_the_process() {
    let mut host = container().await;
    let mount = host.mount().await;
    mount.read("config").await.nothing();
    host.session().cut();
    ends(host, "the host's connection ended").await;
}

#[tokio::test]
async fn a_second_connection_is_closed_and_the_session_goes_on() {
    let mut host = container().await;
    let mut second = UnixStream::connect(host.handshake.socket()).await.unwrap();
    let read = tokio::time::timeout(LONG, second.read(&mut [0; 1])).await;
    assert_eq!(read.expect("it is left hanging").unwrap(), 0);
    host.mount().await.read("config").await.nothing();
    host.finish().await;
}

#[tokio::test]
async fn pings_of_the_session_are_answered() {
    let process = Launch::container().spawn();
    let socket = process.handshake().await.socket();
    let mut connection = UnixStream::connect(socket).await.unwrap();
    // Version 0, type 2 (ping), flag 1 (a question), stream 0, and a number to repeat.
    let ping = |flags: u8| [0, 2, 0, flags, 0, 0, 0, 0, 0xca, 0xfe, 0xba, 0xbe];
    connection.write_all(&ping(1)).await.unwrap();
    let answered = async {
        loop {
            let mut header = [0; 12];
            connection.read_exact(&mut header).await.unwrap();
            if header == ping(2) {
                return;
            }
            // The plugin may ask something of its own, which has no body.
            assert_eq!(header[1], 2, "{header:?}");
        }
    };
    tokio::time::timeout(LONG, answered)
        .await
        .expect("no answer");
}

#[tokio::test]
async fn frames_that_are_none_end_the_session() {
    for bytes in [
        &[0xff; 12][..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        &[0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ] {
        let mut process = Launch::container().spawn();
        let socket = process.handshake().await.socket();
        let mut connection = UnixStream::connect(socket).await.unwrap();
        connection.write_all(bytes).await.unwrap();
        let status = process.exit(LONG).await;
        assert_eq!(
            status.code(),
            Some(1),
            "{status}: {}",
            process.stderr.text()
        );
        assert!(!process.stderr.text().contains("panic"));
    }
}

#[tokio::test]
async fn a_user_without_the_group_is_told_what_to_change() {
    if !nix::unistd::geteuid().is_root() {
        return println!("skipped, because only root can start the plugin as another user");
    }
    let mut process = Launch::container().spawn_as(65_532);
    let said = process.refusal().await;
    assert!(said.contains("Permission denied"), "{said}");
    assert!(said.contains("USER 65532 and no group"), "{said}");

    // The second start of the same host, whose error is the one that it shows.
    let mut process = Launch::container()
        .with("PLUGIN_PROTOCOL_VERSIONS", "3,4")
        .without("PLUGIN_CLIENT_CERT")
        .spawn_as(65_532);
    let said = process.refusal().await;
    assert!(said.contains("USER 65532 and no group"), "{said}");
}

#[tokio::test]
async fn a_host_before_1_16_uses_sockets_of_the_shared_directory() {
    // It does not set the variable, and announces sockets.
    let launch = Launch::container().without("PLUGIN_MULTIPLEX_GRPC");
    let mut host = Host::launch(launch).await;
    let (a, b) = (host.mount().await, host.mount().await);
    a.read("config").await.nothing();
    b.read("config").await.nothing();
    assert!(a.brokered.accepted() >= 1 && b.brokered.accepted() >= 1);
    let directory = host.process.temporary().to_owned();
    assert_eq!(host.handshake.socket().parent(), Some(&*directory));
    host.finish().await;
}

#[tokio::test]
async fn shutdown_is_answered_before_the_session_ends() {
    for _ in 0..10 {
        let host = container().await;
        let mut controller = vault_plugin_secrets_astra::proto::plugin::grpc_controller_client::GrpcControllerClient::new(host.channel());
        controller
            .shutdown(vault_plugin_secrets_astra::proto::plugin::Empty {})
            .await
            .expect("the answer to Shutdown is lost");
        let mut host = host;
        let status = host.process.exit(LONG).await;
        assert!(status.success(), "{status}");
    }
}
