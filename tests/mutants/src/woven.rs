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
