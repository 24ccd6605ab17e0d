//! Answers that were not delivered are undone, wherever they were lost.

use std::time::Duration;

use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use tokio::sync::watch;
use tonic::body::Body;

use super::backend::reaches;
use super::host::Host;
use super::host::arguments;
use super::host::named;
use crate::plugin::delivery::detached;
use crate::plugin::delivery::track_delivery;
use crate::plugin::tasks::Tasks;
use crate::vault::Undo;

/// An answer whose undo counts.
fn work(undone: &watch::Sender<usize>) -> (&'static str, Option<Undo>) {
    let undone = undone.clone();
    let undo = async move {
        tokio::task::yield_now().await;
        undone.send_modify(|undone| *undone += 1);
    };
    ("answer", Some(Box::pin(undo)))
}

/// The answer as the last layer sees it.
fn http(response: tonic::Response<&'static str>) -> http::Response<Body> {
    let (_, answer, extensions) = response.into_parts();
    let trailers = async { Some(Ok(http::HeaderMap::new())) };
    let body = Full::new(bytes::Bytes::from(answer))
        .with_trailers(trailers)
        .map_err(|never| match never {});
    let mut response = http::Response::new(Body::new(body));
    *response.extensions_mut() = extensions;
    response
}

#[tokio::test]
async fn lost_before_the_answer_was_there() {
    let (tasks, undone) = (Tasks::new(), watch::Sender::new(0));
    let (begin, begun) = tokio::sync::oneshot::channel::<()>();
    let answer = work(&undone);
    let mut call = Box::pin(detached(&tasks, tracing::Span::none(), async move {
        begun.await.unwrap();
        answer
    }));
    assert!(call.as_mut().now_or_never().is_none());
    drop(call);
    begin.send(()).unwrap();
    tasks.idle().await;
    assert_eq!(*undone.borrow(), 1);
}

#[tokio::test]
async fn lost_between_the_answer_and_its_call() {
    let (tasks, undone) = (Tasks::new(), watch::Sender::new(0));
    let answer = work(&undone);
    let mut call = Box::pin(detached(
        &tasks,
        tracing::Span::none(),
        async move { answer },
    ));
    assert!(call.as_mut().now_or_never().is_none());
    tasks.idle().await;
    assert_eq!(
        *undone.borrow(),
        0,
        "the answer lies there, the call may still take it"
    );
    drop(call);
    tasks.idle().await;
    assert_eq!(*undone.borrow(), 1);
}

#[tokio::test]
async fn lost_between_the_call_and_the_connection() {
    let (tasks, undone) = (Tasks::new(), watch::Sender::new(0));
    let answer = work(&undone);
    let response = detached(&tasks, tracing::Span::none(), async move { answer })
        .await
        .unwrap();
    drop(response);
    tasks.idle().await;
    assert_eq!(*undone.borrow(), 1, "the response itself was dropped");

    let answer = work(&undone);
    let response = detached(&tasks, tracing::Span::none(), async move { answer })
        .await
        .unwrap();
    let mut body = track_delivery(http(response)).into_body();
    assert!(body.frame().await.unwrap().unwrap().is_data());
    drop(body);
    tasks.idle().await;
    assert_eq!(*undone.borrow(), 2, "the body was dropped half-way");
}

#[tokio::test]
async fn delivered_answers_stay() {
    let (tasks, undone) = (Tasks::new(), watch::Sender::new(0));
    let answer = work(&undone);
    let response = detached(&tasks, tracing::Span::none(), async move { answer })
        .await
        .unwrap();
    let body = track_delivery(http(response))
        .into_body()
        .collect()
        .await
        .unwrap();
    assert!(body.trailers().is_some());
    drop(body);
    tasks.idle().await;
    assert_eq!(*undone.borrow(), 0);

    let host = {
        let mut host = Host::start().await;
        let _mount = host.mount("a").await;
        host.counters.gate.send_replace(true);
        for _ in 0..10 {
            host.read("a", "wait").await.response.unwrap();
        }
        host
    };
    host.backend()
        .cleanup(named(crate::proto::pb::Empty {}, "a"))
        .await
        .unwrap();
    assert_eq!(*host.counters.finished.borrow(), 10);
    assert_eq!(*host.counters.undone.borrow(), 0);
}

#[tokio::test]
async fn a_caller_that_goes_away_gets_its_work_undone() {
    let mut host = Host::start().await;
    let _mount = host.mount("a").await;
    let mut client = host.backend();
    let call = tokio::spawn(async move {
        client
            .handle_request(named(arguments("read", "wait", "null"), "a"))
            .await
    });
    reaches(&host.counters.started, 1).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    // Another call on the same connection is answered after the first has been seen to end.
    host.read("a", "echo").await;
    host.counters.gate.send_replace(true);
    reaches(&host.counters.finished, 1).await;
    reaches(&host.counters.undone, 1).await;
}

#[tokio::test]
async fn a_caller_whose_time_is_up_gets_its_work_undone() {
    let mut host = Host::start().await;
    let _mount = host.mount("a").await;
    // On a busy machine the time may be up before the plugin has the request.
    let mut time = Duration::from_millis(100);
    while *host.counters.started.borrow() == 0 {
        let mut request = named(arguments("revoke", "wait", "null"), "a");
        request.set_timeout(time);
        host.backend().handle_request(request).await.unwrap_err();
        host.read("a", "echo").await;
        time *= 2;
    }
    host.counters.gate.send_replace(true);
    reaches(&host.counters.undone, 1).await;
}

#[tokio::test]
async fn many_callers_that_go_away_at_any_moment_lose_nothing() {
    let mut host = Host::start().await;
    let _mount = host.mount("a").await;
    let pass = async |steps: usize| {
        for _ in 0..steps {
            tokio::task::yield_now().await;
        }
    };
    let mut delivered = 0;
    for round in 0..200 {
        let mut client = host.backend();
        let call = tokio::spawn(async move {
            client
                .handle_request(named(arguments("read", "wait", "null"), "a"))
                .await
        });
        reaches(&host.counters.started, round + 1).await;
        // The answer and the end of the call race, now with a lead for the one, now for the other.
        let lead = round / 2 % 20;
        if round % 2 == 0 {
            call.abort();
            pass(lead).await;
            host.counters.gate.send_replace(true);
        } else {
            host.counters.gate.send_replace(true);
            pass(lead).await;
            call.abort();
        }
        delivered += usize::from(call.await.is_ok());
        reaches(&host.counters.finished, round + 1).await;
        host.counters.gate.send_replace(false);
        // The end of the call has been seen once a later one is answered.
        host.read("a", "echo").await;
    }
    host.backend()
        .cleanup(named(crate::proto::pb::Empty {}, "a"))
        .await
        .unwrap();
    let undone = *host.counters.undone.borrow();
    assert!(undone > 0, "no race was lost");
    assert!(delivered > 0, "no race was won");
    assert!(
        undone + delivered <= 200,
        "{undone} of {delivered} delivered answers were undone"
    );
}
