//! Whose fault the variants of the engine's errors are, as their `fault` methods say.

use std::collections::BTreeMap;

use syn::Arm;
use syn::Expr;
use syn::File;
use syn::ImplItem;
use syn::Item;
use syn::ItemImpl;
use syn::Pat;
use syn::Stmt;
use syn::Type;

/// The HTTP status of each variant: of the type, of the variant, the status.  Variants that have the
/// fault of their cause are left out.
pub(crate) type Faults = BTreeMap<(String, String), u16>;

/// The statuses of the faults; a test in src/engine/error.rs has the same table.
const STATUSES: &[(&str, u16)] = &[
    ("Caller", 400),
    ("Missing", 404),
    ("Astra", 502),
    ("Overload", 503),
    ("Timeout", 504),
    ("Engine", 500),
];

/// What the implementations of `Classified` in `file` say.
pub(crate) fn faults(file: &File) -> Faults {
    let mut found = Faults::new();
    for item in &file.items {
        if let Item::Impl(item) = item
            && let Some((name, result)) = fault_of(item)
        {
            match result {
                Expr::Match(choice) => choice.arms.iter().for_each(|arm| {
                    for (variant, status) in arm_faults(arm) {
                        found.insert((name.clone(), variant), status);
                    }
                }),
                // All variants have the same.
                other => {
                    let status = status(other);
                    let variants = file.items.iter().filter_map(|item| match item {
                        Item::Enum(item) if item.ident == name => Some(&item.variants),
                        _ => None,
                    });
                    for variant in variants.flatten() {
                        found.extend(
                            status
                                .map(|status| ((name.clone(), variant.ident.to_string()), status)),
                        );
                    }
                }
            }
        }
    }
    found
}

/// The type and the last expression of its `fault` method.
fn fault_of(item: &ItemImpl) -> Option<(String, &Expr)> {
    let (_, path, _) = item.trait_.as_ref()?;
    let Type::Path(of) = item.self_ty.as_ref() else {
        return None;
    };
    if path.segments.last()?.ident != "Classified" {
        return None;
    }
    let name = of.path.segments.last()?.ident.to_string();
    item.items.iter().find_map(|item| match item {
        ImplItem::Fn(function) if function.sig.ident == "fault" => {
            match function.block.stmts.last()? {
                Stmt::Expr(result, None) => Some((name.clone(), result)),
                _ => None,
            }
        }
        _ => None,
    })
}

fn arm_faults(arm: &Arm) -> Vec<(String, u16)> {
    let Some(status) = status(&arm.body) else {
        return Vec::new();
    };
    let patterns = match &arm.pat {
        Pat::Or(either) => either.cases.iter().collect(),
        one => vec![one],
    };
    let variants = patterns.into_iter().filter_map(variant);
    variants.map(|variant| (variant, status)).collect()
}

/// The variant of a pattern; one that looks into the variant has only some of its cases.
fn variant(pattern: &Pat) -> Option<String> {
    let path = match pattern {
        Pat::Path(path) => &path.path,
        Pat::TupleStruct(tuple) => &tuple.path,
        Pat::Struct(fields) if fields.fields.is_empty() => &fields.path,
        _ => return None,
    };
    Some(path.segments.last()?.ident.to_string())
}

/// The status of `Fault::…`.
fn status(expression: &Expr) -> Option<u16> {
    let Expr::Path(path) = expression else {
        return None;
    };
    let fault = &path.path.segments.last()?.ident;
    let known = STATUSES.iter().find(|(name, _)| fault == name);
    Some(known?.1)
}

#[test]
fn variants_have_the_status_of_their_fault() {
    let file = syn::parse_file(
        "enum A { B, C(u8), D { e: u8 }, F(G) }
         impl Classified for A {
             fn fault(&self) -> Fault {
                 match self {
                     Self::B | Self::C(_) => Fault::Caller,
                     Self::D { e: 1 } => Fault::Timeout,
                     Self::D { .. } => Fault::Astra,
                     Self::F(cause) => cause.fault(),
                 }
             }
         }
         enum H { I }
         impl Classified for H { fn fault(&self) -> Fault { Fault::Engine } }",
    );
    let found = faults(&file.expect("a source"));
    let found: Vec<_> = found
        .iter()
        .map(|((name, variant), status)| (name.as_str(), variant.as_str(), *status))
        .collect();
    let expected = [
        ("A", "B", 400),
        ("A", "C", 400),
        ("A", "D", 502),
        ("H", "I", 500),
    ];
    assert_eq!(found, expected);
}
