//! The fault rules in force.

use std::time::Duration;

use serde::Serialize;

use crate::error::Error;
use crate::fault::kind::Fault;
use crate::fault::kind::LatencyPoint;
use crate::fault::rule::FaultRule;

/// A rule that was added.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ActiveRule {
    /// For deleting it.
    pub id: u64,
    /// The rule.
    #[serde(flatten)]
    pub rule: FaultRule,
    /// Requests that met the conditions.
    pub matched: u64,
    /// How often it fired.
    pub fired: u64,
}

/// What the rules make of one request.
#[derive(Default)]
pub(crate) struct FiredFaults {
    /// The fault that decides the answer.
    pub(crate) main: Option<Fault>,
    pub(crate) before: Duration,
    pub(crate) after: Duration,
    /// `Some(reset on the next request)`.
    pub(crate) close_idle: Option<bool>,
    pub(crate) kinds: Vec<&'static str>,
}

/// What a matcher looks at.
pub(crate) struct Matchable<'a> {
    pub(crate) method: &'a str,
    /// Without query.
    pub(crate) path: &'a str,
    /// The client id in the credentials, valid or not.
    pub(crate) client_id: Option<&'a str>,
    /// Its organization.
    pub(crate) org_id: Option<&'a str>,
}

/// The rules in force.
#[derive(Default)]
pub(crate) struct FaultRules {
    rules: Vec<ActiveRule>,
    last_id: u64,
}

impl FaultRules {
    pub(crate) fn add(&mut self, rule: FaultRule) -> Result<u64, Error> {
        rule.fault.check()?;
        if rule
            .matcher
            .probability
            .is_some_and(|p| !(0.0..=1.0).contains(&p))
        {
            return Err(Error::Fault("probability is from 0 to 1".into()));
        }
        if rule.times == Some(0) || rule.matcher.nth == Some(0) {
            return Err(Error::Fault("times and nth count from 1".into()));
        }
        self.last_id += 1;
        self.rules.push(ActiveRule {
            id: self.last_id,
            rule,
            matched: 0,
            fired: 0,
        });
        Ok(self.last_id)
    }

    pub(crate) fn remove(&mut self, id: u64) -> bool {
        let before = self.rules.len();
        self.rules.retain(|active| active.id != id);
        self.rules.len() < before
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    pub(crate) fn all(&self) -> Vec<ActiveRule> {
        self.rules.clone()
    }

    /// The listener faults in force.
    pub(crate) fn listener_faults(&self) -> impl Iterator<Item = &Fault> {
        self.rules
            .iter()
            .map(|active| &active.rule.fault)
            .filter(|fault| fault.is_listener_fault())
    }

    /// Matches a request against every rule and uses up what fires.
    pub(crate) fn fire(&mut self, rng: &mut fastrand::Rng, request: &Matchable<'_>) -> FiredFaults {
        let mut fired = FiredFaults::default();
        for active in &mut self.rules {
            let fault = &active.rule.fault;
            if fault.is_listener_fault() || (fired.main.is_some() && !fault.is_additive()) {
                continue;
            }
            if !active.hit(rng, request) {
                continue;
            }
            let fault = &active.rule.fault;
            fired.kinds.push(fault.kind());
            match fault {
                Fault::Latency { ms, max_ms, at } => {
                    let ms = max_ms.map_or(*ms, |max| rng.u64(*ms..=max.max(*ms)));
                    let delay = Duration::from_millis(ms);
                    match at {
                        LatencyPoint::Before => fired.before += delay,
                        LatencyPoint::AfterCommit => fired.after += delay,
                    }
                }
                Fault::CloseIdle { on_next_request } => fired.close_idle = Some(*on_next_request),
                other => fired.main = Some(other.clone()),
            }
        }
        self.rules
            .retain(|active| active.rule.times.is_none_or(|times| active.fired < times));
        fired
    }
}

impl ActiveRule {
    fn hit(&mut self, rng: &mut fastrand::Rng, request: &Matchable<'_>) -> bool {
        let matcher = &self.rule.matcher;
        let meets = matcher
            .method
            .as_deref()
            .is_none_or(|own| own == request.method)
            && matcher
                .path
                .as_deref()
                .is_none_or(|glob| matches_glob(glob, request.path))
            && matcher
                .client_id
                .as_deref()
                .is_none_or(|own| Some(own) == request.client_id)
            && matcher
                .org_id
                .as_deref()
                .is_none_or(|own| Some(own) == request.org_id);
        if !meets {
            return false;
        }
        self.matched += 1;
        let hit = matcher.nth.is_none_or(|nth| nth == self.matched)
            && matcher.after.is_none_or(|after| self.matched > after)
            && matcher
                .probability
                .is_none_or(|probability| rng.f64() < probability);
        if hit {
            self.fired += 1;
        }
        hit
    }
}

/// `*` is any text, `?` one character.
fn matches_glob(glob: &str, text: &str) -> bool {
    let glob: Vec<char> = glob.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut here, mut star) = (0, 0, None);
    while here < text.len() {
        match glob.get(at) {
            Some('*') => {
                star = Some((at, here));
                at += 1;
            }
            Some(symbol) if *symbol == '?' || Some(symbol) == text.get(here) => {
                at += 1;
                here += 1;
            }
            _ => match star {
                Some((star_at, star_here)) => {
                    at = star_at + 1;
                    here = star_here + 1;
                    star = Some((star_at, star_here + 1));
                }
                None => return false,
            },
        }
    }
    glob.iter().skip(at).all(|symbol| *symbol == '*')
}

#[cfg(test)]
mod tests {
    use super::matches_glob;

    #[test]
    fn globs() {
        assert!(matches_glob("/v2/clientIdSecrets*", "/v2/clientIdSecrets"));
        assert!(matches_glob(
            "/v2/clientIdSecrets/*",
            "/v2/clientIdSecrets/abc"
        ));
        assert!(matches_glob("*", "/v2/x/y"));
        assert!(matches_glob("/v?/*/y", "/v2/x/z/y"));
        assert!(!matches_glob(
            "/v2/clientIdSecrets",
            "/v2/clientIdSecrets/abc"
        ));
        assert!(!matches_glob("/v2/a*b", "/v2/a"));
    }
}
