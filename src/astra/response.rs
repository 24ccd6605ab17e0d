//! What an answer means: success, or which failure (docs/astra-api.md, "Status codes").

use std::time::Duration;

use reqwest::StatusCode;

use super::error::Call;
use super::error::Detail;
use super::error::Error;
use super::error_body;
use super::error_body::Shape;
use super::retry::Failure;
use super::retry::RetryClass;

/// What comes before the body.
pub(super) struct ResponseHead {
    /// Whether the body is compressed, which is never asked for.
    pub(super) is_encoded: bool,
    /// Where a redirect leads, without its query.
    pub(super) location: Option<String>,
    pub(super) retry_after: Option<Duration>,
    pub(super) status: StatusCode,
}

impl ResponseHead {
    /// The failure that an answer with a status other than success stands for.
    ///
    /// `repeatable` says whether a request that may have been carried out may be sent again.
    pub(super) fn classify(self, body: &[u8], call: Call, url: &str, repeatable: bool) -> Failure {
        let (shape, detail) = error_body::decode(body);
        let status = self.status.as_u16();
        match status {
            300..=399 => {
                let target = self
                    .location
                    .unwrap_or_else(|| "an unnamed place".to_owned());
                Failure {
                    // The others may follow a request that was carried out.
                    maybe_applied: !matches!(status, 301 | 302 | 307 | 308),
                    ..Failure::refused(Error::Redirected {
                        call,
                        status,
                        target,
                    })
                }
            }
            401 => Failure {
                ambiguous_401: !detail.blames_token(),
                ..Failure::refused(Error::Unauthorized {
                    call,
                    detail,
                    status,
                })
            },
            403 => Failure::refused(Error::Forbidden {
                call,
                detail,
                status,
            }),
            // A page in HTML comes from something that is not the API either.
            404 if matches!(shape, Shape::Router404 | Shape::Html) => {
                Failure::refused(Error::WrongUrl {
                    call,
                    url: url.to_owned(),
                })
            }
            404 => Failure::refused(Error::NotFound { call, detail }),
            409 => Failure::refused(Error::Conflict { call, detail }),
            429 => Failure {
                retry: RetryClass::RateLimited(self.retry_after),
                ..Failure::refused(Error::RateLimited {
                    call,
                    detail,
                    wait: self.retry_after,
                })
            },
            // Given up by a proxy before the API had answered.
            408 | 499 | 500..=599 => {
                unavailable(call, detail, status, repeatable, self.retry_after)
            }
            400..=499 => Failure::refused(Error::BadRequest {
                call,
                detail,
                status,
            }),
            _ => malformed(
                call,
                format!("its HTTP status {status} has no meaning here"),
            ),
        }
    }

    /// The failure that a body reports although the status is one of success.
    pub(super) fn classify_reported(self, detail: Detail, call: Call, repeatable: bool) -> Failure {
        let status = self.status.as_u16();
        // The errors are clear, but not whether they came before or after an effect.
        if detail.blames_token() {
            return Failure {
                maybe_applied: true,
                ..Failure::refused(Error::Unauthorized {
                    call,
                    detail,
                    status,
                })
            };
        }
        unavailable(call, detail, status, repeatable, self.retry_after)
    }
}

/// The failure of a request whose answer makes no sense.
pub(super) fn malformed(call: Call, reason: String) -> Failure {
    Failure {
        maybe_applied: true,
        ..Failure::refused(Error::Malformed { call, reason })
    }
}

fn unavailable(
    call: Call,
    detail: Detail,
    status: u16,
    repeatable: bool,
    asked: Option<Duration>,
) -> Failure {
    Failure {
        retry: if repeatable {
            RetryClass::Transient(asked)
        } else {
            RetryClass::Never
        },
        error: Error::Unavailable {
            call,
            detail,
            status,
        },
        maybe_applied: true,
        ambiguous_401: false,
    }
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
    use crate::astra::retry::Failure;
    use crate::astra::retry::RetryClass;

    fn call() -> Call {
        Call::new("POST", "/v2/x", 1)
    }

    fn classified(status: u16, body: &str, repeatable: bool) -> Result<usize, Failure> {
        let head = ResponseHead {
            is_encoded: false,
            location: None,
            retry_after: Some(Duration::from_secs(3)),
            status: StatusCode::from_u16(status).unwrap(),
        };
        let body = body.as_bytes();
        if !head.status.is_success() {
            return Err(head.classify(body, call(), "https://a.example", repeatable));
        }
        match errors_despite_success(body) {
            Some(detail) => Err(head.classify_reported(detail, call(), repeatable)),
            None => Ok(body.len()),
        }
    }

    #[test]
    fn names_the_cause_of_every_status() {
        let errors = r#"{"errors":[{"ID":340018,"message":"x"}]}"#;
        let never = RetryClass::Never;
        let transient = RetryClass::Transient(Some(Duration::from_secs(3)));
        let limited = RetryClass::RateLimited(Some(Duration::from_secs(3)));
        for (status, body, kind, maybe_applied, unclear, retry) in [
            (200, errors, "unauthorized", true, false, never),
            (
                200,
                r#"{"errors":[{"ID":7}]}"#,
                "unavailable",
                true,
                false,
                transient,
            ),
            (301, "", "redirected", false, false, never),
            (303, "", "redirected", true, false, never),
            (307, "", "redirected", false, false, never),
            (400, "\"bad\"", "bad-request", false, false, never),
            (401, errors, "unauthorized", false, false, never),
            (401, "null", "unauthorized", false, true, never),
            (
                401,
                r#"{"errors":[{"ID":12,"message":"x"}]}"#,
                "unauthorized",
                false,
                true,
                never,
            ),
            (403, "<html>", "forbidden", false, false, never),
            (
                404,
                "404 page not found\n",
                "wrong-url",
                false,
                false,
                never,
            ),
            (404, "<html>", "wrong-url", false, false, never),
            (404, "\"no such role\"", "not-found", false, false, never),
            (404, "no such role", "not-found", false, false, never),
            (404, "", "not-found", false, false, never),
            (405, "", "bad-request", false, false, never),
            (408, "", "unavailable", true, false, transient),
            (409, "", "conflict", false, false, never),
            (422, "", "bad-request", false, false, never),
            (429, "", "rate-limited", false, false, limited),
            (500, errors, "unavailable", true, false, transient),
            (503, "<html>", "unavailable", true, false, transient),
        ] {
            let failure = classified(status, body, true).err().unwrap();
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
    fn what_must_not_be_repeated_is_not() {
        for status in [200, 408, 500, 502, 503, 504] {
            let failure = classified(status, r#"{"errors":[{"ID":7}]}"#, false)
                .err()
                .unwrap();
            assert_eq!(failure.retry, RetryClass::Never, "{status}");
            assert!(failure.maybe_applied, "{status}");
        }
    }

    #[test]
    fn success_is_any_2xx() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(classified(status, "{}", false).ok(), Some(2), "{status}");
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
