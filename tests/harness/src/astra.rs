//! The emulated Astra behind a mount.

use std::time::Duration;

use astra_emulator::Emulator;
use astra_emulator::Fault;
use astra_emulator::FaultRule;
use astra_emulator::Options;
use astra_emulator::Profile;
use astra_emulator::WaitFor;
use astra_emulator::fault::FaultBody;
use astra_emulator::fault::LatencyPoint;
use reqwest::Client;
use serde_json::Value;
use serde_json::json;

/// An emulated organization, with the words that tests use for it.
#[derive(Clone)]
pub struct Astra {
    /// The emulator itself, for what has no word here.
    pub emulator: Emulator,
    client: Client,
}

impl Astra {
    /// Starts an emulator on the current runtime.
    pub async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    /// Starts an emulator whose clock is behind, so that what is made now is old once the clock is set.
    pub async fn start_in_the_past(by: Duration) -> Self {
        let start_time = std::time::SystemTime::now() - by;
        Self::start_with(Options {
            start_time: Some(start_time.into()),
            ..Options::default()
        })
        .await
    }

    /// Starts an emulator that is as lenient as the real service is reported to be, for clients that are not
    /// this project's.
    pub async fn start_lenient() -> Self {
        Self::start_with(Options {
            profile: Profile::Field,
            ..Options::default()
        })
        .await
    }

    async fn start_with(options: Options) -> Self {
        let options = Options {
            seed: fastrand::u64(..),
            ..options
        };
        let emulator = Emulator::start(options).await.expect("an emulator");
        let client = Client::builder()
            .user_agent("astra-tests/1")
            .no_proxy()
            .build()
            .expect("an HTTP client");
        Self { emulator, client }
    }

    /// The URL to configure.
    pub fn url(&self) -> String {
        self.emulator.url()
    }

    /// The token of an organization administrator.
    pub fn root_token(&self) -> String {
        self.emulator.root_token()
    }

    /// The client id in [`Self::root_token`].
    pub fn root_client_id(&self) -> String {
        let token = self.root_token();
        token.split(':').nth(1).expect("a client id").to_owned()
    }

    /// The organization's id.
    pub fn org_id(&self) -> String {
        self.emulator.seeds().organizations[0].id.clone()
    }

    /// Client ids of the tokens that were minted and still live.
    pub fn live(&self) -> Vec<String> {
        self.emulator
            .live_tokens()
            .into_iter()
            .map(|token| token.client_id)
            .collect()
    }

    /// Mints a token of the role [`crate::READ_ONLY`] with `root` as the archived engine does, without
    /// expiry and description, and gives Astra's answer.
    pub async fn mint_plainly(&self, root: &str) -> Value {
        let role = &self.emulator.seeds().roles[crate::READ_ONLY];
        let answer = self
            .client
            .post(format!("{}/v2/clientIdSecrets", self.url()))
            .bearer_auth(root)
            .header("accept", "application/json")
            .header("content-type", "application/json")
            .body(json!({ "roles": [role] }).to_string())
            .send()
            .await
            .expect("an answer from the emulator");
        let body = answer.bytes().await.expect("a whole answer");
        serde_json::from_slice(&body).expect("a minted token")
    }

    /// Whether Astra takes `token`.
    pub async fn accepts(&self, token: &str) -> bool {
        let response = self
            .client
            .get(format!("{}/v2/currentOrg", self.url()))
            .bearer_auth(token)
            .header("accept", "application/json")
            .send()
            .await
            .expect("an answer from the emulator");
        match response.status().as_u16() {
            200 => true,
            401 => false,
            status => panic!("the emulator answered {status}"),
        }
    }

    /// The description of a token.
    pub fn description(&self, client_id: &str) -> String {
        self.emulator
            .token(client_id)
            .expect("a token of this organization")
            .description
    }

    /// Seconds until Astra itself ends a token.
    pub fn seconds_left(&self, client_id: &str) -> i64 {
        let token = self
            .emulator
            .token(client_id)
            .expect("a token of this organization");
        let expiry = token.token_expiry.expect("a token with an end");
        seconds_of(&expiry) - self.emulator.now().unix_timestamp()
    }

    /// Deletes a token as somebody in the portal would.
    pub fn delete(&self, client_id: &str) {
        self.emulator
            .revoke_token(client_id)
            .expect("a token of this organization");
    }

    /// Every answer takes so much longer; the request is carried out after the delay.
    pub fn set_latency(&self, delay: Duration) {
        let knobs =
            json!({ "latency_ms": u64::try_from(delay.as_millis()).expect("a short delay") });
        self.emulator.set_knobs(knobs).expect("a knob");
    }

    /// So many requests a second are let through; all for `None`.
    pub fn limit_rate(&self, per_second: Option<u32>) {
        let knobs = json!({ "rate_limit_per_s": per_second });
        self.emulator.set_knobs(knobs).expect("a knob");
    }

    /// Every mint is answered so much later than it is carried out; none for zero.
    pub fn set_mint_answer_delay(&self, delay: Duration) {
        self.emulator.clear_faults();
        if !delay.is_zero() {
            let ms = u64::try_from(delay.as_millis()).expect("a short delay");
            let fault = Fault::Latency {
                ms,
                max_ms: None,
                at: LatencyPoint::AfterCommit,
            };
            self.add(FaultRule::new(fault).on("POST", "/v2/clientIdSecrets"));
        }
    }

    /// The next `times` mints are carried out, but their connection breaks before the answer.
    pub fn lose_mint_answers(&self, times: u64) {
        let rule = FaultRule::new(Fault::ResetAfterCommit {}).on("POST", "/v2/clientIdSecrets");
        self.add(rule.times(times));
    }

    /// Whether deletions are refused, as when the root token has lost the right.
    pub fn refuse_deletions(&self, refuse: bool) {
        self.emulator.clear_faults();
        if refuse {
            let fault = Fault::Status {
                status: 403,
                body: FaultBody::String,
                retry_after: None,
                committed: false,
            };
            self.add(FaultRule::new(fault).on("DELETE", "/v2/clientIdSecrets/*"));
        }
    }

    /// Whether every connection is refused, as when the service is down.
    pub fn close(&self, closed: bool) {
        self.emulator.clear_faults();
        if closed {
            self.add(FaultRule::new(Fault::NoListen {}));
        }
    }

    /// Waits until `count` minted tokens live.
    pub async fn until_live(&self, count: usize, limit: Duration) {
        let wanted = WaitFor {
            token_count: Some(count),
            ..WaitFor::default()
        };
        assert!(
            self.emulator.wait(wanted, limit).await,
            "{count} live tokens: not within {limit:?}"
        );
    }

    /// How many tokens were minted so far, live or not.
    pub fn minted(&self) -> u64 {
        self.emulator.invariants().minted
    }

    /// Every secret that this organization knows.
    pub fn secrets(&self) -> Vec<String> {
        self.emulator
            .tokens(true)
            .into_iter()
            .flat_map(|token| [token.secret, token.token])
            .flatten()
            .collect()
    }

    fn add(&self, rule: FaultRule) {
        self.emulator.add_fault(rule).expect("a fault");
    }
}

/// Unix time of an RFC 3339 text in UTC, to the second.
fn seconds_of(text: &str) -> i64 {
    let number =
        |range: std::ops::Range<usize>| text[range].parse::<i64>().expect("a number in a time");
    let (year, month, day) = (number(0..4), number(5..7), number(8..10));
    // Days since 1970-01-01 in the proleptic Gregorian calendar, years beginning in March.
    let (y, m) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    days * 86_400 + number(11..13) * 3_600 + number(14..16) * 60 + number(17..19)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        assert_eq!(seconds_of("1970-01-01T00:00:00Z"), 0);
        assert_eq!(seconds_of("2024-02-29T12:34:56.789Z"), 1_709_210_096);
        assert_eq!(seconds_of("2026-11-24T00:00:00Z"), 1_795_478_400);
    }
}
