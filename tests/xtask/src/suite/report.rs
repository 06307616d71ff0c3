//! A file in which tests leave a word for the summary: what they skipped and why, what they measured.
use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};

use super::{kind::Kind, tally::Tally};
use crate::sh;

/// The variable that names the file. A line is `skip<TAB>test<TAB>reason` or `figure<TAB>text`.
pub(crate) const VARIABLE: &str = "WAKELINE_TEST_REPORT";

pub(crate) struct Report {
    pub(crate) path: PathBuf,
}

impl Report {
    /// An empty one.
    pub(crate) fn new() -> Result<Self> {
        let path = sh::target().join("test-report.txt");
        fs::write(&path, "").with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path })
    }

    pub(crate) fn read_into(&self, tally: &mut Tally) -> Result<()> {
        for line in fs::read_to_string(&self.path)?.lines() {
            match line.split('\t').collect::<Vec<_>>().as_slice() {
                ["skip", test, reason] => tally.recount_as_skipped(Kind::of("it", test), test, reason),
                ["figure", text] => tally.figure((*text).to_owned()),
                _ => tally.announce(format!("a test reported what nobody understands: {line}")),
            }
        }
        Ok(())
    }
}
