//! Something between the engine and Astra that changes what Astra answers.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use astra_emulator::Emulator;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reqwest::Body;
use serde_json::Value;
use serde_json::json;

use super::simulation::network::Network;
use super::simulation::trace::Trace;
use crate::astra::HttpService;
use crate::astra::SendError;
use crate::astra::simulated_network;

/// What is changed of an answer with a JSON body.
type Change = dyn Fn(&http::Request<Bytes>, &mut Value) + Send + Sync;

struct ChangedAnswers {
    network: Network,
    change: Arc<Change>,
}

/// Passes the JSON of all answers of `astra` through `change`, for clients that this thread makes from now
/// on, under [virtual time](super::virtual_time::run).
pub fn change_answers(
    astra: &Emulator,
    change: impl Fn(&http::Request<Bytes>, &mut Value) + Send + Sync + 'static,
) {
    simulated_network::set(Some(Arc::new(ChangedAnswers {
        network: Network {
            astra: astra.clone(),
            trace: Arc::new(Trace::new(false)),
        },
        change: Arc::new(change),
    })));
}

/// Lets the list that follows a `DELETE` which misses a token come from a server that is behind: it shows none.
pub fn fall_behind_after_missed_deletions(astra: &Emulator) {
    let is_behind = AtomicBool::new(false);
    let tokens = astra.clone();
    change_answers(astra, move |request, answer| {
        let path = request.uri().path();
        // A deletion that succeeds has no JSON to change.
        if request.method() == http::Method::DELETE {
            let live = tokens.tokens(false);
            let is_missed = live.iter().any(|token| path.ends_with(&token.client_id));
            is_behind.store(is_missed, Ordering::SeqCst);
        } else if request.method() == http::Method::GET
            && path == "/v2/clientIdSecrets"
            && is_behind.swap(false, Ordering::SeqCst)
        {
            answer["clients"] = json!([]);
        }
    });
}

impl HttpService for ChangedAnswers {
    fn answer(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'static, Result<http::Response<Body>, SendError>> {
        let change = Arc::clone(&self.change);
        let answer = self.network.answer(request.clone());
        async move {
            let (mut head, body) = answer.await?.into_parts();
            let body = reqwest::Response::from(http::Response::new(body));
            let mut body = body.bytes().await.unwrap().to_vec();
            if let Ok(mut value) = serde_json::from_slice(&body) {
                change(&request, &mut value);
                body = serde_json::to_vec(&value).unwrap();
                head.headers.remove(http::header::CONTENT_LENGTH);
            }
            Ok(http::Response::from_parts(head, body.into()))
        }
        .boxed()
    }
}
