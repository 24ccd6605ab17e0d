//! The shape of a request: headers, query and body as the API is documented to take them.

use http::Version;
use http::header;

use crate::request::Request;
use crate::router::Endpoint;

/// What is wrong with a request, by the name of the rule and in words.
pub(crate) type Deviation = (&'static str, String);

/// The first deviation of `request` from what `endpoint` takes.
pub(crate) fn check(request: &Request, endpoint: &Endpoint) -> Result<(), Deviation> {
    if request.version != Version::HTTP_11 {
        return deviation(
            "http_version",
            &format!("{:?} instead of HTTP/1.1", request.version),
        );
    }
    if request.header(header::USER_AGENT).is_none() {
        return deviation("user_agent", "no User-Agent header");
    }
    if matches!(endpoint, Endpoint::Bundle(_)) {
        return Ok(());
    }
    let Some(accept) = request.header(header::ACCEPT) else {
        return deviation("accept", "no Accept header");
    };
    let admits = accept.split(',').any(|range| {
        let range = range.split(';').next().unwrap_or_default().trim();
        matches!(range, "application/json" | "application/*" | "*/*")
    });
    if !admits {
        return deviation(
            "accept",
            &format!("Accept {accept} does not admit application/json"),
        );
    }
    if request.query.is_some() && !endpoint.has_query() {
        return deviation("query", "this operation has no query parameters");
    }
    if endpoint.has_body() {
        return content_type(request);
    }
    let announced = request.headers.contains_key(header::TRANSFER_ENCODING)
        || request
            .header(header::CONTENT_LENGTH)
            .is_some_and(|length| length != "0");
    if announced || !request.body.is_empty() {
        return deviation("body", "this operation takes no body");
    }
    Ok(())
}

fn content_type(request: &Request) -> Result<(), Deviation> {
    let Some(value) = request.header(header::CONTENT_TYPE) else {
        return deviation("content_type", "no Content-Type header");
    };
    let mut parts = value
        .split(';')
        .map(|part| part.trim().to_ascii_lowercase());
    let media = parts.next().unwrap_or_default();
    if media != "application/json" || parts.any(|part| part != "charset=utf-8") {
        let text = format!("Content-Type {value} instead of application/json");
        return deviation("content_type", &text);
    }
    Ok(())
}

fn deviation(rule: &'static str, detail: &str) -> Result<(), Deviation> {
    Err((rule, detail.to_owned()))
}
