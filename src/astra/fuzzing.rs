//! For `tests/fuzz`: answers that come from the fuzzer instead of the network.  Only in
//! builds with the feature `fuzzing`.

use std::cell::RefCell;
use std::time::Duration;
use std::time::SystemTime;

use reqwest::RequestBuilder;
use reqwest::Response;
use time::OffsetDateTime;

use super::retry;
use super::timestamp;

/// Answers a request of this method, path and body; `None` is an answer that never comes.
type Script = Box<dyn FnMut(&str, &str, &[u8]) -> Option<http::Response<Vec<u8>>>>;

thread_local! {
    static SCRIPT: RefCell<Option<Script>> = const { RefCell::new(None) };
}

/// From now on `script` answers whatever this thread asks the API, and nothing reaches the network.
pub fn answer_with(
    script: impl FnMut(&str, &str, &[u8]) -> Option<http::Response<Vec<u8>>> + 'static,
) {
    SCRIPT.set(Some(Box::new(script)));
}

/// Sends a request, or lets the script answer it.
pub(super) async fn send(builder: RequestBuilder) -> reqwest::Result<Response> {
    let (client, request) = builder.build_split();
    let request = request?;
    let body = request.body().and_then(|body| body.as_bytes());
    let answer = SCRIPT.with_borrow_mut(|script| {
        let script = script.as_mut()?;
        Some(script(
            request.method().as_str(),
            request.url().path(),
            body.unwrap_or_default(),
        ))
    });
    match answer {
        Some(Some(answer)) => Ok(answer.into()),
        Some(None) => std::future::pending().await,
        None => client.execute(request).await,
    }
}

/// The time that `text` stands for in an answer's body.
pub fn timestamp(text: &str) -> Option<OffsetDateTime> {
    timestamp::parse(text)
}

/// The wait that the header `Retry-After` asks for at the first moment of 1970.
pub fn retry_after(value: &str) -> Option<Duration> {
    retry::retry_after(value, SystemTime::UNIX_EPOCH)
}
