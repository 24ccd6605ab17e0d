//! Where in a file changes are, and what a file needs so that each can be chosen when it runs.

use std::collections::BTreeMap;
use std::ops::Range;

use proc_macro2::LineColumn;
use syn::spanned::Spanned;
use syn::visit;
use syn::visit::Visit;

use crate::change::Change;
use crate::change::Genre;
use crate::change::Position;

/// A change's number, which is its place in the list.
pub(crate) type Number = usize;

/// A place of a file at which something can be chosen.
#[derive(Debug)]
pub(crate) struct Site {
    /// The bytes that it stands for; empty for what is inserted.
    pub(crate) range: Range<usize>,
    pub(crate) choice: Choice,
}

#[derive(Debug)]
pub(crate) enum Choice {
    /// The function returns the text at once.
    Return(Vec<(Number, String)>),
    /// The text stands instead of the expression.
    Expression(Vec<(Number, String)>),
    /// The guard of a match arm is true, or false.
    Guard {
        always: Vec<Number>,
        never: Vec<Number>,
    },
    /// A match arm without a guard never matches.
    NoArm(Vec<Number>),
}

/// The sites of one file, and the changes that need a build of their own.
///
/// # Errors
///
/// The file cannot be parsed.
pub(crate) fn sites(
    text: &str,
    changes: &[(Number, &Change)],
) -> Result<(Vec<Site>, Vec<Number>), String> {
    let syntax = syn::parse_file(text).map_err(|error| error.to_string())?;
    let mut finder = Finder {
        places: Places::new(text),
        expressions: BTreeMap::new(),
        guards: BTreeMap::new(),
        arms: BTreeMap::new(),
    };
    finder.visit_file(&syntax);
    let mut sites: BTreeMap<(usize, bool, usize, bool), Site> = BTreeMap::new();
    let mut apart = Vec::new();
    for (number, change) in changes {
        match finder.site(text, *number, change) {
            Some(site) => {
                let order = (
                    site.range.start,
                    !site.range.is_empty(),
                    usize::MAX - site.range.end,
                    // A guard is around the expression that it is.
                    matches!(site.choice, Choice::Expression(_)),
                );
                match sites.get_mut(&order) {
                    Some(known) => known.choice.join(site.choice),
                    None => {
                        sites.insert(order, site);
                    }
                }
            }
            None => apart.push(*number),
        }
    }
    Ok((sites.into_values().collect(), apart))
}

/// The text with one change made in it.
pub(crate) fn replaced(text: &str, change: &Change) -> String {
    let places = Places::new(text);
    let (start, end) = (
        places.offset(change.span.start),
        places.offset(change.span.end),
    );
    format!("{}{}{}", &text[..start], change.replacement, &text[end..])
}

impl Choice {
    /// Adds what else can be chosen at the same place.
    fn join(&mut self, other: Self) {
        match (self, other) {
            (Self::Return(own), Self::Return(other))
            | (Self::Expression(own), Self::Expression(other)) => own.extend(other),
            (
                Self::Guard { always, never },
                Self::Guard {
                    always: more,
                    never: fewer,
                },
            ) => {
                always.extend(more);
                never.extend(fewer);
            }
            (Self::NoArm(own), Self::NoArm(other)) => own.extend(other),
            (own, other) => unreachable!("{own:?} and {other:?} are at one place"),
        }
    }
}

/// An expression with an operator in it.
struct Operation {
    /// The whole expression.
    range: Range<usize>,
    operator: Range<usize>,
    /// It has a `let` of a chain in it, which cannot stand in an expression of its own.
    is_chain: bool,
}

/// Finds expressions by the place of their operator, guards and arms by where they begin.
struct Finder {
    places: Places,
    expressions: BTreeMap<usize, Operation>,
    /// A guard's range; `None` if there is a `let` in it.
    guards: BTreeMap<usize, Option<Range<usize>>>,
    /// Where the pattern ends, and the guard.
    arms: BTreeMap<usize, (usize, Option<usize>)>,
}

impl Finder {
    /// Where and how a change is chosen; `None` if it cannot be while the program runs.
    fn site(&self, text: &str, number: Number, change: &Change) -> Option<Site> {
        let at = self.places.offset(change.span.start);
        let replacement = &change.replacement;
        match change.genre {
            Genre::FnValue => {
                let function = change.function.as_ref()?;
                // Each return of such a function has to be of the same type.
                let is_open = function.return_type.contains("impl ");
                (!is_open).then(|| Site {
                    range: at..at,
                    choice: Choice::Return(vec![(number, replacement.clone())]),
                })
            }
            Genre::BinaryOperator | Genre::UnaryOperator => {
                let found = self.expressions.get(&at).filter(|found| !found.is_chain)?;
                let before = &text[found.range.start..found.operator.start];
                let after = &text[found.operator.end..found.range.end];
                let changed = format!("{before}{replacement}{after}");
                Some(Site {
                    range: found.range.clone(),
                    choice: Choice::Expression(vec![(number, changed)]),
                })
            }
            Genre::MatchArmGuard => {
                let is_true = replacement == "true";
                let (always, never) = if is_true {
                    (vec![number], Vec::new())
                } else {
                    (Vec::new(), vec![number])
                };
                Some(Site {
                    range: self.guards.get(&at)?.clone()?,
                    choice: Choice::Guard { always, never },
                })
            }
            Genre::MatchArm => match self.arms.get(&at)? {
                (_, Some(guard)) => Some(Site {
                    range: self.guards.get(guard)?.clone()?,
                    choice: Choice::Guard {
                        always: Vec::new(),
                        never: vec![number],
                    },
                }),
                (end, None) => Some(Site {
                    range: *end..*end,
                    choice: Choice::NoArm(vec![number]),
                }),
            },
            Genre::Other => None,
        }
    }

    fn range(&self, spanned: &impl Spanned) -> Range<usize> {
        let span = spanned.span();
        self.places.at(span.start())..self.places.at(span.end())
    }

    fn operation(&mut self, whole: &impl Spanned, operator: &impl Spanned, is_chain: bool) {
        let operation = Operation {
            range: self.range(whole),
            operator: self.range(operator),
            is_chain,
        };
        self.expressions.insert(operation.operator.start, operation);
    }
}

impl<'ast> Visit<'ast> for Finder {
    fn visit_expr_binary(&mut self, binary: &'ast syn::ExprBinary) {
        let is_chain = has_let(&binary.left) || has_let(&binary.right);
        self.operation(binary, &binary.op, is_chain);
        visit::visit_expr_binary(self, binary);
    }

    fn visit_expr_unary(&mut self, unary: &'ast syn::ExprUnary) {
        self.operation(unary, &unary.op, false);
        visit::visit_expr_unary(self, unary);
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        let guard = arm.guard.as_ref().map(|(_, guard)| {
            let range = self.range(guard);
            let start = range.start;
            self.guards
                .insert(start, (!has_let(guard)).then_some(range));
            start
        });
        let pattern = self.range(&arm.pat);
        self.arms.insert(pattern.start, (pattern.end, guard));
        visit::visit_arm(self, arm);
    }
}

/// Whether a chain of conditions binds something.
fn has_let(expression: &syn::Expr) -> bool {
    match expression {
        syn::Expr::Let(_) => true,
        syn::Expr::Binary(binary) => has_let(&binary.left) || has_let(&binary.right),
        _ => false,
    }
}

/// Where the lines of a text begin.
struct Places {
    /// For each line the offset of each of its characters, and of its end.
    lines: Vec<Vec<usize>>,
}

impl Places {
    fn new(text: &str) -> Self {
        let mut start = 0;
        let mut lines = Vec::new();
        for line in text.split_inclusive('\n') {
            let mut offsets: Vec<usize> = line.char_indices().map(|(at, _)| start + at).collect();
            start += line.len();
            offsets.push(start);
            lines.push(offsets);
        }
        Self { lines }
    }

    fn offset(&self, position: Position) -> usize {
        self.lines[position.line - 1][position.column - 1]
    }

    fn at(&self, place: LineColumn) -> usize {
        self.lines[place.line - 1][place.column]
    }
}
