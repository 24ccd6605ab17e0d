//! The messages in the sources: every text that is a sentence, wherever it stands.
//!
//! A message is whatever is not known to be something else: log lines, help texts and tests are left
//! out, the rest counts.  So a new message cannot be forgotten, however it reaches the caller.

use proc_macro2::TokenStream;
use proc_macro2::TokenTree;
use syn::Attribute;
use syn::Expr;
use syn::ExprCall;
use syn::ExprMethodCall;
use syn::ExprStruct;
use syn::ImplItemFn;
use syn::ItemConst;
use syn::ItemEnum;
use syn::ItemFn;
use syn::ItemMod;
use syn::Lit;
use syn::LitStr;
use syn::Macro;
use syn::Member;
use syn::Token;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::visit::Visit;

use crate::faults::Faults;
use crate::faults::faults;
use crate::sources::is_test;
use crate::sources::parsed;

/// A message and where it is.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Message {
    /// With `…` for whatever varies.
    pub(crate) text: String,
    /// The HTTP status, where the code says it beside the text.
    pub(crate) status: Option<u16>,
    /// File and line, for the failure message.
    pub(crate) place: String,
}

/// The messages of all sources at or below `path`, which is relative to the package.
pub(crate) fn messages(path: &str) -> Vec<Message> {
    let mut found = Vec::new();
    for (file, syntax) in parsed(path) {
        let mut finder = Finder {
            faults: faults(&syntax),
            file,
            status: None,
            found: Vec::new(),
        };
        finder.visit_file(&syntax);
        found.append(&mut finder.found);
    }
    assert!(!found.is_empty(), "{path} has no messages");
    found
}

struct Finder {
    file: String,
    /// What the file's errors say of their variants.
    faults: Faults,
    /// The status of the error that is being looked into.
    status: Option<u16>,
    found: Vec<Message>,
}

/// Methods whose texts are help, which `vault path-help` and the OpenAPI document show.
const HELP: &[&str] = &["description", "expect", "help", "on", "shown", "synopsis"];

impl Finder {
    fn add(&mut self, literal: &LitStr) {
        let text = normalised(&literal.value());
        if text.trim().contains(' ') && text.contains(char::is_alphabetic) {
            let line = literal.span().start().line;
            let place = format!("{}:{line}", self.file);
            let status = self.status;
            self.found.push(Message {
                text,
                status,
                place,
            });
        }
    }

    fn add_tokens(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => self.add_tokens(group.stream()),
                TokenTree::Literal(literal) => {
                    // Through a token tree, which keeps the place.
                    let tree = TokenStream::from(TokenTree::Literal(literal));
                    if let Ok(literal) = syn::parse2::<LitStr>(tree) {
                        self.add(&literal);
                    }
                }
                _ => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Finder {
    fn visit_item_enum(&mut self, item: &'ast ItemEnum) {
        let before = self.status;
        for variant in &item.variants {
            let fault = (item.ident.to_string(), variant.ident.to_string());
            self.status = self.faults.get(&fault).copied();
            self.visit_variant(variant);
        }
        self.status = before;
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        // Of the attributes only thiserror's holds messages.
        if attribute.path().is_ident("error")
            && let Ok(list) = attribute.meta.require_list()
        {
            self.add_tokens(list.tokens.clone());
        }
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        if let Expr::Path(function) = call.func.as_ref()
            && function
                .path
                .segments
                .iter()
                .any(|segment| segment.ident == "Field")
        {
            return;
        }
        let status = match call.func.as_ref() {
            Expr::Path(function) => function.path.segments.last().and_then(|name| {
                [("BadRequest", 400), ("Internal", 500)]
                    .into_iter()
                    .find_map(|(variant, status)| (name.ident == variant).then_some(status))
            }),
            _ => None,
        };
        let status = status.or(self.status);
        let before = std::mem::replace(&mut self.status, status);
        syn::visit::visit_expr_call(self, call);
        self.status = before;
    }

    fn visit_expr_struct(&mut self, value: &'ast ExprStruct) {
        let status = value.fields.iter().find_map(|field| match &field.expr {
            Expr::Lit(literal) => match (&field.member, &literal.lit) {
                (Member::Named(name), Lit::Int(number)) if name == "status" => {
                    number.base10_parse().ok()
                }
                _ => None,
            },
            _ => None,
        });
        let status = status.or(self.status);
        let before = std::mem::replace(&mut self.status, status);
        syn::visit::visit_expr_struct(self, value);
        self.status = before;
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        let is_help = HELP.iter().any(|name| call.method == name);
        self.visit_expr(&call.receiver);
        if !is_help {
            for argument in &call.args {
                self.visit_expr(argument);
            }
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        if !is_test(&function.attrs) {
            syn::visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_item_const(&mut self, constant: &'ast ItemConst) {
        if !is_test(&constant.attrs) {
            syn::visit::visit_item_const(self, constant);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        if !is_test(&function.attrs) {
            syn::visit::visit_item_fn(self, function);
        }
    }

    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !is_test(&module.attrs) {
            syn::visit::visit_item_mod(self, module);
        }
    }

    fn visit_lit(&mut self, literal: &'ast Lit) {
        if let Lit::Str(literal) = literal {
            self.add(literal);
        }
    }

    fn visit_macro(&mut self, makro: &'ast Macro) {
        let is = |name: &str| {
            makro
                .path
                .segments
                .iter()
                .any(|segment| segment.ident == name)
        };
        if is("tracing") || is("debug_assert") || is("unreachable") {
            return;
        }
        let arguments = Punctuated::<Expr, Token![,]>::parse_terminated;
        match arguments.parse2(makro.tokens.clone()) {
            Ok(arguments) => arguments
                .iter()
                .for_each(|argument| self.visit_expr(argument)),
            Err(_) => self.add_tokens(makro.tokens.clone()),
        }
    }
}

/// `{placeholders}` become `…`, doubled braces single ones.
fn normalised(format: &str) -> String {
    let mut text = String::new();
    let mut rest = format;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        if from.starts_with("{{") || from.starts_with("}}") {
            let (brace, after) = from.split_at(1);
            text.push_str(brace);
            rest = &after[1..];
        } else {
            let end = from.find('}').expect("a placeholder that ends");
            text.push('…');
            rest = &from[end + 1..];
        }
    }
    text.push_str(rest);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn placeholders_become_dots() {
    assert_eq!(
        normalised("role \"{name}\" has {} {{x}}"),
        "role \"…\" has … {x}"
    );
    assert_eq!(
        normalised("give a number from 1 to {max:?}"),
        "give a number from 1 to …"
    );
}
