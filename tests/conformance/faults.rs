//! Faults: lines 57 to 65.

use std::time::Duration;
use std::time::Instant;

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use serde_json::Value;
use serde_json::json;
use vault_plugin_secrets_astra::proto::pb;

use crate::host::Host;
use crate::host::LONG;
use crate::host::Launch;
use crate::host::Mount;
use crate::host::Reply;
use crate::host::Verb;
use crate::host::eventually;
use crate::host::exists;
use crate::host::gone;
use crate::host::lease_request;
use crate::host::now;
use crate::host::request;
use crate::upstream::Upstream;
use crate::upstream::with_reader;

const PATH: &str = "creds/reader";
/// For so long Astra takes while a caller goes away: longer than a busy machine keeps this test from running.
const SLOW: Duration = Duration::from_secs(5);

#[tokio::test]
async fn c57_a_caller_that_goes_away_during_a_mint_leaves_no_token() {
    let (upstream, host, mount) = with_reader().await;

    // After the create took effect, before its answer.
    upstream.slow_answer_to_mint(SLOW);
    let abandoned = spawn_read(&mount);
    eventually("the token", LONG, || upstream.live() == 1).await;
    abandoned.abort();
    eventually("the token's end", LONG, || upstream.live() == 0).await;

    // Before the create took effect.
    upstream.forget_faults();
    let fault = upstream.slow_mint(SLOW);
    let abandoned = spawn_read(&mount);
    eventually("the request", LONG, || upstream.fired(fault) > 0).await;
    abandoned.abort();
    eventually("the token's beginning and end", LONG, || {
        upstream.minted() == 2 && upstream.live() == 0
    })
    .await;

    upstream.forget_faults();
    let credential = mount.read(PATH).await.lease();
    assert_eq!(upstream.live(), 1);
    mount.revoke(PATH, &credential).await.nothing();
    upstream.check().await;
    host.finish().await;
}

fn spawn_read(mount: &Mount) -> tokio::task::JoinHandle<Result<Reply, tonic::Status>> {
    let client = mount.client().clone();
    tokio::spawn(async move { client.try_send(request("read", PATH, Value::Null)).await })
}

#[tokio::test]
async fn c58_a_revocation_that_ran_out_of_time_can_be_repeated() {
    let (upstream, host, mount) = with_reader().await;
    let lease = mount.read(PATH).await.lease();
    let before = mount.services.storage.snapshot();
    let fault = upstream.always("DELETE", Upstream::latency(LONG));

    let arguments = pb::HandleRequestArgs {
        storage_id: 0,
        request: Some(lease_request("revoke", PATH, lease.returned(now(), 0))),
    };
    let mut message = mount.client().message(arguments);
    message.set_timeout(Duration::from_secs(1));
    let begun = Instant::now();
    let status = mount
        .client()
        .backend()
        .handle_request(message)
        .await
        .unwrap_err();
    // Without the caller's second, what counts is the half minute that Astra is given for an answer.
    assert!(begun.elapsed() < Duration::from_secs(25), "{status:?}");
    assert_eq!(mount.services.storage.snapshot(), before);

    upstream.remove_fault(fault);
    mount.revoke(PATH, &lease).await.nothing();
    assert_eq!(upstream.live(), 0);
    assert_eq!(mount.services.storage.snapshot(), before);
    host.finish().await;
}

#[tokio::test]
async fn c59_shutdown_is_answered_at_once_and_the_process_is_gone_in_time() {
    let upstream = Upstream::start().await;
    let (mut answered, mut gone) = (Duration::MAX, Duration::MAX);
    // On a busy machine the best of many counts.
    for _ in 0..100 {
        let mut host = Host::start().await;
        let mount = host.mount().await;
        upstream.configure(&mount).await;
        upstream.write_role(&mount, "reader").await;
        let fault = upstream.slow_mint(Duration::from_secs(30));
        let in_upstream = spawn_read(&mount);
        eventually("the mint", LONG, || upstream.fired(fault) > 0).await;
        let storage = mount.services.storage.clone();
        let held = storage.hold(Verb::List);
        let in_storage = {
            let client = mount.client().clone();
            tokio::spawn(async move {
                client
                    .try_send(request("list", "roles/", Value::Null))
                    .await
            })
        };
        eventually("the storage call", LONG, || storage.in_flight() > 0).await;

        let begun = Instant::now();
        host.shutdown().await;
        answered = answered.min(begun.elapsed());
        let status = host.process.exit(LONG).await;
        gone = gone.min(begun.elapsed());
        assert_eq!(status.code(), Some(0));
        drop(held);
        in_upstream.abort();
        in_storage.abort();
        upstream.forget_faults();
        if answered < Duration::from_millis(100) && gone < Duration::from_secs(2) {
            return;
        }
    }
    panic!("Shutdown was answered after {answered:?}, and the process gone after {gone:?}");
}

#[tokio::test]
async fn c60_the_plugin_goes_when_its_host_is_killed() {
    let process = Launch::new().spawn_in_shell();
    let pid_file = process.temporary().join("pid");
    let mut host = Host::attach(process).await;
    let pid = std::fs::read_to_string(pid_file).unwrap();
    let plugin = Pid::from_raw(pid.trim().parse().unwrap());
    let mount = host.mount().await;
    mount.read("config").await.nothing();
    assert!(exists(plugin));

    host.process.signal(Signal::SIGKILL);
    host.process.stdout.close().await;
    host.process.stderr.close().await;
    drop(mount);
    host.disconnect();
    gone(plugin, LONG).await;
    assert!(
        host.process.sockets().is_empty(),
        "{:?}",
        host.process.sockets()
    );
}

#[tokio::test]
async fn c60_the_plugin_goes_when_only_its_host_s_connections_end() {
    // In a container nothing but the broken connection tells that the host is gone.
    let mut host = Host::start().await;
    let mount = host.mount().await;
    mount.read("config").await.nothing();
    drop(mount);
    host.disconnect();
    host.process.exit(LONG).await;
    assert!(
        host.process.sockets().is_empty(),
        "{:?}",
        host.process.sockets()
    );
}

#[tokio::test]
async fn c61_sigint_is_ignored_and_sigterm_ends() {
    let mut host = Host::start().await;
    let mount = host.mount().await;
    host.process.signal(Signal::SIGINT);
    mount.read("config").await.nothing();
    host.process.signal(Signal::SIGINT);
    mount.rollback().await.nothing();
    assert!(host.process.alive());
    host.process.signal(Signal::SIGTERM);
    let status = host.process.exit(LONG).await;
    assert!(status.success(), "{status}");
    assert!(host.process.sockets().is_empty());
}

#[tokio::test]
async fn c61_sigterm_right_after_the_handshake_leaves_nothing() {
    let mut process = Launch::new().spawn();
    process.handshake().await;
    process.signal(Signal::SIGTERM);
    let status = process.exit(LONG).await;
    assert!(status.success(), "{status}");
    assert_eq!(std::fs::read_dir(process.temporary()).unwrap().count(), 0);
}

#[tokio::test]
async fn c62_a_closed_stderr_does_not_stop_it() {
    let upstream = Upstream::start().await;
    let mut host = Host::start().await;
    let mount = host.mount().await;
    host.process.stderr.close().await;
    // Writes and failures are logged.
    upstream.configure(&mount).await;
    for _ in 0..50 {
        upstream.write_role(&mount, "reader").await;
        mount.read(PATH).await.lease();
    }
    assert!(host.process.alive());
    host.shutdown().await;
    assert!(host.process.exit(LONG).await.success());
}

#[tokio::test]
async fn c63_a_cut_brokered_connection_is_made_again() {
    let mut host = Host::start().await;
    let mount = host.mount().await;
    let storage = mount.services.storage.clone();
    mount.read("config").await.nothing();

    // Between two calls.
    for round in 0..5 {
        mount.brokered.cut();
        let reply = in_time(mount.read(&format!("roles/after{round}"))).await;
        assert!(!reply.is_error(), "{reply:?}");
    }

    // During a call.
    let held = storage.hold(Verb::Get);
    let cut = async {
        eventually("the storage call", LONG, || storage.in_flight() == 1).await;
        drop(held);
        mount.brokered.cut();
    };
    let (reply, ()) = tokio::join!(in_time(mount.read("roles/during")), cut);
    assert!(
        reply.error().is_none_or(|error| error.err_type == 0),
        "{reply:?}"
    );

    // Permanently: every request ends, with an error.
    mount.brokered.close();
    let reply = in_time(mount.read("roles/never")).await;
    assert!(reply.is_error());
    host.finish().await;
}

async fn in_time(reply: impl Future<Output = Reply>) -> Reply {
    tokio::time::timeout(LONG, reply)
        .await
        .expect("the request hangs")
}

#[tokio::test]
async fn c65_cleanup_leaves_no_storage_call_behind() {
    let mut host = Host::start().await;
    let mount = host.mount().await;
    let storage = mount.services.storage.clone();
    let held = storage.hold(Verb::Get);
    let client = mount.client().clone();
    let reading = tokio::spawn(async move {
        client
            .try_send(request("read", "roles/held", Value::Null))
            .await
    });
    eventually("the storage call", LONG, || storage.in_flight() == 1).await;

    // The call is never answered, so only its cancellation lets Cleanup end.
    tokio::time::timeout(LONG, mount.client().cleanup())
        .await
        .expect("Cleanup hangs")
        .unwrap();
    // A storage call that is not cancelled lasts 20 s.
    let sooner = Duration::from_secs(15);
    eventually("the end of the call", sooner, || storage.in_flight() == 0).await;
    eventually("the end of the channel", LONG, || {
        mount.brokered.open() == 0
    })
    .await;
    let outcome = reading.await.unwrap();
    assert!(outcome.is_err() || outcome.is_ok_and(|reply| reply.is_error()));
    drop(held);
    let calls = storage.calls().len();
    host.mount()
        .await
        .write("roles/none", json!({}))
        .await
        .bad_request();
    assert_eq!(storage.calls().len(), calls);
    host.finish().await;
}
