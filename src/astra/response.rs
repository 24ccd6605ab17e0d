//! What an answer means: success, or which failure (docs/internals/astra-api.md, "Status codes").

use std::time::Duration;

use reqwest::StatusCode;

use super::error::Call;
use super::error::Error;
use super::error_body;
use super::error_body::Shape;
use super::error_detail::Detail;
use super::response_body::FailureBody;
use super::retry::Failure;
use super::retry::Repeat;
use super::retry::RetryClass;

/// What comes before the body.
pub(super) struct ResponseHead {
    /// Whether the body is compressed, which is never asked for.
    pub(super) is_encoded: bool,
    /// Where a redirect leads, without its query.
    pub(super) location: Option<String>,
    pub(super) retry_after: Option<Duration>,
    /// How many seconds this machine's clock is ahead of the answer's.
    pub(super) clock: Option<i64>,
    pub(super) status: StatusCode,
}

/// The statuses with which Astra refuses a request before it does anything
/// (docs/internals/astra-api.md, "Refusals").
const REFUSALS: [u16; 4] = [400, 401, 403, 404];

impl ResponseHead {
    /// The failure that an answer with a status other than success stands for.
    pub(super) fn classify(
        self,
        body: &FailureBody,
        call: Call,
        url: &str,
        repeat: Repeat,
    ) -> Failure {
        let (shape, detail) = error_body::decode(&body.bytes);
        let status = self.status.as_u16();
        let is_ambiguous = status == 401 && !detail.blames_token();
        let is_astra = shape == Shape::Astra && body.is_complete;
        let retry = match status {
            429 if repeat != Repeat::Unsent => RetryClass::RateLimited(self.retry_after),
            // Given up by a proxy before the API had answered.
            408 | 499 | 500..=599 if repeat == Repeat::Always => {
                RetryClass::Transient(self.retry_after)
            }
            _ => RetryClass::Never,
        };
        let error = self.error(shape, detail, call, url);
        let is_refusal = REFUSALS.contains(&status) || matches!(error, Error::Unauthorized { .. });
        Failure {
            retry,
            maybe_applied: !(is_astra && is_refusal),
            ambiguous_401: is_ambiguous,
            error,
        }
    }

    /// What the status means.  An error number that blames the token says more than the status.
    fn error(self, shape: Shape, detail: Detail, call: Call, url: &str) -> Error {
        let status = self.status.as_u16();
        match status {
            300..=399 => Error::Redirected {
                call,
                status,
                target: self
                    .location
                    .unwrap_or_else(|| "an unnamed place".to_owned()),
            },
            408 | 499 | 500..=599 => Error::Unavailable {
                call,
                detail,
                status,
            },
            429 => Error::RateLimited {
                call,
                detail,
                wait: self.retry_after,
            },
            401 => Error::Unauthorized {
                call,
                detail,
                status,
            },
            400..=499 if detail.blames_token() => Error::Unauthorized {
                call,
                detail,
                status,
            },
            403 => Error::Forbidden {
                call,
                detail,
                status,
            },
            // A page in HTML comes from something that is not the API either.
            404 if matches!(shape, Shape::Router404 | Shape::Html) => Error::WrongUrl {
                call,
                url: url.to_owned(),
            },
            404 => Error::NotFound { call, detail },
            409 => Error::Conflict { call, detail },
            400..=499 => Error::BadRequest {
                call,
                detail: detail.with_clock(self.clock),
                status,
            },
            _ => Error::Malformed {
                call,
                reason: format!("its HTTP status {status} has no meaning here"),
            },
        }
    }

    /// The failure that a body reports although the status is one of success.  The errors are
    /// clear, but not whether they came before or after an effect.
    pub(super) fn classify_reported(self, detail: Detail, call: Call, repeat: Repeat) -> Failure {
        let status = self.status.as_u16();
        if detail.blames_token() {
            return Failure::unknown(Error::Unauthorized {
                call,
                detail,
                status,
            });
        }
        let retry = match repeat {
            Repeat::Always => RetryClass::Transient(self.retry_after),
            Repeat::RefusedSecond | Repeat::Unsent => RetryClass::Never,
        };
        Failure {
            retry,
            ..Failure::unknown(Error::Unavailable {
                call,
                detail,
                status,
            })
        }
    }
}

/// The failure of a request whose answer makes no sense.
pub(super) fn malformed(call: Call, reason: String) -> Failure {
    Failure::unknown(Error::Malformed { call, reason })
}

/// Checks the body of a success that tells nothing: it is empty or JSON.  Whatever says 200 to everything, with
/// a page of its own, is not the API and has done nothing.
///
/// # Errors
/// [`Error::Malformed`] for any other body.
pub(super) fn check(call: &Call, body: &[u8]) -> Result<(), Error> {
    if body.is_empty() {
        return Ok(());
    }
    decode::<serde::de::IgnoredAny>(call, body).map(drop)
}

/// Decodes a body of success.
///
/// The error names the place of the fault and nothing of the content, which may be a credential.
pub(super) fn decode<'de, T: serde::Deserialize<'de>>(
    call: &Call,
    body: &'de [u8],
) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| Error::Malformed {
        call: call.clone(),
        reason: json_fault(&error),
    })
}

/// Where a body is at fault, and how; nothing of its content.
pub(super) fn json_fault(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    let what = match error.classify() {
        Category::Data => "a field is missing or has the wrong type",
        Category::Eof => "it ends too early",
        Category::Io | Category::Syntax => "it is not valid JSON",
    };
    format!("{what} (line {}, column {})", error.line(), error.column())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use reqwest::StatusCode;

    use super::ResponseHead;
    use super::decode;
    use crate::astra::error::Call;
    use crate::astra::error_body::errors_despite_success;
    use crate::astra::response_body::FailureBody;
    use crate::astra::retry::Failure;
    use crate::astra::retry::Repeat;
    use crate::astra::retry::RetryClass;

    fn call() -> Call {
        Call::new("POST", "/v2/x", 1)
    }

    const ALL: Repeat = Repeat::Always;

    fn classified(
        status: u16,
        body: &str,
        is_complete: bool,
        repeat: Repeat,
    ) -> Result<usize, Failure> {
        let head = ResponseHead {
            clock: None,
            is_encoded: false,
            location: None,
            retry_after: Some(Duration::from_secs(3)),
            status: StatusCode::from_u16(status).unwrap(),
        };
        let bytes = body.as_bytes().to_vec();
        if !head.status.is_success() {
            let body = FailureBody { bytes, is_complete };
            return Err(head.classify(&body, call(), "https://a.example", repeat));
        }
        match errors_despite_success(&bytes) {
            Some(detail) => Err(head.classify_reported(detail, call(), repeat)),
            None => Ok(bytes.len()),
        }
    }

    #[test]
    fn names_the_cause_of_every_status() {
        let errors = r#"{"errors":[{"ID":340018,"message":"x"}]}"#;
        let other = r#"{"errors":[{"ID":12,"message":"x"}]}"#;
        let never = RetryClass::Never;
        let transient = RetryClass::Transient(Some(Duration::from_secs(3)));
        let limited = RetryClass::RateLimited(Some(Duration::from_secs(3)));
        for (status, body, kind, maybe_applied, unclear, retry) in [
            (200, errors, "unauthorized", true, false, never),
            (200, other, "unavailable", true, false, transient),
            (301, "", "redirected", true, false, never),
            (303, "", "redirected", true, false, never),
            (307, "\"moved\"", "redirected", true, false, never),
            (400, "\"bad\"", "bad-request", false, false, never),
            (400, "<html>", "bad-request", true, false, never),
            (400, "null", "bad-request", true, false, never),
            (400, errors, "unauthorized", false, false, never),
            (401, errors, "unauthorized", false, false, never),
            (401, "null", "unauthorized", true, true, never),
            (401, other, "unauthorized", false, true, never),
            (403, "<html>", "forbidden", true, false, never),
            (403, other, "forbidden", false, false, never),
            (403, errors, "unauthorized", false, false, never),
            (404, "404 page not found\n", "wrong-url", true, false, never),
            (404, "<html>", "wrong-url", true, false, never),
            (404, "\"no such role\"", "not-found", false, false, never),
            (404, errors, "unauthorized", false, false, never),
            (404, "no such role", "not-found", true, false, never),
            (404, "", "not-found", true, false, never),
            (405, "", "bad-request", true, false, never),
            (408, "", "unavailable", true, false, transient),
            (409, "\"taken\"", "conflict", true, false, never),
            (413, "\"large\"", "bad-request", true, false, never),
            (422, other, "bad-request", true, false, never),
            (429, "\"slow down\"", "rate-limited", true, false, limited),
            (500, errors, "unavailable", true, false, transient),
            (503, "<html>", "unavailable", true, false, transient),
        ] {
            let failure = classified(status, body, true, ALL).err().unwrap();
            let seen = (
                failure.error.kind(),
                failure.maybe_applied,
                failure.ambiguous_401,
                failure.retry,
            );
            assert_eq!(
                seen,
                (kind, maybe_applied, unclear, retry),
                "{status} {body}"
            );
        }
    }

    #[test]
    fn only_a_whole_refusal_in_astras_own_form_means_not_applied() {
        let own = [
            "\"the role is unknown\"",
            r#"{"errors":[{"ID":340018,"message":"x"}]}"#,
            r#"{"errors":[{"ID":2000001}]}"#,
            r#"{"errors":[{"message":"x"},{"ID":1}]}"#,
        ];
        let foreign = [
            "",
            "null",
            "\"\"",
            "{}",
            "[]",
            "7",
            "<html><title>403</title></html>",
            "RBAC: access denied",
            "404 page not found",
            r#"{"errors":[]}"#,
            r#"{"errors":null}"#,
            r#"{"errors":"x"}"#,
            r#"{"errors":["x"]}"#,
            r#"{"errors":[{"code":7}]}"#,
            r#"{"message":"denied"}"#,
            r#"{"error":{"message":"denied"}}"#,
            r#"{"errors":[{"ID":1,"mess"#,
        ];
        for status in 300..=599 {
            for body in own {
                for is_complete in [true, false] {
                    let failure = classified(status, body, is_complete, Repeat::Unsent)
                        .err()
                        .unwrap();
                    // A number that blames the token counts with every status of a refusal.
                    let has_own_meaning = matches!(status, 408 | 429 | 499);
                    let blames =
                        body.contains("340018") && (400..500).contains(&status) && !has_own_meaning;
                    let is_refusal = blames || matches!(status, 400 | 401 | 403 | 404);
                    assert_eq!(
                        failure.maybe_applied,
                        !(is_complete && is_refusal),
                        "{status} {body} {is_complete}"
                    );
                    assert_eq!(failure.retry, RetryClass::Never, "{status}");
                }
            }
            for body in foreign {
                let failure = classified(status, body, true, Repeat::Unsent)
                    .err()
                    .unwrap();
                assert!(failure.maybe_applied, "{status} {body}");
            }
        }
    }

    #[test]
    fn what_must_not_be_repeated_is_not() {
        for status in [200, 408, 429, 500, 502, 503, 504] {
            let body = r#"{"errors":[{"ID":7}]}"#;
            let failure = classified(status, body, true, Repeat::Unsent)
                .err()
                .unwrap();
            assert_eq!(failure.retry, RetryClass::Never, "{status}");
            assert!(failure.maybe_applied, "{status}");
            let failure = classified(status, body, true, Repeat::RefusedSecond)
                .err()
                .unwrap();
            assert_eq!(
                failure.retry != RetryClass::Never,
                status == 429,
                "{status}"
            );
        }
    }

    #[test]
    fn success_is_any_2xx() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(
                classified(status, "{}", true, ALL).ok(),
                Some(2),
                "{status}"
            );
        }
    }

    #[test]
    fn decoding_never_repeats_content() {
        for body in [
            r#"{"id":"s3cr3t"#,
            r#"{"id":["s3cr3t"]}"#,
            "s3cr3t",
            r#""s3cr3t""#,
        ] {
            #[derive(serde::Deserialize)]
            struct Id {
                #[serde(rename = "id")]
                _id: String,
            }
            let error = decode::<Id>(&call(), body.as_bytes()).err().unwrap();
            assert!(!error.to_string().contains("s3cr3t"), "{error}");
            assert!(!format!("{error:?}").contains("s3cr3t"), "{error:?}");
        }
    }
}
