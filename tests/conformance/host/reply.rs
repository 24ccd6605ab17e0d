//! The answer to a request, as strictly as a host reads it.

use serde_json::Map;
use serde_json::Value;
use vault_plugin_secrets_astra::proto::pb;

/// What a plugin answered, after the checks that would make a host fail the request.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    response: Option<pb::Response>,
    error: Option<pb::ProtoError>,
}

/// A lease in an answer.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub options: pb::LeaseOptions,
    pub internal_data: Map<String, Value>,
}

impl Reply {
    pub(crate) fn new(reply: pb::HandleRequestReply) -> Self {
        if let Some(response) = &reply.response {
            check(response);
        }
        if let Some(error) = &reply.err {
            assert!(error.err_type <= 10, "a host reads {error:?} as no error");
        }
        Self {
            response: reply.response,
            error: reply.err,
        }
    }

    /// Asserts that there is no error of either kind, and gives the response, if any.
    #[track_caller]
    pub(crate) fn ok(self) -> Option<pb::Response> {
        assert!(self.error.is_none(), "{:?}", self.error);
        if let Some(text) = self.error_text() {
            panic!("an error response: {text}");
        }
        self.response
    }

    /// Asserts success and an absent response.
    #[track_caller]
    pub(crate) fn nothing(self) {
        let response = self.ok();
        assert!(response.is_none(), "{response:?}");
    }

    /// Asserts success with data, and gives it.
    #[track_caller]
    pub(crate) fn data(&self) -> Map<String, Value> {
        let response = self.clone().ok().expect("an absent response");
        object(&response.data).expect("no data")
    }

    /// Asserts success with a lease, and gives it.
    #[track_caller]
    pub(crate) fn lease(&self) -> Lease {
        let secret = self.clone().ok().expect("an absent response").secret;
        let secret = secret.expect("no lease");
        Lease {
            options: secret.lease_options.expect("no lease options"),
            internal_data: object(&secret.internal_data).expect("no internal data"),
        }
    }

    /// The text of an error response.
    pub(crate) fn error_text(&self) -> Option<String> {
        let data = object(&self.response.as_ref()?.data)?;
        let error = data.get("error")?;
        let only = data.keys().all(|key| key == "error" || key == "data");
        only.then(|| {
            error
                .as_str()
                .expect("an error that is no string")
                .to_owned()
        })
    }

    /// Asserts an error response without an error beside it: HTTP 400.
    #[track_caller]
    pub(crate) fn bad_request(&self) -> String {
        assert!(self.error.is_none(), "{:?}", self.error);
        let text = self.error_text();
        text.unwrap_or_else(|| panic!("no error response: {:?}", self.response))
    }

    /// Asserts an error without a response, and gives its type and text.
    #[track_caller]
    pub(crate) fn failure(&self) -> (u32, String) {
        assert!(self.response.is_none(), "{:?}", self.response);
        let error = self.error.clone().expect("no error");
        (error.err_type, error.err_msg)
    }

    /// The error beside the response.
    pub(crate) fn error(&self) -> Option<&pb::ProtoError> {
        self.error.as_ref()
    }

    pub(crate) fn is_error(&self) -> bool {
        self.error.is_some() || self.error_text().is_some()
    }

    /// The warnings.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let response = self.response.as_ref();
        response
            .map(|response| response.warnings.clone())
            .unwrap_or_default()
    }
}

impl Lease {
    /// The secret as a host sends it back, begun at `issue` and asking for `increment`, both in
    /// seconds.
    pub(crate) fn returned(&self, issue: i64, increment: i64) -> pb::Secret {
        pb::Secret {
            lease_options: Some(pb::LeaseOptions {
                increment: increment * NANOS,
                issue_time: Some(prost_types::Timestamp {
                    seconds: issue,
                    nanos: 0,
                }),
                ..self.options
            }),
            internal_data: Value::Object(self.internal_data.clone()).to_string(),
            lease_id: String::new(),
        }
    }

    /// The TTL in whole seconds.
    pub(crate) fn ttl(&self) -> i64 {
        self.options.ttl / NANOS
    }

    /// The maximum TTL in whole seconds.
    pub(crate) fn max_ttl(&self) -> i64 {
        self.options.max_ttl / NANOS
    }
}

/// Nanoseconds in a second: the wire's unit.
pub(crate) const NANOS: i64 = 1_000_000_000;

/// The object in a JSON text, or `None` for `null`; everything else fails in a host.
fn object(text: &str) -> Option<Map<String, Value>> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Some(object),
        Ok(Value::Null) => None,
        other => panic!("a host cannot read {text:?} as data: {other:?}"),
    }
}

fn check(response: &pb::Response) {
    object(&response.data);
    assert!(
        response.auth.is_none(),
        "a secrets engine answered with auth"
    );
    if let Some(wrap) = &response.wrap_info {
        assert!(
            wrap.creation_time.is_some(),
            "wrap_info without creation_time"
        );
    }
    let Some(secret) = &response.secret else {
        return;
    };
    object(&secret.internal_data);
    if let Some(options) = &secret.lease_options {
        let issued = options
            .issue_time
            .expect("lease options without issue time");
        assert!(
            (-62_135_596_800..253_402_300_800).contains(&issued.seconds),
            "{issued:?}"
        );
        assert!((0..1_000_000_000).contains(&issued.nanos), "{issued:?}");
    }
}
