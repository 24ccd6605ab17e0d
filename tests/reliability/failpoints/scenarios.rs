//! What leads to each point.

use reqwest::Method;
use serde_json::Value;
use serde_json::json;

/// What is done with the mount of a point.
#[derive(Clone)]
pub(super) enum Scenario {
    /// The first config of a mount is written.
    FirstConfig,
    /// A credential is read.
    Mint,
    /// It is the first that the process mints.
    MintByNewProcess,
    /// It is the first since a while.
    MintAfterPause,
    /// Astra's answer to the mint does not come.
    MintUnanswered,
    /// Astra's answer to the mint is about another token.
    MintMistaken,
    /// The caller has gone when the token is there.
    TakeBack,
    /// A lease ends.
    Revoke,
    /// A tick deletes what a dead process minted.
    TickAfterDeath,
    /// A tick deletes a token whose client id is known.
    TickAfterTakeBack,
    /// A tick looks for a token whose client id is not known.
    TickAfterUnanswered,
    /// A tick removes what a dead process noted, once nothing of it can come any more.
    TickMuchLater,
    Tidy,
    /// The mount is reloaded in an orderly manner.
    Reload,
    /// The new root token turns out not to work.
    Unproved,
    /// The same in an organization that ignores descriptions.
    UnprovedUntagged,
    /// A rotation of the root token succeeds that failed before.
    ProvedAtLast,
    /// Something that cannot be read is deleted.
    Unreadable(&'static str),
    /// A lease of the archived engine ends.
    RevokeOld,
    /// What the archived engine left is taken over.
    Import,
    /// The same, and what it left is removed.
    Finish,
    /// Roles and configs change.
    Change(Box<Change>),
}

/// A change of a config, a role or a static role.
#[derive(Clone, Default)]
pub(super) struct Change {
    /// What is there before.
    pub(super) before: Vec<Asked>,
    /// Where the process dies in a change before, which is not tried again.
    pub(super) died_at: Option<(&'static str, Asked)>,
    /// Whether the point is armed before the last of what is there before, as a tick could come right after.
    pub(super) is_armed_early: bool,
    /// Whether a tick must leave the custom role alone.
    pub(super) keeps_custom_role: bool,
    /// Whether a replaced root token cannot be deleted before the request.
    pub(super) keeps_former_root: bool,
    /// The request in which the process dies; `None` where it dies in a tick.
    pub(super) request: Option<Asked>,
    /// What ends rotations that would go on for ever.
    pub(super) after: Option<Asked>,
    /// Whether a root token is replaced that the engine did not mint.
    pub(super) replaced: Replaced,
    /// Whether the static role's tokens cannot be deleted any more, and the operator does it.
    pub(super) is_out_of_reach: bool,
}

/// Whether a root token that the engine did not mint is replaced, and so deleted.
#[derive(Clone, Copy, Default)]
pub(super) enum Replaced {
    #[default]
    No,
    Yes,
    /// Its rotation may not be tried again after the process died.
    Perhaps,
}

/// A request below the mount.  `$ROOT` in the body stands for a new root token and `$URL` for Astra's.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) body: Value,
}

fn put(path: &'static str, body: Value) -> Asked {
    let method = Method::PUT;
    Asked { method, path, body }
}

fn delete(path: &'static str) -> Asked {
    Asked {
        method: Method::DELETE,
        path,
        body: json!({}),
    }
}

fn policy(actions: &[&str]) -> Value {
    json!({ "resources": ["drn:astra:org:{{org_id}}:db:*"], "actions": actions, "effect": "allow" })
}

fn role() -> Asked {
    put(
        "roles/narrow",
        json!({ "policy": policy(&["db-rest"]), "ttl": "1h" }),
    )
}

fn wider_role() -> Asked {
    let policy = policy(&["db-rest", "db-graphql"]);
    put("roles/narrow", json!({ "policy": policy, "ttl": "1h" }))
}

fn static_role(changes: Value) -> Asked {
    let mut body = json!({ "rotation_period": "24h", "overlap": "0" });
    let fields = body.as_object_mut().expect("an object");
    fields.extend(changes.as_object().expect("an object").clone());
    put("static-roles/app", body)
}

fn plain_static_role() -> Asked {
    static_role(json!({ "astra_roles": "API RO User" }))
}

fn policy_static_role(actions: &[&str]) -> Asked {
    static_role(json!({ "policy": policy(actions) }))
}

fn spare_config() -> Asked {
    put("config/spare", json!({ "token": "$ROOT", "url": "$URL" }))
}

/// A config of which it is not known which organization it is for.
fn untried_config() -> Asked {
    let body = json!({ "token": "$ROOT", "url": "$URL", "verify": false });
    put("config/spare", body)
}

fn change(before: &[Asked], request: Asked) -> Scenario {
    Scenario::Change(Box::new(Change {
        before: before.to_vec(),
        request: Some(request),
        ..Change::default()
    }))
}

/// The same where root tokens are replaced.
fn replacing(before: &[Asked], request: Asked) -> Scenario {
    Scenario::Change(Box::new(Change {
        before: before.to_vec(),
        request: Some(request),
        replaced: Replaced::Yes,
        ..Change::default()
    }))
}

/// A tick works on what a process left that died at `died_at` during `request`.
fn reconciling(died_at: &'static str, request: Asked) -> Scenario {
    Scenario::Change(Box::new(Change {
        died_at: Some((died_at, request)),
        ..Change::default()
    }))
}

/// The process dies in a tick, in what an earlier death in a change of what was there left to do.
fn resending(before: Asked, died_at: &'static str, request: Asked) -> Scenario {
    Scenario::Change(Box::new(Change {
        before: vec![before],
        died_at: Some((died_at, request)),
        ..Change::default()
    }))
}

/// Every scenario to `point`, with a name where there are several.
pub(super) fn scenarios(point: &str) -> Vec<(&'static str, Scenario)> {
    let rotate_root = || put("rotate-root", json!({}));
    let rotate_role = || put("rotate-role/app", json!({}));
    let one = |scenario| vec![("", scenario)];
    match point {
        point if point.starts_with("old-lease.") => one(Scenario::RevokeOld),
        point if point.starts_with("import.") => one(Scenario::Import),
        point if point.starts_with("finish.") => one(Scenario::Finish),
        "mount.identified" => one(Scenario::FirstConfig),
        "mint.block-reserved" => one(Scenario::MintByNewProcess),
        "mint.block-refreshed" => one(Scenario::MintAfterPause),
        "mint.outcome-unknown" | "mint.found-deleted" => vec![
            ("unanswered", Scenario::MintUnanswered),
            ("mistaken", Scenario::MintMistaken),
        ],
        "uncommitted.rolled-back" | "rotation.failure-noted" => one(Scenario::Unproved),
        "uncommitted.removed" => one(Scenario::UnprovedUntagged),
        "rotation.failures-cleared" => one(Scenario::ProvedAtLast),
        "tick.received" | "tick.listed" => one(Scenario::TickAfterDeath),
        "tick.token-deleted" => vec![
            ("death", Scenario::TickAfterDeath),
            ("take-back", Scenario::TickAfterTakeBack),
            ("unanswered", Scenario::TickAfterUnanswered),
        ],
        "block.saved" => one(Scenario::TickAfterTakeBack),
        "block.retired" => one(Scenario::Reload),
        "tick.block-removed" => one(Scenario::TickMuchLater),
        "tick.custom-role-sent" => vec![
            (
                "role",
                resending(role(), "custom-role.updated", wider_role()),
            ),
            (
                "static",
                resending(
                    policy_static_role(&["db-rest"]),
                    "custom-role.updated",
                    policy_static_role(&["db-graphql"]),
                ),
            ),
        ],
        "tick.custom-role-deleted" => vec![
            ("role", reconciling("custom-role.made", role())),
            (
                "static",
                reconciling("custom-role.made", policy_static_role(&["db-rest"])),
            ),
        ],
        "rotate-root.old-deleted" | "rotate-root.old-forgotten" => vec![
            ("asked", replacing(&[], rotate_root())),
            ("due", root_by_tick(Replaced::Yes)),
            ("written", replaced_root()),
        ],
        "rotate-root.minted" | "rotate-root.proved" => vec![
            ("asked", replacing(&[], rotate_root())),
            ("due", root_by_tick(Replaced::Perhaps)),
        ],
        point if point.starts_with("rotate-root.") => vec![
            ("asked", replacing(&[], rotate_root())),
            ("due", root_by_tick(Replaced::Yes)),
        ],
        point if point.starts_with("rotate-role.") => vec![
            ("asked", change(&[plain_static_role()], rotate_role())),
            ("due", role_by_tick()),
            ("new", change(&[], plain_static_role())),
            (
                "written",
                change(
                    &[plain_static_role()],
                    static_role(json!({ "astra_roles": "API R/W User" })),
                ),
            ),
        ],
        "static-role.checked" | "static-role.stored" => vec![
            ("new", change(&[], policy_static_role(&["db-rest"]))),
            (
                "changed",
                change(
                    &[policy_static_role(&["db-rest"])],
                    policy_static_role(&["db-graphql"]),
                ),
            ),
            (
                "given-up",
                change(&[policy_static_role(&["db-rest"])], plain_static_role()),
            ),
        ],
        "static-role.given-up" => one(out_of_reach()),
        "static-role.old-deleted" | "static-role.old-forgotten" => vec![
            ("removed", remove_static_role()),
            ("rotated", change(&[plain_static_role()], rotate_role())),
        ],
        "static-role.unusable-removed" => one(Scenario::Unreadable("static-role/broken")),
        point if point.starts_with("static-role.") => one(remove_static_role()),
        "role.checked" | "role.stored" => vec![
            ("new", change(&[], role())),
            ("changed", change(&[role()], wider_role())),
            ("given-up", change(&[role()], plain_role())),
        ],
        "role.unusable-removed" => one(Scenario::Unreadable("role/broken")),
        "role.removal-noted" | "role.removed" => one(change(&[role()], delete("roles/narrow"))),
        "custom-role.made" => vec![
            ("role", change(&[], role())),
            ("static", change(&[], policy_static_role(&["db-rest"]))),
        ],
        "custom-role.adopted" => one(Scenario::Change(Box::new(Change {
            died_at: Some(("custom-role.made", role())),
            request: Some(role()),
            keeps_custom_role: true,
            ..Change::default()
        }))),
        "custom-role.updated" => vec![
            ("role", change(&[role()], wider_role())),
            (
                "static",
                change(
                    &[policy_static_role(&["db-rest"])],
                    policy_static_role(&["db-graphql"]),
                ),
            ),
        ],
        "custom-role.noted" | "custom-role.note-dropped" => vec![
            ("new", change(&[], role())),
            ("changed", change(&[role()], wider_role())),
            ("removed", change(&[role()], delete("roles/narrow"))),
            ("static", change(&[], policy_static_role(&["db-rest"]))),
        ],
        "custom-role.deleted" => vec![
            ("removed", change(&[role()], delete("roles/narrow"))),
            ("given-up", change(&[role()], plain_role())),
            ("static", remove_static_role()),
        ],
        "config.checked" | "config.stored" => vec![
            (
                "changed",
                change(&[], put("config", json!({ "request_timeout": "20s" }))),
            ),
            ("new", change(&[], spare_config())),
        ],
        "config.former-roots-forgotten" => one(Scenario::Change(Box::new(Change {
            before: vec![spare_config(), put("rotate-root/spare", json!({}))],
            keeps_former_root: true,
            request: Some(delete("config/spare")),
            replaced: Replaced::Yes,
            ..Change::default()
        }))),
        "config.pending-deletion-dropped" => one(Scenario::Change(Box::new(Change {
            before: vec![spare_config(), put("rotate-root/spare", json!({}))],
            died_at: Some(("config.pending-deletion-recorded", delete("config/spare"))),
            replaced: Replaced::Yes,
            ..Change::default()
        }))),
        "config.organization-learned" => one(Scenario::Change(Box::new(Change {
            before: vec![untried_config()],
            is_armed_early: true,
            ..Change::default()
        }))),
        "config.unusable-removed" => one(Scenario::Unreadable("config/broken")),
        point if point.starts_with("config.") => one(replacing(
            // With a root token that rotation minted, which is deleted with the config.
            &[spare_config(), put("rotate-root/spare", json!({}))],
            delete("config/spare"),
        )),
        point => one(match point.split('.').next() {
            Some("mint") => Scenario::Mint,
            Some("take-back") => Scenario::TakeBack,
            Some("revoke") => Scenario::Revoke,
            Some("tidy") => Scenario::Tidy,
            _ => panic!("nothing leads to {point}"),
        }),
    }
}

fn plain_role() -> Asked {
    put(
        "roles/narrow",
        json!({ "astra_roles": "API RO User", "ttl": "1h" }),
    )
}

fn remove_static_role() -> Scenario {
    change(
        &[policy_static_role(&["db-rest"])],
        delete("static-roles/app"),
    )
}

fn root_by_tick(replaced: Replaced) -> Scenario {
    Scenario::Change(Box::new(Change {
        before: vec![put("config", json!({ "rotation_period": "60s" }))],
        after: Some(put("config", json!({ "disable_automated_rotation": true }))),
        replaced,
        ..Change::default()
    }))
}

fn role_by_tick() -> Scenario {
    let soon = json!({ "astra_roles": "API RO User", "rotation_period": "60s" });
    Scenario::Change(Box::new(Change {
        before: vec![static_role(soon)],
        after: Some(plain_static_role()),
        ..Change::default()
    }))
}

/// The operator writes a root token in the place of one that rotation minted, which a tick deletes.
fn replaced_root() -> Scenario {
    Scenario::Change(Box::new(Change {
        before: vec![
            put("rotate-root", json!({})),
            put("config", json!({ "token": "$ROOT" })),
        ],
        is_armed_early: true,
        replaced: Replaced::Yes,
        ..Change::default()
    }))
}

fn out_of_reach() -> Scenario {
    let there = json!({ "astra_roles": "API RO User", "config": "spare" });
    Scenario::Change(Box::new(Change {
        before: vec![
            spare_config(),
            static_role(there),
            delete("config/spare?force=true"),
        ],
        request: Some(delete("static-roles/app?force=true")),
        is_out_of_reach: true,
        ..Change::default()
    }))
}
