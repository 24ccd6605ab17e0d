//! Whether Astra still has what storage says of custom roles: compared once an hour, and at each read
//! of a role.

use std::collections::HashMap;

use parking_lot::Mutex;
use parking_lot::MutexGuard;
use time::Duration;
use time::OffsetDateTime;

use super::PolicyRole;
use super::custom_role::is_foreign;
use crate::astra::Role;

/// How often a tick compares.
pub(crate) const INTERVAL: Duration = Duration::HOUR;

/// How a custom role in Astra differs from what storage says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Drift {
    /// It grants something else, although storage wrote it last: an operator changed it by hand.
    Changed,
    /// Somebody else wrote it: another cluster with this storage, or this one after the snapshot that
    /// its storage is restored from.
    Foreign,
}

/// When each config is compared next.
#[derive(Default)]
pub(crate) struct Comparisons {
    next: Mutex<HashMap<String, OffsetDateTime>>,
}

/// How `listed` differs from the stored `custom`.
pub(crate) fn drift(custom: &PolicyRole, listed: &Role) -> Option<Drift> {
    if is_foreign(listed, custom.nonces.iter()) {
        return Some(Drift::Foreign);
    }
    // Where Astra does not show the policy nothing can be compared.
    let policy = listed.policy.as_ref()?;
    let is_same = sorted(&policy.actions) == custom.policy.actions
        && sorted(&policy.resources) == custom.policy.resources;
    (!is_same).then_some(Drift::Changed)
}

fn sorted(texts: &[String]) -> Vec<String> {
    let mut texts = texts.to_vec();
    texts.sort();
    texts.dedup();
    texts
}

impl Comparisons {
    /// Whether it is time to compare `config`.
    pub(crate) fn is_due(&self, config: &str, now: OffsetDateTime) -> bool {
        // A clock that was set back must not put it off.
        let is_waiting = |next: &OffsetDateTime| *next > now && *next - now <= INTERVAL;
        !self.next().get(config).is_some_and(is_waiting)
    }

    /// `config` is compared next at `next`.
    pub(crate) fn set_next(&self, config: &str, next: OffsetDateTime) {
        self.next().insert(config.to_owned(), next);
    }

    fn next(&self) -> MutexGuard<'_, HashMap<String, OffsetDateTime>> {
        self.next.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::astra::Policy;
    use crate::engine::role::custom_role::Nonce;
    use time::macros::datetime;

    #[test]
    fn another_policy_and_another_writer_are_told_apart() {
        let nonce = Nonce::random();
        let mut custom = PolicyRole {
            nonces: vec![nonce.clone()],
            ..PolicyRole::default()
        };
        custom.policy.actions = vec!["db-cql".to_owned(), "db-rest".to_owned()];
        let mount = crate::engine::intent::MountId::random();
        let listed = |actions: &[&str], description: String| Role {
            policy: Some(Policy {
                actions: actions.iter().map(|&action| action.to_owned()).collect(),
                description,
                ..Policy::default()
            }),
            id: "1".to_owned(),
            name: "n".to_owned(),
        };
        let own = || nonce.describe(mount, "x");
        let other = || Nonce::random().describe(mount, "x");
        assert_eq!(drift(&custom, &listed(&["db-rest", "db-cql"], own())), None);
        assert_eq!(
            drift(&custom, &listed(&["db-cql"], own())),
            Some(Drift::Changed)
        );
        let by_hand = "by hand".to_owned();
        assert_eq!(
            drift(&custom, &listed(&["*"], by_hand)),
            Some(Drift::Changed)
        );
        let foreign = listed(&["db-rest", "db-cql"], other());
        assert_eq!(drift(&custom, &foreign), Some(Drift::Foreign));
        let unknown = Role {
            policy: None,
            ..foreign
        };
        assert_eq!(drift(&custom, &unknown), None);
    }

    #[test]
    fn a_config_is_compared_once_an_hour() {
        let comparisons = Comparisons::default();
        let now = datetime!(2026-11-23 12:00 UTC);
        assert!(comparisons.is_due("a", now));
        comparisons.set_next("a", now + INTERVAL);
        assert!(!comparisons.is_due("a", now + Duration::minutes(59)));
        assert!(comparisons.is_due("b", now));
        assert!(comparisons.is_due("a", now + INTERVAL));
        assert!(comparisons.is_due("a", now - Duration::DAY), "set back");
    }
}
