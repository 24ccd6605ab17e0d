//! How long a credential lasts, and what capped it.

use std::time::Duration;

use time::OffsetDateTime;

use crate::engine::host::Limits;
use crate::engine::lifetime::AskedExpiry;
use crate::engine::lifetime::MINT_SLACK;
use crate::engine::role::RoleEntry;
use crate::framework::format_seconds;

/// How much longer than its lease a token may live in Astra: time for the host to revoke it, with
/// retries, before Astra does it by itself.
pub(super) const GRACE: Duration = Duration::from_secs(600);

/// Where an organization lets tokens live no longer than this, the grace would take too much of their
/// time: their leases last as long as they do.
const SHORT_LIFE: Duration = Duration::from_secs(2 * GRACE.as_secs());

/// When the lease of a token that was made at `made` and ends at `expiry` has ended for certain, if
/// that is before the token itself ends.
pub(crate) fn lease_end_bound(
    made: OffsetDateTime,
    expiry: OffsetDateTime,
) -> Option<OffsetDateTime> {
    (expiry - made > SHORT_LIFE + MINT_SLACK).then(|| expiry - GRACE + MINT_SLACK)
}

/// The term of one credential.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct EffectiveTtl {
    /// How long the lease lasts until it must be renewed.
    pub ttl: Duration,
    /// How long it lasts in all.
    pub max_ttl: Duration,
    /// What was cut short, each naming its cap.
    pub warnings: Vec<String>,
    /// What `ttl` is, in words.
    pub ttl_name: &'static str,
    /// What `max_ttl` is, in words.
    pub max_name: &'static str,
}

impl EffectiveTtl {
    /// The term for `role` on a mount with `limits`, when the caller asked for `requested`.
    pub(super) fn new(role: &RoleEntry, limits: Limits, requested: Option<Duration>) -> Self {
        let mut warnings = Vec::new();
        let mut cap = |what: &str, wanted: Duration, cap: &str, most: Duration| {
            if wanted > most {
                warnings.push(capped(what, wanted, most, cap));
            }
            wanted.min(most)
        };
        let mount = "the mount's max_lease_ttl";
        let max_ttl = match role.max_ttl() {
            Some(wanted) => cap("the role's max_ttl", wanted, mount, limits.max_ttl),
            None => limits.max_ttl,
        };
        let max_name = if role
            .max_ttl()
            .is_some_and(|wanted| wanted <= limits.max_ttl)
        {
            "the role's max_ttl"
        } else {
            mount
        };
        let full = match role.ttl() {
            Some(wanted) => cap("the role's ttl", wanted, max_name, max_ttl),
            None => cap(
                "the mount's default_lease_ttl",
                limits.default_ttl,
                max_name,
                max_ttl,
            ),
        };
        let full_name = match role.ttl() {
            // What caps the one caps the other.
            Some(wanted) if wanted > max_ttl => max_name,
            Some(_) => "the role's ttl",
            None if limits.default_ttl > max_ttl => max_name,
            None => "the mount's default_lease_ttl",
        };
        let ttl = match requested {
            Some(wanted) => cap("the requested ttl", wanted, full_name, full),
            None => full,
        };
        Self {
            ttl,
            max_ttl,
            warnings,
            ttl_name: full_name,
            max_name,
        }
    }

    /// When Astra is to end a token that is minted at `now`.
    pub(super) fn expiry(&self, now: OffsetDateTime) -> AskedExpiry {
        let whole = now.replace_nanosecond(0).unwrap_or(now);
        let life = time::Duration::try_from(self.max_ttl + GRACE);
        AskedExpiry {
            expiry: whole.saturating_add(life.unwrap_or(time::Duration::MAX)),
            now,
        }
    }

    /// Shortens the term so that the lease ends before its token, which has `left` to live because of
    /// `cause`: by the grace, where that leaves enough of it.
    pub(super) fn end_before(&mut self, left: Duration, cause: &str) {
        if left + MINT_SLACK >= self.max_ttl + GRACE {
            return;
        }
        let left = if left > SHORT_LIFE {
            left - GRACE
        } else {
            left
        };
        let left = Duration::from_secs(left.as_secs());
        if left < self.max_ttl {
            self.cap("the lease's max_ttl", self.max_ttl, left, cause);
            self.max_ttl = left;
        }
        if self.max_ttl < self.ttl {
            self.cap("the lease's ttl", self.ttl, self.max_ttl, cause);
            self.ttl = self.max_ttl;
        }
    }

    /// Warns that `what` was cut short by `cap`.
    pub(super) fn cap(&mut self, what: &str, wanted: Duration, most: Duration, cap: &str) {
        self.warnings.push(capped(what, wanted, most, cap));
    }
}

fn capped(what: &str, wanted: Duration, most: Duration, cap: &str) -> String {
    let (wanted, most) = (text(wanted), text(most));
    format!("{what} of {wanted} is capped at {most}, {cap}")
}

fn text(duration: Duration) -> String {
    format_seconds(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    fn role(ttl: u64, max_ttl: u64) -> RoleEntry {
        RoleEntry {
            ttl,
            max_ttl,
            ..RoleEntry::default()
        }
    }

    fn limits(default_ttl: u64, max_ttl: u64) -> Limits {
        Limits {
            default_ttl: Duration::from_secs(default_ttl),
            max_ttl: Duration::from_secs(max_ttl),
        }
    }

    fn term(role: &RoleEntry, limits: Limits, requested: Option<u64>) -> (u64, u64, Vec<String>) {
        let term = EffectiveTtl::new(role, limits, requested.map(Duration::from_secs));
        (term.ttl.as_secs(), term.max_ttl.as_secs(), term.warnings)
    }

    #[test]
    fn a_life_that_is_just_short_leaves_no_grace_and_is_told_once() {
        let before = |left: Duration, ttl, max_ttl| {
            let mut term = EffectiveTtl::new(&role(ttl, max_ttl), limits(3600, 100_000), None);
            term.end_before(left, "by Astra");
            (
                term.ttl.as_secs(),
                term.max_ttl.as_secs(),
                term.warnings.len(),
            )
        };
        let short = SHORT_LIFE;
        let longer = short + Duration::from_secs(1);
        assert_eq!(before(short, 60, 7_200), (60, 1_200, 1));
        assert_eq!(before(longer, 60, 7_200), (60, 601, 1));
        // A ttl and a max_ttl that are as long as the life are not cut.
        assert_eq!(before(short, 1_200, 7_200), (1_200, 1_200, 1));
        assert_eq!(
            before(Duration::from_secs(1_000), 60, 1_000),
            (60, 1_000, 0)
        );
        let made = datetime!(2026-11-23 12:00 UTC);
        assert_eq!(lease_end_bound(made, made + short + MINT_SLACK), None);
        let end = lease_end_bound(made, made + longer + MINT_SLACK);
        assert_eq!(end, Some(made + longer + MINT_SLACK + MINT_SLACK - GRACE));
    }

    #[test]
    fn a_role_without_ttls_takes_the_mounts() {
        assert_eq!(
            term(&role(0, 0), limits(3600, 7200), None),
            (3600, 7200, vec![])
        );
    }

    #[test]
    fn every_cap_is_named() {
        assert_eq!(
            term(&role(36_000, 36_000), limits(3600, 7200), Some(9000)),
            (
                7200,
                7200,
                vec![
                    "the role's max_ttl of 10h is capped at 2h, the mount's max_lease_ttl"
                        .to_owned(),
                    "the role's ttl of 10h is capped at 2h, the mount's max_lease_ttl".to_owned(),
                    "the requested ttl of 2h30m is capped at 2h, the mount's max_lease_ttl"
                        .to_owned(),
                ]
            )
        );
        assert_eq!(
            term(&role(0, 600), limits(3600, 7200), None),
            (
                600,
                600,
                vec![
                    "the mount's default_lease_ttl of 1h is capped at 10m, the role's max_ttl"
                        .to_owned()
                ]
            )
        );
    }

    #[test]
    fn a_request_may_shorten() {
        assert_eq!(
            term(&role(36_000, 3600), limits(60, 7200), Some(4000)).2[1],
            "the requested ttl of 1h6m40s is capped at 1h, the role's max_ttl"
        );
        assert_eq!(
            term(&role(3600, 0), limits(60, 7200), Some(5)),
            (5, 7200, vec![])
        );
    }

    #[test]
    fn an_organization_may_shorten() {
        let mut term = EffectiveTtl::new(&role(3600, 7200), limits(3600, 7200), None);
        term.end_before(
            Duration::from_secs(3000),
            "the maximum token expiry of the organization",
        );
        assert_eq!((term.ttl.as_secs(), term.max_ttl.as_secs()), (2400, 2400));
        assert_eq!(
            term.warnings,
            [
                "the lease's max_ttl of 2h is capped at 40m, the maximum token expiry of the \
                 organization",
                "the lease's ttl of 1h is capped at 40m, the maximum token expiry of the \
                 organization"
            ]
        );
    }

    #[test]
    fn a_certain_end_is_never_before_the_leases_end() {
        let made = OffsetDateTime::UNIX_EPOCH;
        for max_ttl in [1, 300, 660, 1200, 3600, 86_400] {
            for life in [
                60, 600, 1199, 1200, 1201, 1259, 1261, 1800, 4000, 90_000, 1_000_000,
            ] {
                for late in [0, 1, 55] {
                    let now = made + Duration::from_secs(late);
                    let mut term =
                        EffectiveTtl::new(&role(0, max_ttl), limits(max_ttl, max_ttl), None);
                    let expiry = term
                        .expiry(made)
                        .expiry
                        .min(made + Duration::from_secs(life));
                    let left = Duration::try_from(expiry - now).unwrap_or_default();
                    term.end_before(left, "the organization");
                    if let Some(end) = lease_end_bound(made, expiry) {
                        assert!(
                            end >= now + term.max_ttl,
                            "{max_ttl} {life} {late}: {term:?}"
                        );
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn no_term_exceeds_a_cap(ttl in 0..100_000u64, max in 0..100_000u64, default in 1..100_000u64, mount in 1..100_000u64, asked: Option<u32>) {
            let (got_ttl, got_max, _) = term(&role(ttl, max), limits(default, mount), asked.map(u64::from));
            prop_assert!(got_ttl <= got_max && got_max <= mount);
            prop_assert!(max == 0 || got_max <= max);
            prop_assert!(asked.is_none_or(|asked| got_ttl <= u64::from(asked)));
        }

        /// To the host a ttl of 0 means the mount's default.
        #[test]
        fn a_term_never_lasts_0_seconds(ttl in 0..100_000u64, max in 0..100_000u64, mount in 1..100_000u64, millis in 5_000..200_000_000u64) {
            let mut term = EffectiveTtl::new(&role(ttl, max), limits(mount, mount), None);
            let left = Duration::from_millis(millis);
            term.end_before(left, "the organization");
            prop_assert!(!term.ttl.is_zero() && term.ttl <= term.max_ttl);
            prop_assert!(term.max_ttl <= left.max(Duration::from_secs(1)));
        }
    }
}
