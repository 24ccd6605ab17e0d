//! Whatever the engine changes, in the host's storage or in Astra, is followed by a crash point of its
//! own, and the documents tell how many there are.

use std::collections::BTreeSet;

use syn::Arm;
use syn::Expr;
use syn::ExprCall;
use syn::ExprIf;
use syn::ExprMatch;
use syn::ExprMethodCall;
use syn::ImplItemFn;
use syn::ItemFn;
use syn::ItemMod;
use syn::Lit;
use syn::Pat;
use syn::visit::Visit;
use vault_plugin_secrets_astra::engine::failpoint::FAILPOINTS;

use crate::sources::is_test;
use crate::sources::parsed;

/// Methods that change something outside of the process.
const EFFECTS: &[&str] = &[
    // The host's storage.
    "put",
    "delete",
    // Astra.
    "create_role",
    "create_token",
    "delete_role",
    "delete_token",
    "update_role",
    // The marks of an intent.
    "complete",
    "flush",
    "commit",
    "reopen",
];

/// Functions that begin with a point.
const BEGIN_WITH_A_POINT: &[&str] = &["uncommitted", "remove_by_tag"];

/// Functions that change something and leave the point to their callers, or need none, and why.
const EXEMPT: &[(&str, &str, &str)] = &[
    (
        "archived_engine/record.rs",
        "put",
        "its callers have the points",
    ),
    (
        "archived_engine/storage.rs",
        "delete",
        "its callers have the points",
    ),
    (
        "minting/uncommitted.rs",
        "commit",
        "its callers have the points",
    ),
    ("minting/mint.rs", "run", "what it calls has the point"),
    ("intent/block.rs", "complete", "its callers have the points"),
    ("intent/block.rs", "reopen", "its callers have the points"),
    ("intent/block.rs", "write", "its callers have the points"),
    (
        "intent/ledger.rs",
        "undo_first_try",
        "only where the host repeats a request, which none can be made to do; \
         src/engine/tests/mint.rs",
    ),
    ("registry.rs", "put", "its callers have the points"),
    ("registry.rs", "delete", "its callers have the points"),
    (
        "minting/uncertain_write.rs",
        "resolve",
        "only where storage fails; src/engine/rotation/tests/crashes.rs",
    ),
    (
        "role/custom_role/release.rs",
        "empty",
        "only where Astra refuses to delete a role; src/engine/role/tests/evidence.rs",
    ),
    ("rotation/root.rs", "store", "its caller has the point"),
    (
        "static_role/remove.rs",
        "delete_with",
        "the caller of its caller has the point",
    ),
    ("static_role/rotate.rs", "store", "its caller has the point"),
    ("static_role/write.rs", "store", "its caller has the point"),
    ("store.rs", "put", "its callers have the points"),
    ("store.rs", "delete", "its callers have the points"),
    (
        "store.rs",
        "rewrite",
        "only where storage fails; src/engine/rotation/tests/crashes.rs",
    ),
];

/// What the sources of the engine show.
#[derive(Default)]
struct Walk {
    file: String,
    /// Changes after which no point has come yet.
    pending: BTreeSet<String>,
    /// Changes that no point follows before the next change or the end of the function.
    bare: BTreeSet<String>,
    points: Vec<String>,
    exempted: BTreeSet<(String, String)>,
    effects: usize,
}

fn walk() -> Walk {
    let mut walk = Walk::default();
    for (file, syntax) in parsed("src/engine") {
        if file.ends_with("failpoint.rs") {
            continue;
        }
        walk.file = file.trim_start_matches("src/engine/").to_owned();
        walk.visit_file(&syntax);
    }
    walk
}

impl Walk {
    fn function(&mut self, name: &str, visit: impl FnOnce(&mut Self)) {
        let outer = std::mem::take(&mut self.pending);
        let bare = self.bare.clone();
        visit(self);
        let left = std::mem::replace(&mut self.pending, outer);
        self.bare.extend(left);
        let is_exempt =
            |(file, function, _): &&(&str, &str, &str)| self.file == *file && name == *function;
        if EXEMPT.iter().any(|exempt| is_exempt(&exempt)) && self.bare != bare {
            self.bare = bare;
            self.exempted.insert((self.file.clone(), name.to_owned()));
        }
    }

    /// One of several ways on; `failed` where what was tried before has not changed anything.
    fn branch(&mut self, failed: bool, visit: impl FnOnce(&mut Self)) -> BTreeSet<String> {
        let before = self.pending.clone();
        if failed {
            self.pending.clear();
        }
        visit(self);
        std::mem::replace(&mut self.pending, before)
    }
}

impl<'ast> Visit<'ast> for Walk {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !is_test(&module.attrs) {
            syn::visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        if !is_test(&function.attrs) {
            let name = function.sig.ident.to_string();
            self.function(&name, |walk| walk.visit_block(&function.block));
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        if !is_test(&function.attrs) {
            let name = function.sig.ident.to_string();
            self.function(&name, |walk| walk.visit_block(&function.block));
        }
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        syn::visit::visit_expr_call(self, call);
        let Expr::Path(path) = call.func.as_ref() else {
            return;
        };
        let names: Vec<String> = path
            .path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        if names == ["failpoint", "hit"]
            && let Some(Expr::Lit(literal)) = call.args.first()
            && let Lit::Str(name) = &literal.lit
        {
            self.points.push(name.value());
            self.pending.clear();
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        syn::visit::visit_expr_method_call(self, call);
        let name = call.method.to_string();
        if BEGIN_WITH_A_POINT.contains(&name.as_str()) {
            self.pending.clear();
        }
        if EFFECTS.contains(&name.as_str()) {
            let line = call.method.span().start().line;
            self.effects += 1;
            self.bare.append(&mut self.pending);
            self.pending.insert(format!("{}:{line}: {name}", self.file));
        }
    }

    fn visit_expr_if(&mut self, choice: &'ast ExprIf) {
        self.visit_expr(&choice.cond);
        let failed = matches!(choice.cond.as_ref(), Expr::Let(cond) if changes_nothing(&cond.pat));
        let mut after = self.branch(failed, |walk| walk.visit_block(&choice.then_branch));
        let other = self.branch(false, |walk| {
            if let Some((_, other)) = &choice.else_branch {
                walk.visit_expr(other);
            }
        });
        after.extend(other);
        self.pending = after;
    }

    fn visit_expr_match(&mut self, choice: &'ast ExprMatch) {
        self.visit_expr(&choice.expr);
        let mut after = BTreeSet::new();
        for arm in &choice.arms {
            after.extend(self.branch(changes_nothing(&arm.pat), |walk| walk.visit_arm(arm)));
        }
        self.pending = after;
    }

    fn visit_arm(&mut self, arm: &'ast Arm) {
        self.visit_expr(&arm.body);
    }
}

/// Whether the pattern is that of a call that changed nothing: a failure, or a deletion of what was
/// absent already.
fn changes_nothing(pattern: &Pat) -> bool {
    let Pat::TupleStruct(tuple) = pattern else {
        return false;
    };
    let last = tuple.path.segments.last();
    tuple.path.is_ident("Err")
        || last.is_some_and(|segment| segment.ident == "AlreadyAbsent")
        || tuple.path.is_ident("Ok") && tuple.elems.iter().all(changes_nothing)
}

#[test]
fn every_change_of_the_engine_is_followed_by_a_point() {
    let walk = walk();
    assert!(walk.effects > 30, "only {} changes found", walk.effects);
    assert!(
        walk.bare.is_empty(),
        "no failpoint::hit between these and the next change: {:#?}",
        walk.bare
    );
    let exempt: BTreeSet<(String, String)> = EXEMPT
        .iter()
        .map(|(file, function, _)| ((*file).to_owned(), (*function).to_owned()))
        .collect();
    let idle: Vec<_> = exempt.difference(&walk.exempted).collect();
    assert!(
        idle.is_empty(),
        "exempt although there is no need: {idle:?}"
    );
}

#[test]
fn the_list_has_every_point_once() {
    let walk = walk();
    let found: BTreeSet<&str> = walk.points.iter().map(String::as_str).collect();
    assert_eq!(found.len(), walk.points.len(), "a point stands twice");
    let listed: BTreeSet<&str> = FAILPOINTS.iter().copied().collect();
    assert_eq!(listed.len(), FAILPOINTS.len(), "a point is listed twice");
    assert_eq!(
        found, listed,
        "in the sources, and in engine::failpoint::FAILPOINTS"
    );
}

#[test]
fn the_document_tells_how_many_points_there_are() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/internals/reliability.md");
    let document = std::fs::read_to_string(path).expect("docs/internals/reliability.md");
    let told: BTreeSet<usize> = document
        .split(" points")
        .filter_map(|before| before.split([' ', '\n']).next_back()?.parse().ok())
        .collect();
    assert_eq!(told, BTreeSet::from([FAILPOINTS.len()]));
}
