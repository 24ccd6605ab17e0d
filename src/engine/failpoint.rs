//! Points at which a test build can be made to die.
//!
//! With the feature `failpoints` one point stands where the work begins and one after each await that
//! changes something, in storage or in Astra, which `tests/docs_sync/failpoints.rs` checks.  Awaits
//! that change nothing lie between two points, and dying there is dying at the point before.
//! `tests/reliability` walks them all.  Without the feature a point is nothing.
//!
//! Renewing has no point: it changes nothing but what the host stores.  A mark that the host does not
//! store has none either, because no real host can be made to refuse just that write; the unit tests
//! of `engine::intent` see to it.

/// Every point, in the order of the work.
pub const FAILPOINTS: &[&str] = &[
    "mount.identified",
    // A credential.
    "mint.received",
    "mint.limits-asked",
    "mint.first-try-undone",
    "mint.block-reserved",
    "mint.block-refreshed",
    "mint.intent-begun",
    "mint.outcome-unknown",
    "mint.found-deleted",
    "mint.token-made",
    "mint.completed",
    // A token that is not handed out after all.
    "uncommitted.rolled-back",
    "uncommitted.removed",
    "take-back.begun",
    "take-back.reopened",
    "take-back.token-deleted",
    "revoke.received",
    "revoke.config-found",
    "revoke.token-deleted",
    "old-lease.token-deleted",
    "old-lease.entry-removed",
    // Taking over a mount of the archived engine.
    "import.config-stored",
    "import.role-stored",
    "import.recorded",
    "finish.marked",
    "finish.entry-removed",
    // Clearing up.
    "tick.received",
    "tick.listed",
    "tick.token-deleted",
    "tick.block-removed",
    "tick.custom-role-sent",
    "tick.custom-role-deleted",
    "block.saved",
    "block.retired",
    "tidy.token-deleted",
    // Rotation.
    "rotate-root.minted",
    "rotate-root.proved",
    "rotate-root.stored",
    "rotate-root.kept",
    "rotate-root.old-deleted",
    "rotate-root.old-forgotten",
    "rotate-role.minted",
    "rotate-role.proved",
    "rotate-role.stored",
    "rotate-role.kept",
    "rotation.failure-noted",
    "rotation.failures-cleared",
    // Roles and configs.
    "static-role.checked",
    "static-role.stored",
    "static-role.removal-noted",
    "static-role.tombstoned",
    "static-role.given-up",
    "static-role.unusable-removed",
    "static-role.old-deleted",
    "static-role.old-forgotten",
    "role.checked",
    "role.stored",
    "role.removal-noted",
    "role.removed",
    "role.unusable-removed",
    "custom-role.noted",
    "custom-role.made",
    "custom-role.adopted",
    "custom-role.updated",
    "custom-role.deleted",
    "custom-role.note-dropped",
    "config.checked",
    "config.stored",
    "config.unused",
    "config.organization-learned",
    "config.pending-deletion-recorded",
    "config.removed",
    "config.unusable-removed",
    "config.root-deleted",
    "config.former-roots-forgotten",
    "config.pending-deletion-done",
    "config.pending-deletion-dropped",
];

/// Dies here if the test asks for it.
#[cfg(feature = "failpoints")]
pub fn hit(name: &'static str) {
    debug_assert!(FAILPOINTS.contains(&name), "{name} is not in the list");
    fail::fail_point!(name);
}

/// Dies here if the test asks for it; not in this build.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn hit(_name: &'static str) {}

/// Makes the points listen: a point dies when the file that `variable` names begins with a line with
/// the point's name.  That line is removed first, and the file with the last, so that the next process
/// lives or dies at the point after.
#[cfg(feature = "failpoints")]
pub fn listen(variable: &str) {
    let Some(file) = std::env::var_os(variable) else {
        return;
    };
    for name in FAILPOINTS {
        let file = file.clone();
        let armed = move || {
            let armed = std::fs::read_to_string(&file).unwrap_or_default();
            let Some(rest) = armed.strip_prefix(*name) else {
                return;
            };
            let disarmed = match rest.strip_prefix('\n') {
                Some(rest) => std::fs::write(&file, rest),
                // Another point, whose name is longer.
                None if !rest.is_empty() => return,
                None => std::fs::remove_file(&file),
            };
            if disarmed.is_ok() {
                tracing::warn!(point = name, "dying as asked");
                std::process::abort();
            }
        };
        if let Err(error) = fail::cfg_callback(*name, armed) {
            tracing::error!(point = name, error, "the point does not listen");
        }
    }
}
