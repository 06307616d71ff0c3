//! Apps that are uploaded to a running host, by the command line that their authors have.
mod backup;
pub(crate) mod deploys;
mod leftovers;
mod page;
mod quickstart;
mod refused;
mod traced;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::harness::component;

/// A folder whose app answers "version" with what `LABEL` says: each label is a version of its own.
pub(crate) struct Labelled {
    directory: TempDir,
    name: &'static str,
}

impl Labelled {
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            directory: TempDir::new().unwrap(),
            name,
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().to_path_buf()
    }

    /// What the next deploy uploads.
    pub(crate) fn label(&self, label: &str, more: &str) {
        let component = component("tests/it/probe", "probe");
        let manifest = format!(
            "name = \"{}\"\ncomponent = \"{}\"\n[build]\ncommand = \"true\"\n[config]\nLABEL = \"{label}\"\n{more}",
            self.name,
            component.display()
        );
        fs::write(self.path().join("wakeline.toml"), manifest).unwrap();
    }
}

/// With all that is in it, its owner and its modes.
fn copy(from: &Path, into: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(into).status().unwrap();
    assert!(copied.success());
}
