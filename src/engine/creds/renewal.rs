//! Extending the lease on a token.

use std::time::Duration;

use serde_json::Map;
use serde_json::Value;
use time::OffsetDateTime;

use super::error::LeaseError;
use super::lease::LeaseData;
use super::ttl::EffectiveTtl;
use super::ttl::GRACE;
use crate::engine::Engine;
use crate::engine::error::Error;
use crate::engine::error::HandlerResult;
use crate::engine::host::Limits;
use crate::engine::lifetime::MINT_SLACK;
use crate::engine::metrics::Counted;
use crate::engine::role::RoleEntry;
use crate::engine::time_text::time_text;
use crate::vault::Lease;
use crate::vault::LeaseInfo;
use crate::vault::Response;

/// What is known of the lease that is to be extended.
#[derive(Clone, Copy, Debug)]
struct RenewalState {
    /// When it began.
    issued: OffsetDateTime,
    /// When Astra ends the token, which is fixed since its mint; `None` where it does not.
    expiry: Option<OffsetDateTime>,
    /// What the caller asks for; zero for the usual.
    increment: Duration,
}

/// Extends a lease on a token.
pub(crate) async fn renew(engine: &Engine, lease: LeaseInfo) -> HandlerResult {
    let limits = engine.host.recent_writer_limits().await?;
    let data = LeaseData::of(&lease)?;
    let role = engine.roles.find(data.role).await?;
    let renewed = match role {
        Some(role) => term_of(&role, limits, &lease, data.expires_at, engine.clock.now()),
        None => Err(LeaseError::RoleGone(data.role.to_owned()).into()),
    };
    let metrics = &engine.metrics;
    metrics.count(Counted::Renewal, data.config, data.role, &renewed);
    Ok(Some(response(renewed?, lease.internal_data)))
}

/// The answer to the renewal of `lease`, whose token ends at `expiry`, or never.
pub(crate) fn extend(
    role: &RoleEntry,
    limits: Limits,
    lease: LeaseInfo,
    expiry: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> HandlerResult {
    let term = term_of(role, limits, &lease, expiry, now)?;
    Ok(Some(response(term, lease.internal_data)))
}

fn term_of(
    role: &RoleEntry,
    limits: Limits,
    lease: &LeaseInfo,
    expiry: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> Result<EffectiveTtl, Error> {
    let present = RenewalState {
        issued: lease.issue_time.unwrap_or(now),
        expiry,
        increment: lease.increment,
    };
    extended(role, limits, present, now)
}

fn response(term: EffectiveTtl, internal_data: Map<String, Value>) -> Response {
    let lease = Lease {
        ttl: term.ttl,
        max_ttl: term.max_ttl,
        renewable: true,
        internal_data,
    };
    Response::default()
        .with_lease(lease)
        .with_warnings(term.warnings)
}

/// The full ttl while there is room for it, then what is left.  The host gives a caller who asks for
/// more than the ttl as much, up to what is left.
fn extended(
    role: &RoleEntry,
    limits: Limits,
    present: RenewalState,
    now: OffsetDateTime,
) -> Result<EffectiveTtl, Error> {
    let mut term = EffectiveTtl::new(role, limits, None);
    // What caps the maximum was told with the credential; here it counts for what is left.
    term.warnings.clear();
    let mut end = present.issued + term.max_ttl;
    let mut is_token_first = false;
    if let Some(expiry) = present.expiry {
        // The lease ends before the token, also when the mount or the role has become more generous
        // since.
        let last = expiry - GRACE;
        if until(last, now).is_zero() {
            return Err(LeaseError::TokenEnds(time_text(Some(expiry))).into());
        }
        is_token_first = last + MINT_SLACK < end;
        end = end.min(last);
        term.max_ttl = term.max_ttl.min(until(last, present.issued));
    }
    let left = until(end, now);
    if left.is_zero() {
        return Err(LeaseError::MaxTtlReached.into());
    }
    let (what, wanted) = match role.ttl() {
        Some(ttl) => ("the role's ttl", ttl),
        None => ("the mount's default_lease_ttl", limits.default_ttl),
    };
    // Of a requested increment the host itself warns that it is capped.  Times are in whole seconds.
    if present.increment.is_zero() && wanted > left + Duration::from_secs(1) {
        let cap = match is_token_first {
            true => "what is left until shortly before Astra ends the token",
            false => &format!("what is left of {}", term.max_name),
        };
        term.cap(what, wanted, left, cap);
    }
    term.ttl = term.ttl.min(left);
    Ok(term)
}

/// Whole seconds from `now` to `time`.
fn until(time: OffsetDateTime, now: OffsetDateTime) -> Duration {
    let left = Duration::try_from(time - now).unwrap_or_default();
    Duration::from_secs(left.as_secs())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const ISSUED: OffsetDateTime = datetime!(2026-11-23 12:00 UTC);
    const HOUR: Duration = Duration::from_secs(3_600);

    /// The ttl and the warnings of a lease that is extended `age` after its beginning; its token was
    /// made to last for `life`.
    fn renewed(
        role: (u64, u64),
        mount_max: Duration,
        life: Duration,
        increment: Duration,
        age: Duration,
    ) -> Result<(u64, Vec<String>), String> {
        let role = RoleEntry {
            ttl: role.0,
            max_ttl: role.1,
            ..RoleEntry::default()
        };
        let limits = Limits {
            default_ttl: HOUR,
            max_ttl: mount_max,
        };
        let present = RenewalState {
            issued: ISSUED,
            expiry: Some(ISSUED + life),
            increment,
        };
        extended(&role, limits, present, ISSUED + age)
            .map(|term| (term.ttl.as_secs(), term.warnings))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn with_room_nothing_is_capped() {
        let role = (3_600, 8 * 3_600);
        let term = renewed(role, 24 * HOUR, 8 * HOUR + GRACE, Duration::ZERO, 7 * HOUR);
        assert_eq!(term, Ok((3_600, vec![])));
        let term = renewed(role, 24 * HOUR, 8 * HOUR + GRACE, 2 * HOUR, HOUR);
        assert_eq!(term, Ok((3_600, vec![])));
    }

    #[test]
    fn each_cap_is_named() {
        let (none, life) = (Duration::ZERO, 8 * HOUR + GRACE);
        let role = (3_600, 8 * 3_600);
        for (role, mount_max, life, increment, ttl, warnings) in [
            (
                role,
                24 * HOUR,
                life,
                none,
                1_800,
                vec!["the role's ttl of 1h is capped at 30m, what is left of the role's max_ttl"],
            ),
            (role, 24 * HOUR, life, 2 * HOUR, 1_800, vec![]),
            (
                (0, 0),
                8 * HOUR,
                life,
                none,
                1_800,
                vec![
                    "the mount's default_lease_ttl of 1h is capped at 30m, what is left of the \
                     mount's max_lease_ttl",
                ],
            ),
            // The role has become more generous since the mint.
            (
                (3_600, 24 * 3_600),
                48 * HOUR,
                life,
                none,
                1_800,
                vec![
                    "the role's ttl of 1h is capped at 30m, what is left until shortly before \
                     Astra ends the token",
                ],
            ),
            // The mount less so.
            (
                role,
                HOUR * 15 / 2 + Duration::from_secs(60),
                life,
                none,
                60,
                vec![
                    "the role's ttl of 1h is capped at 1m, what is left of the mount's \
                     max_lease_ttl",
                ],
            ),
        ] {
            let term = renewed(role, mount_max, life, increment, HOUR * 15 / 2);
            let warnings: Vec<String> = warnings.into_iter().map(str::to_owned).collect();
            assert_eq!(term, Ok((ttl, warnings)));
        }
    }

    #[test]
    fn at_the_end_there_is_no_extension() {
        let role = (3_600, 8 * 3_600);
        let refusal = |life, age| renewed(role, 24 * HOUR, life, HOUR, age).unwrap_err();
        assert_eq!(
            refusal(8 * HOUR + GRACE, 8 * HOUR),
            "the token reaches its end at 2026-11-23T20:10:00Z: the lease is not extended; read a \
             new credential"
        );
        assert!(refusal(9 * HOUR, 8 * HOUR).starts_with("the lease has reached its maximum TTL"));
    }
}
