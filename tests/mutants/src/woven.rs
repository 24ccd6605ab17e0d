//! A file in which each change can be chosen when the program runs.

use std::ops::Range;

use crate::site::Choice;
use crate::site::Number;
use crate::site::Site;

/// The module that the library gets: which change is on, and which ones a test comes past.
pub(crate) const SWITCH: &str = include_str!("switch.rs.txt");

/// The text of a file, and which part of it belongs to which change.
#[derive(Default)]
pub(crate) struct Woven {
    pub(crate) text: String,
    parts: Vec<(Range<usize>, Number)>,
}

impl Woven {
    /// The file of `text` with all `sites` in it, which are in the order of their places, the outer
    /// one of two first.
    pub(crate) fn new(text: &str, sites: &[Site]) -> Self {
        let mut woven = Self::default();
        woven.add(text, 0..text.len(), sites);
        woven
    }

    /// The changes whose text overlaps the bytes.
    pub(crate) fn changes_at(&self, bytes: &Range<usize>) -> Vec<Number> {
        let overlaps = |part: &Range<usize>| {
            part.start < bytes.end.max(bytes.start + 1) && bytes.start < part.end
        };
        let parts = self.parts.iter().filter(|(part, _)| overlaps(part));
        parts.map(|(_, number)| *number).collect()
    }

    fn add(&mut self, text: &str, range: Range<usize>, mut sites: &[Site]) {
        let mut at = range.start;
        while let Some((site, rest)) = sites.split_first() {
            self.text.push_str(&text[at..site.range.start]);
            let inner = rest
                .iter()
                .take_while(|inner| inner.range.start < site.range.end)
                .count();
            let (inner, after) = rest.split_at(inner);
            self.add_site(text, site, inner);
            at = site.range.end;
            sites = after;
        }
        self.text.push_str(&text[at..range.end]);
    }

    fn add_site(&mut self, text: &str, site: &Site, inner: &[Site]) {
        match &site.choice {
            Choice::Return(values) => {
                for (number, value) in values {
                    self.part(
                        *number,
                        &format!("if {} {{ return {value}; }} ", is_on(*number)),
                    );
                }
            }
            Choice::Expression(instead) => {
                self.text.push('(');
                for (number, instead) in instead {
                    self.part(
                        *number,
                        &format!("if {} {{ {instead} }} else ", is_on(*number)),
                    );
                }
                self.text.push_str("{ ");
                self.add(text, site.range.clone(), inner);
                self.text.push_str(" })");
            }
            Choice::Guard { always, never } => {
                self.text.push('(');
                for number in always {
                    self.part(*number, &format!("{} || ", is_on(*number)));
                }
                self.text.push('(');
                for number in never {
                    self.part(*number, &format!("!{} && ", is_on(*number)));
                }
                self.text.push('(');
                self.add(text, site.range.clone(), inner);
                self.text.push_str(")))");
            }
            Choice::NoArm(numbers) => {
                for (index, number) in numbers.iter().enumerate() {
                    let word = if index == 0 { " if" } else { " &&" };
                    self.part(*number, &format!("{word} !{}", is_on(*number)));
                }
            }
        }
    }

    fn part(&mut self, number: Number, text: &str) {
        let start = self.text.len();
        self.text.push_str(text);
        self.parts.push((start..self.text.len(), number));
    }
}

fn is_on(number: Number) -> String {
    format!("crate::mutant_switch::is_on({number})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Change;
    use crate::site::sites;

    /// A change of the text from `at` to its end, which must stand there once.
    fn change(text: &str, genre: &str, at: &str, replacement: &str) -> Change {
        let start = text.find(at).expect("the place");
        let place = |offset: usize| {
            let before = &text[..offset];
            let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
            serde_json::json!({
                "line": before.matches('\n').count() + 1,
                "column": before[line_start..].chars().count() + 1,
            })
        };
        let change = serde_json::json!({
            "name": at, "file": "a.rs", "genre": genre, "replacement": replacement,
            "span": {"start": place(start), "end": place(start + at.len())},
            "function": {"return_type": "-> u8"},
        });
        serde_json::from_value(change).expect("a change")
    }

    fn woven(text: &str, changes: &[Change]) -> (Woven, Vec<Number>) {
        let numbered: Vec<(Number, &Change)> = changes.iter().enumerate().collect();
        let (sites, apart) = sites(text, &numbered).expect("a file that can be parsed");
        (Woven::new(text, &sites), apart)
    }

    #[test]
    fn each_kind_of_change_can_be_chosen() {
        let text = "fn f(a: u8) -> u8 {\n    match a {\n        // ü\n        1 if a == 2 => 3,\n        \
                    4 => !a + 5,\n        _ => 6,\n    }\n}\n";
        let changes = [
            change(text, "FnValue", "match", "0"),
            change(text, "MatchArmGuard", "a == 2", "true"),
            change(text, "BinaryOperator", "==", "!="),
            change(text, "MatchArm", "4", ""),
            change(text, "UnaryOperator", "!", ""),
            change(text, "BinaryOperator", "+", "-"),
        ];
        let (woven, apart) = woven(text, &changes);
        let expected = "fn f(a: u8) -> u8 {\n    if ON(0) { return 0; } match a {\n        // ü\n        \
                        1 if (ON(1) || (((if ON(2) { a != 2 } else { a == 2 })))) => 3,\n        \
                        4 if !ON(3) => (if ON(5) { !a - 5 } else { \
                        (if ON(4) { a } else { !a }) + 5 }),\n        _ => 6,\n    }\n}\n";
        assert_eq!(
            woven.text.replace("crate::mutant_switch::is_on", "ON"),
            expected
        );
        assert!(apart.is_empty());
        for (number, text) in [(0, "return 0"), (2, "a != 2"), (5, "!a - 5")] {
            let start = woven.text.find(text).expect("the change");
            assert_eq!(woven.changes_at(&(start..start + 1)), [number]);
        }
    }

    #[test]
    fn what_cannot_be_chosen_is_built_apart() {
        let text =
            "fn f(a: Option<u8>) -> u8 {\n    if let Some(b) = a && b == 1 { 2 } else { 3 }\n}\n";
        let changes = [
            change(text, "BinaryOperator", "&&", "||"),
            change(text, "BinaryOperator", "==", "!="),
            change(text, "StructField", "2", ""),
        ];
        let (woven, apart) = woven(text, &changes);
        assert_eq!(apart, [0, 2]);
        assert!(
            woven.text.contains("{ b != 1 } else { b == 1 }"),
            "{}",
            woven.text
        );
    }
}
