//! Fault rules: which requests go wrong, and how.

pub(crate) mod apply;
mod kind;
mod rule;
mod rules;

pub use kind::Ending;
pub use kind::Fault;
pub use kind::FaultBody;
pub use kind::LatencyPoint;
pub use kind::Malformation;
pub use kind::RedirectTarget;
pub use kind::RetryAfter;
pub use rule::FaultRule;
pub use rule::Matcher;
pub use rules::ActiveRule;
pub(crate) use rules::FaultRules;
pub(crate) use rules::FiredFaults;
pub(crate) use rules::Matchable;
