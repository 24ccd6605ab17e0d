//! Points at which a test build can be made to die.
//!
//! With the feature `failpoints` each point stands between two awaits that matter;
//! `tests/reliability` walks them all against a real Vault.  Without the feature a point is nothing.
//!
//! Renewing has no point: it changes nothing but what the host stores.  A mark that the host does not
//! store has none either, because no real host can be made to refuse just that write; the unit tests
//! of `engine::intent` see to it.

/// Every point, in the order of the work.
pub const POINTS: &[&str] = &[
    "mint.received",
    "mint.limits-asked",
    "mint.first-try-undone",
    "mint.block-reserved",
    "mint.intent-begun",
    "mint.outcome-unknown",
    "mint.found-deleted",
    "mint.token-made",
    "mint.completed",
    "take-back.begun",
    "take-back.reopened",
    "take-back.token-deleted",
    "revoke.received",
    "revoke.config-found",
    "revoke.token-deleted",
    "tick.received",
    "tick.listed",
    "tick.token-deleted",
    "tidy.token-deleted",
    "rotate-root.minted",
    "rotate-root.proved",
    "rotate-root.stored",
    "rotate-root.kept",
    "rotate-root.old-deleted",
    "rotate-role.minted",
    "rotate-role.proved",
    "rotate-role.stored",
    "rotate-role.kept",
    "static-role.buried",
    "static-role.old-deleted",
    "role.checked",
    "role.stored",
    "custom-role.noted",
    "custom-role.made",
    "custom-role.updated",
    "role.removal-noted",
    "role.removed",
    "custom-role.deleted",
    "config.checked",
    "config.stored",
    "config.unheld",
    "config.farewell-noted",
    "config.removed",
    "config.root-deleted",
];

/// Dies here if the test asks for it.
#[cfg(feature = "failpoints")]
pub fn point(name: &'static str) {
    debug_assert!(POINTS.contains(&name), "{name} is not in the list");
    fail::fail_point!(name);
}

/// Dies here if the test asks for it; not in this build.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn point(_name: &'static str) {}

/// Makes the points listen: a point dies when the file that `variable` names holds the point's
/// name.  The file is removed first, so that the next process lives.
#[cfg(feature = "failpoints")]
pub fn listen(variable: &str) {
    let Some(file) = std::env::var_os(variable) else {
        return;
    };
    for name in POINTS {
        let file = file.clone();
        let armed = move || {
            let is_armed = std::fs::read_to_string(&file).is_ok_and(|armed| armed.trim() == *name);
            if is_armed && std::fs::remove_file(&file).is_ok() {
                tracing::warn!(point = name, "dying as asked");
                std::process::abort();
            }
        };
        if let Err(error) = fail::cfg_callback(*name, armed) {
            tracing::error!(point = name, error, "the point does not listen");
        }
    }
}
