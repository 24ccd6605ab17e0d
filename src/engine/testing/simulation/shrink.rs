//! Making a history that fails as short as possible.

use super::history::History;

/// The most runs that are spent.
const RUNS: usize = 600;

/// A shorter history for which `fails` holds as well, by leaving operations out.
pub fn shrink(history: &History, fails: impl Fn(&History) -> bool) -> History {
    let mut shortest = history.clone();
    let mut runs = 0;
    let mut size = (shortest.steps.len() / 2).max(1);
    loop {
        let mut at = 0;
        let mut is_shorter = false;
        while at < shortest.steps.len() && runs < RUNS {
            let shorter = without(&shortest, at, size);
            runs += 1;
            if fails(&shorter) {
                shortest = shorter;
                is_shorter = true;
            } else {
                at += size;
            }
        }
        if runs >= RUNS || (size == 1 && !is_shorter) {
            return shortest;
        }
        size = if is_shorter { size } else { size / 2 }.max(1);
    }
}

/// The history without `size` steps from `at`; what follows begins when it did.
fn without(history: &History, at: usize, size: usize) -> History {
    let mut shorter = history.clone();
    let end = (at + size).min(shorter.steps.len());
    let removed: u64 = shorter.steps.drain(at..end).map(|step| step.after_ms).sum();
    if let Some(next) = shorter.steps.get_mut(at) {
        next.after_ms += removed;
    }
    shorter
}

/// What a violation is about, without names and numbers.
pub fn kind(violation: &str) -> String {
    let words = violation.split_whitespace();
    let plain =
        words.filter(|word| word.len() < 20 && word.bytes().all(|byte| byte.is_ascii_lowercase()));
    plain.take(8).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_stays() {
        let history = History::generate(7, 100);
        let needed = |history: &History| {
            let has = |number| history.steps.iter().any(|step| step.number == number);
            has(13) && has(77)
        };
        let shortest = shrink(&history, needed);
        let numbers: Vec<u64> = shortest.steps.iter().map(|step| step.number).collect();
        assert_eq!(numbers, [13, 77]);
        let time = |history: &History| {
            history
                .steps
                .iter()
                .take_while(|step| step.number <= 77)
                .map(|step| step.after_ms)
                .sum::<u64>()
        };
        assert_eq!(time(&shortest), time(&history));
    }
}
