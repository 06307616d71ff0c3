//! The house rules, held as data and checked as a test.
mod advisories;
mod rooms;
mod sizes;
mod tree;
mod words;

use anyhow::{Result, bail};

use self::tree::SourceTree;
use crate::sh;

/// A rule broken: where, and what to do about it.
type Complaint = String;

pub(crate) fn run() -> Result<()> {
    let complaints = complaints()?;
    if complaints.is_empty() {
        println!("    the house is tidy");
        return Ok(());
    }
    bail!(
        "{} broken house rules:\n{}",
        complaints.len(),
        complaints.join("\n")
    )
}

fn complaints() -> Result<Vec<Complaint>> {
    let tree = SourceTree::read(&sh::root())?;
    let mut complaints = tree.check();
    complaints.extend(advisories::check(&tree.files));
    complaints.extend(rooms::check(&sh::read(sh::cargo().args([
        "metadata",
        "--no-deps",
        "--format-version",
        "1",
        "--offline",
    ]))?)?);
    for file in &tree.files {
        complaints.extend(words::check(file));
        complaints.extend(sizes::check(file));
    }
    Ok(complaints)
}

#[cfg(test)]
mod tests;
