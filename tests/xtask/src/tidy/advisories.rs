//! `host/SECURITY.md` names a test for each advisory that could be ours: they are all there.
use std::collections::BTreeSet;

use super::{Complaint, tree::SourceFile};

const TABLE: &str = "host/SECURITY.md";

/// How tests after an advisory are called.
const PREFIXES: [&str; 5] = ["cve_", "ghsa_", "rustsec_", "nats_20", "ws_20"];

pub(super) fn check(files: &[SourceFile]) -> Vec<Complaint> {
    let Some(table) = files.iter().find(|file| file.path == TABLE) else {
        return vec![format!("{TABLE}: is missing")];
    };
    let tests: BTreeSet<&str> = files
        .iter()
        .filter(|file| file.has_extension("rs"))
        .flat_map(|file| file.text.lines().filter_map(test_name))
        .collect();
    let named: BTreeSet<&str> = table.text.split('`').filter(|word| is_name(word)).collect();
    let mut complaints = Vec::new();
    for name in named.difference(&tests) {
        complaints.push(format!("{TABLE}: names the test {name}, which is nowhere"));
    }
    for name in tests.difference(&named) {
        complaints.push(format!("{TABLE}: does not name the test {name}"));
    }
    complaints
}

/// `async fn cve_2020_1_x() {`: `cve_2020_1_x`.
fn test_name(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = line.strip_prefix("async ").unwrap_or(line);
    let (name, _) = line.strip_prefix("fn ")?.split_once("()")?;
    is_name(name).then_some(name)
}

fn is_name(word: &str) -> bool {
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
    PREFIXES.iter().any(|prefix| word.starts_with(prefix)) && word.bytes().all(plain)
}

#[cfg(test)]
mod tests;
