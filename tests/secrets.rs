//! Secrets stay in a type that cannot be printed, and leave it only at places that are counted here.

#![allow(clippy::expect_used, clippy::panic)]

mod sources;

use std::collections::BTreeMap;

use proc_macro2::TokenStream;
use proc_macro2::TokenTree;
use syn::Attribute;
use syn::Item;
use syn::ItemImpl;
use syn::Macro;
use syn::Type;
use syn::visit::Visit;

use sources::is_test;

/// Where a secret may become plain text, how often, and what for.
const EXPOSED: &[(&str, usize, &str)] = &[
    (
        "src/astra/client.rs",
        2,
        "the Authorization header; the client id in a root token",
    ),
    ("src/astra/database.rs", 1, "whether a link is one"),
    ("src/astra/mint.rs", 1, "the client id in a minted token"),
    (
        "src/astra/token_format.rs",
        1,
        "the hash of a client secret",
    ),
    (
        "src/engine/config/write.rs",
        3,
        "whether a root token was given; its form",
    ),
    (
        "src/engine/connection/entry.rs",
        2,
        "the client id and the fingerprint of a root token",
    ),
    (
        "src/engine/role/credential.rs",
        2,
        "the answers to creds and static-creds",
    ),
    (
        "src/engine/role/database/bundle.rs",
        1,
        "the answer to creds",
    ),
    (
        "src/engine/takeover/org_token.rs",
        1,
        "the answer to org/token",
    ),
    (
        "src/engine/takeover/plan_configs.rs",
        1,
        "the form of an old root token",
    ),
    ("src/secret.rs", 1, "storage entries"),
];

/// Types that may hold a secret in another form, and so must not be printable either.
const UNPRINTABLE: &[(&str, &str)] = &[
    ("src/astra/response.rs", "ResponseHead"),
    ("src/astra/client.rs", "ClientConfig"),
    ("src/astra/mint.rs", "MintedToken"),
    ("src/astra/transport.rs", "Request"),
    ("src/engine/archived_engine/entry.rs", "OldConfig"),
    ("src/engine/archived_engine/entry.rs", "OldToken"),
    ("src/engine/connection/entry.rs", "ConfigEntry"),
    ("src/engine/connection/entry.rs", "NewRoot"),
    ("src/engine/creds/issued.rs", "Issued"),
    ("src/engine/role/credential.rs", "Credential"),
    ("src/engine/role/static_entry.rs", "CurrentToken"),
    ("src/engine/role/static_entry.rs", "StaticRoleEntry"),
    ("src/framework/handler.rs", "Call"),
    ("src/framework/fields.rs", "Fields"),
    ("src/framework/coerce/mod.rs", "FieldValue"),
    ("src/secret.rs", "Secret"),
    ("src/vault/request.rs", "LeaseInfo"),
    ("src/vault/request.rs", "Request"),
    ("src/vault/response.rs", "Response"),
    ("src/vault/storage.rs", "Entry"),
];

/// What makes a type printable or its text reachable by accident.
const PRINTING: &[&str] = &[
    "AsRef", "Borrow", "Debug", "Deref", "DerefMut", "Display", "Into", "LowerHex", "ToString",
];

/// The sources of the plugin without its tests, by their path from the package's root.
fn sources() -> BTreeMap<String, syn::File> {
    let found: BTreeMap<_, _> = sources::parsed("src").into_iter().collect();
    assert!(found.len() > 100, "{} sources", found.len());
    found
}

/// What a source does with secrets.
#[derive(Default)]
struct Finder {
    /// How often `expose` is called.
    exposed: usize,
    /// Macros that do: format strings, log lines, assertions.
    in_macros: Vec<String>,
    /// Traits that types have, as (type, trait).
    traits: Vec<(String, String)>,
}

impl Finder {
    fn derives(&mut self, name: &syn::Ident, attributes: &[Attribute]) {
        for attribute in attributes
            .iter()
            .filter(|one| one.path().is_ident("derive"))
        {
            let _ = attribute.parse_nested_meta(|meta| {
                if let Some(last) = meta.path.segments.last() {
                    self.traits.push((name.to_string(), last.ident.to_string()));
                }
                Ok(())
            });
        }
    }
}

impl<'ast> Visit<'ast> for Finder {
    fn visit_item(&mut self, item: &'ast Item) {
        match item {
            Item::Mod(module) if is_test(&module.attrs) => return,
            Item::Struct(item) => self.derives(&item.ident, &item.attrs),
            Item::Enum(item) => self.derives(&item.ident, &item.attrs),
            _ => {}
        }
        syn::visit::visit_item(self, item);
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        if let (Some((_, path, _)), Type::Path(of)) = (&item.trait_, item.self_ty.as_ref())
            && let (Some(implemented), Some(name)) = (path.segments.last(), of.path.segments.last())
        {
            self.traits
                .push((name.ident.to_string(), implemented.ident.to_string()));
        }
        syn::visit::visit_item_impl(self, item);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.exposed += usize::from(call.method == "expose");
        syn::visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, makro: &'ast Macro) {
        if mentions(makro.tokens.clone(), "expose") {
            let name = makro
                .path
                .segments
                .last()
                .map(|last| last.ident.to_string());
            self.in_macros.push(name.unwrap_or_default());
        }
    }
}

fn mentions(tokens: TokenStream, word: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Group(group) => mentions(group.stream(), word),
        TokenTree::Ident(ident) => ident == word,
        _ => false,
    })
}

fn findings() -> BTreeMap<String, Finder> {
    let sources = sources().into_iter();
    sources
        .map(|(name, syntax)| {
            let mut finder = Finder::default();
            finder.visit_file(&syntax);
            (name, finder)
        })
        .collect()
}

#[test]
fn secrets_leave_their_type_only_where_they_must() {
    let found: Vec<(String, usize)> = findings()
        .into_iter()
        .map(|(name, finder)| (name, finder.exposed))
        .filter(|(_, count)| *count > 0)
        .collect();
    let allowed: Vec<(String, usize)> = EXPOSED
        .iter()
        .map(|(name, count, _)| ((*name).to_owned(), *count))
        .collect();
    assert_eq!(found, allowed);
}

#[test]
fn no_macro_formats_a_secret() {
    for (name, finder) in findings() {
        assert_eq!(finder.in_macros, Vec::<String>::new(), "{name}");
    }
}

#[test]
fn what_may_hold_a_secret_cannot_be_printed() {
    let findings = findings();
    for (file, name) in UNPRINTABLE {
        let finder = &findings[*file];
        let traits: Vec<&str> = finder
            .traits
            .iter()
            .filter(|(of, _)| of == name)
            .map(|(_, implemented)| implemented.as_str())
            .collect();
        let printing: Vec<&&str> = traits.iter().filter(|one| PRINTING.contains(one)).collect();
        assert!(printing.is_empty(), "{name} in {file} has {printing:?}");
    }
    let traits = &findings["src/secret.rs"].traits;
    assert!(
        !traits
            .iter()
            .any(|(_, implemented)| implemented == "Serialize"),
        "only its storage entries write a secret"
    );
}

#[test]
fn every_type_with_a_secret_in_it_is_in_the_list() {
    for (file, syntax) in sources() {
        let listed: Vec<&str> = UNPRINTABLE
            .iter()
            .filter(|(of, _)| *of == file)
            .map(|(_, name)| *name)
            .collect();
        for item in &syntax.items {
            let Item::Struct(item) = item else { continue };
            let holds = item.fields.iter().any(|field| {
                let mut types = Types(false);
                types.visit_type(&field.ty);
                types.0
            });
            let is_private = matches!(item.vis, syn::Visibility::Inherited);
            if holds && !is_private {
                assert!(
                    listed.contains(&item.ident.to_string().as_str()),
                    "{} in {file} holds a Secret",
                    item.ident
                );
            }
        }
    }
}

/// Whether a type has `Secret` in it.
struct Types(bool);

impl<'ast> Visit<'ast> for Types {
    fn visit_path_segment(&mut self, segment: &'ast syn::PathSegment) {
        self.0 |= segment.ident == "Secret";
        syn::visit::visit_path_segment(self, segment);
    }
}
