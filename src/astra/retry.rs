//! When a failed attempt is repeated, and after how long.
//!
//! `backon` computes the waits.  The loop is by hand because a wait must fit the deadline and obey
//! `Retry-After`.

use std::time::Duration;
use std::time::SystemTime;

use backon::BackoffBuilder;
use backon::ExponentialBackoff;
use backon::ExponentialBuilder;

use super::deadline::Deadline;
use super::error::Error;

/// The most that is added to a wait which the API asked for, so that its clients do not all come
/// back in the same instant.
const SPREAD: Duration = Duration::from_secs(1);

/// A failed attempt.
pub(super) struct Failure {
    pub(super) retry: RetryClass,
    pub(super) error: Error,
    /// Whether the API may have carried the request out.
    pub(super) maybe_applied: bool,
    /// Whether the answer leaves open if the root token is dead or lacks a permission.
    pub(super) ambiguous_401: bool,
}

impl Failure {
    /// A failure that repeating does not change, of a request that certainly had no effect.
    pub(super) fn not_applied(error: Error) -> Self {
        Self {
            retry: RetryClass::Never,
            error,
            maybe_applied: false,
            ambiguous_401: false,
        }
    }

    /// A failure that repeating does not change, of a request that may have been carried out.
    pub(super) fn unknown(error: Error) -> Self {
        Self {
            maybe_applied: true,
            ..Self::not_applied(error)
        }
    }
}

/// Whether another attempt makes sense; the time, if any, is the shortest wait that the API asked
/// for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum RetryClass {
    Never,
    RateLimited(Option<Duration>),
    Transient(Option<Duration>),
}

/// When a request may be sent again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Repeat {
    /// Whenever that may help: carried out twice it has the effect of once.
    Always,
    /// When the last one was not sent, or was refused for the rate limit: should that one have been
    /// carried out all the same, the API refuses the second.
    RefusedSecond,
    /// Only when the last one was not sent: carried out twice it has two effects.
    Unsent,
}

/// How often and how fast attempts follow each other.
#[derive(Clone, Copy)]
pub(super) struct Policy {
    rate_limited: ExponentialBuilder,
    transient: ExponentialBuilder,
}

impl Default for Policy {
    /// Four attempts within a second or two on what may be a passing failure.  A rate limit says
    /// that the API is well and wants time, so there the deadline is the real limit.
    fn default() -> Self {
        Self {
            rate_limited: ExponentialBuilder::new()
                .with_min_delay(Duration::from_millis(500))
                .with_max_delay(Duration::from_secs(8))
                .with_max_times(200)
                .with_jitter(),
            transient: ExponentialBuilder::new()
                .with_min_delay(Duration::from_millis(200))
                .with_max_delay(Duration::from_secs(4))
                .with_max_times(3)
                .with_jitter(),
        }
    }
}

/// The waits between requests that a rate limit refused, for a caller that repeats them itself.
pub struct RateLimitWaits(ExponentialBackoff);

impl RateLimitWaits {
    pub(super) fn new(policy: &Policy) -> Self {
        Self(policy.rate_limited.build())
    }

    /// Waits for as long as was asked, or a little longer each time, and returns whether that fits
    /// before `deadline`; a wait that does not fit is not begun.
    pub async fn wait(&mut self, asked: Option<Duration>, deadline: Deadline) -> bool {
        let Some(wait) = self.0.next().map(|delay| spread(asked, delay)) else {
            return false;
        };
        let fits = wait < deadline.remaining();
        if fits {
            tokio::time::sleep(wait).await;
        }
        fits
    }
}

/// The wait that was asked for, spread so that waiting clients do not come back in one instant.
fn spread(asked: Option<Duration>, delay: Duration) -> Duration {
    match asked {
        Some(asked) => asked.saturating_add(delay.min(SPREAD).mul_f64(fastrand::f64())),
        None => delay,
    }
}

impl Policy {
    /// As many attempts as ever, with waits that a test does not notice.
    #[cfg(test)]
    pub(super) fn quick() -> Self {
        let Self {
            rate_limited,
            transient,
        } = Self::default();
        let wait = Duration::from_millis(1);
        Self {
            rate_limited: rate_limited.with_min_delay(wait).with_max_delay(wait),
            transient: transient.with_min_delay(wait).with_max_delay(wait),
        }
    }

    /// Repeats `attempt`, which is given its number from 1, as its failures suggest.
    ///
    /// A wait that would end after `deadline` is not begun: the failure is returned at once.
    pub(super) async fn run<T, A>(
        &self,
        deadline: Deadline,
        mut attempt: impl FnMut(u32) -> A,
    ) -> Result<T, Failure>
    where
        A: Future<Output = Result<T, Failure>>,
    {
        let mut rate_limited = self.rate_limited.build();
        let mut transient = self.transient.build();
        let mut number = 1;
        let mut maybe_applied = false;
        loop {
            let mut failure = match attempt(number).await {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            // What an earlier attempt may have done, a later refusal does not undo.
            failure.maybe_applied |= maybe_applied;
            maybe_applied = failure.maybe_applied;
            let (delay, asked) = match failure.retry {
                RetryClass::Never => return Err(failure),
                RetryClass::RateLimited(asked) => (rate_limited.next(), asked),
                RetryClass::Transient(asked) => (transient.next(), asked),
            };
            let Some(delay) = delay else {
                return Err(failure);
            };
            let wait = spread(asked, delay);
            if wait >= deadline.remaining() {
                return Err(failure);
            }
            tracing::debug!(
                kind = failure.error.kind(),
                attempt = number,
                wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                "repeating a request to Astra"
            );
            tokio::time::sleep(wait).await;
            number = number.saturating_add(1);
        }
    }
}

/// Reads `Retry-After`: seconds, or an HTTP date taken relative to `now`, which should be the
/// answer's own `Date` so that a wrong clock on either side does not matter.  Anything else is as
/// if it were absent.
pub(super) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More seconds than a number holds is still "very long".
        return Some(Duration::from_secs(
            value.parse().unwrap_or(u64::from(u32::MAX)),
        ));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;
    use std::time::SystemTime;

    use proptest::prelude::any;
    use proptest::proptest;
    use tokio::time::Instant;

    use super::Failure;
    use super::Policy;
    use super::RetryClass;
    use super::retry_after;
    use crate::astra::Deadline;
    use crate::astra::Error;

    fn failure(retry: RetryClass) -> Failure {
        let error = Error::InvalidArgument {
            reason: String::new(),
        };
        Failure {
            retry,
            ..Failure::not_applied(error)
        }
    }

    /// How many attempts are made, and how long they take, when every one fails with `retry`.
    async fn exhaust(retry: RetryClass, time: u64) -> (u32, Duration) {
        let start = Instant::now();
        let count = Cell::new(0);
        let result: Result<(), Failure> = Policy::default()
            .run(Deadline::after(Duration::from_secs(time)), |number| {
                count.set(number);
                async move { Err(failure(retry)) }
            })
            .await;
        assert!(result.is_err());
        (count.get(), start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn passing_failures_get_four_attempts() {
        let (attempts, took) = exhaust(RetryClass::Transient(None), 50).await;
        assert_eq!(attempts, 4);
        assert!(took >= Duration::from_millis(1_400), "{took:?}");
        assert!(took <= Duration::from_millis(2_900), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn permanent_failures_get_one_attempt() {
        assert_eq!(exhaust(RetryClass::Never, 50).await, (1, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn rate_limits_are_repeated_until_the_deadline() {
        let (attempts, took) =
            exhaust(RetryClass::RateLimited(Some(Duration::from_secs(1))), 30).await;
        assert!((15..=30).contains(&attempts), "{attempts}");
        assert!(took <= Duration::from_secs(30), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_beyond_the_deadline_is_not_begun() {
        let hour = Some(Duration::from_secs(3_600));
        assert_eq!(
            exhaust(RetryClass::RateLimited(hour), 50).await,
            (1, Duration::ZERO)
        );
        assert_eq!(
            exhaust(RetryClass::Transient(hour), 50).await,
            (1, Duration::ZERO)
        );
        assert_eq!(
            exhaust(RetryClass::RateLimited(Some(Duration::MAX)), 50)
                .await
                .0,
            1
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_one_attempt_may_have_done_no_later_refusal_undoes() {
        let result: Result<(), Failure> = Policy::default()
            .run(
                Deadline::after(Duration::from_secs(50)),
                |number| async move {
                    let transient = failure(RetryClass::Transient(None));
                    Err(match number {
                        1 => Failure {
                            maybe_applied: true,
                            ..transient
                        },
                        2 => transient,
                        _ => failure(RetryClass::Never),
                    })
                },
            )
            .await;
        assert!(result.is_err_and(|failure| failure.maybe_applied));
    }

    #[tokio::test(start_paused = true)]
    async fn success_ends_it() {
        let result = Policy::default()
            .run(
                Deadline::after(Duration::from_secs(9)),
                |number| async move {
                    match number {
                        3 => Ok(number),
                        _ => Err(failure(RetryClass::Transient(None))),
                    }
                },
            )
            .await;
        assert_eq!(result.ok(), Some(3));
    }

    #[test]
    fn reads_retry_after() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        for (value, expected) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sunday, 06-Nov-94 08:50:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("99999999999999999999999", Some(u64::from(u32::MAX))),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
        ] {
            assert_eq!(
                retry_after(value, now).map(|wait| wait.as_secs()),
                expected,
                "{value}"
            );
        }
    }

    proptest! {
        #[test]
        fn retry_after_never_panics(value in any::<String>(), seconds in any::<u64>()) {
            let _ = retry_after(&value, SystemTime::UNIX_EPOCH);
            assert!(retry_after(&seconds.to_string(), SystemTime::now()).is_some());
        }
    }
}
