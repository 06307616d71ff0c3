//! What ran, and how it went.
use std::{collections::BTreeMap, fmt};

use super::kind::Kind;

#[derive(Default)]
pub(crate) struct Tally {
    kinds: BTreeMap<Kind, Count>,
    failures: Vec<String>,
    /// What was skipped or is missing, each with its reason.
    skips: Vec<String>,
    /// What tests measured or counted on their way, as they worded it.
    figures: Vec<String>,
}

#[derive(Default)]
struct Count {
    passed: u32,
    failed: u32,
    skipped: u32,
}

impl Tally {
    pub(crate) fn pass(&mut self, kind: Kind) {
        self.kinds.entry(kind).or_default().passed += 1;
    }

    pub(crate) fn fail(&mut self, kind: Kind, name: String) {
        self.kinds.entry(kind).or_default().failed += 1;
        self.failures.push(name);
    }

    pub(crate) fn skip(&mut self, kind: Kind, name: &str, reason: &str) {
        self.kinds.entry(kind).or_default().skipped += 1;
        self.skips.push(format!("{name}: {reason}"));
    }

    /// A test that was counted as passed says that it had skipped itself.
    pub(crate) fn recount_as_skipped(&mut self, kind: Kind, name: &str, reason: &str) {
        let count = self.kinds.entry(kind).or_default();
        count.passed = count.passed.saturating_sub(1);
        self.skip(kind, name, reason);
    }

    pub(crate) fn announce(&mut self, what: String) {
        self.skips.push(what);
    }

    pub(crate) fn figure(&mut self, text: String) {
        self.figures.push(text);
    }

    pub(crate) fn failed(&self) -> u32 {
        self.sum(|count| count.failed)
    }

    /// The last line, alone, for whoever reads logs by machine.
    pub(crate) fn closing_line(&self) -> String {
        let [passed, skipped] = [self.sum(|count| count.passed), self.sum(|count| count.skipped)];
        format!("{passed} passed, {} failed, {skipped} skipped", self.failed())
    }

    fn sum(&self, part: impl Fn(&Count) -> u32) -> u32 {
        self.kinds.values().map(part).sum()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for figure in &self.figures {
            writeln!(f, "{figure}")?;
        }
        for skip in &self.skips {
            writeln!(f, "SKIPPED {skip}")?;
        }
        for failure in &self.failures {
            writeln!(f, "FAILED {failure}")?;
        }
        writeln!(
            f,
            "\n{:<34}{:>8}{:>8}{:>9}",
            "kind", "passed", "failed", "skipped"
        )?;
        for (
            kind,
            Count {
                passed,
                failed,
                skipped,
            },
        ) in &self.kinds
        {
            writeln!(f, "{kind:<34}{passed:>8}{failed:>8}{skipped:>9}")?;
        }
        Ok(())
    }
}
