//! What stands where in the repository.
use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use super::Complaint;

/// Top-level entries; dotfiles and lock files do not count.
const TOP_LEVEL: [&str; 6] = [
    "Cargo.toml",
    "README.md",
    "examples",
    "guest-sdk",
    "host",
    "tests",
];
/// Folders that tools fill and git ignores.
const FILLED_BY_TOOLS: [&str; 7] = [
    "target",
    "node_modules",
    ".git",
    ".venv",
    "__pycache__",
    "corpus",
    "artifacts",
];

/// Every text file that is or could be committed.
pub(super) struct SourceTree {
    pub(super) files: Vec<SourceFile>,
    top_level: Vec<String>,
}

pub(super) struct SourceFile {
    /// From the root, with `/`.
    pub(super) path: String,
    pub(super) text: String,
}

impl SourceTree {
    pub(super) fn read(root: &Path) -> Result<Self> {
        let mut tree = Self {
            files: Vec::new(),
            top_level: Vec::new(),
        };
        for entry in fs::read_dir(root)? {
            tree.top_level
                .push(entry?.file_name().to_string_lossy().into_owned());
        }
        tree.walk(root, root)?;
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(tree)
    }

    fn walk(&mut self, root: &Path, directory: &Path) -> Result<()> {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                if !FILLED_BY_TOOLS.iter().any(|name| entry.file_name() == *name) {
                    self.walk(root, &path)?;
                }
                continue;
            }
            // What is not text (an image) has no rules.
            let Ok(text) = fs::read_to_string(&path) else {
                continue;
            };
            let path = path
                .strip_prefix(root)
                .context("below the root")?
                .to_string_lossy()
                .into_owned();
            self.files.push(SourceFile { path, text });
        }
        Ok(())
    }

    /// Rules on names and places.
    pub(super) fn check(&self) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        for name in &self.top_level {
            let counts = !name.starts_with('.') && name != "target" && name != "Cargo.lock";
            if counts && !TOP_LEVEL.contains(&name.as_str()) {
                complaints.push(format!("{name}: does not belong at the top level"));
            }
        }
        for name in TOP_LEVEL {
            if !self.top_level.iter().any(|entry| entry == name) {
                complaints.push(format!("{name}: is missing at the top level"));
            }
        }
        for file in &self.files {
            if file.has_extension("wit") && !file.path.starts_with("guest-sdk/wit/") {
                complaints.push(format!(
                    "{}: the contract's only copy is guest-sdk/wit",
                    file.path
                ));
            }
            // Guests in tests/ are what strangers could upload, written their way.
            let strange = file.path.starts_with("tests/guests/") || file.path.starts_with("tests/fuzz/");
            let manifest = file.path.starts_with("host/") || file.path.starts_with("tests/");
            if manifest && !strange && file.path.ends_with("/Cargo.toml") && !file.inherits_lints() {
                complaints.push(format!("{}: needs `[lints] workspace = true`", file.path));
            }
        }
        complaints
    }
}

impl SourceFile {
    pub(super) fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.path)
            .extension()
            .is_some_and(|found| found == extension)
    }

    /// A crate takes its workspace's lints; a bare workspace has none to take.
    fn inherits_lints(&self) -> bool {
        let Ok(manifest) = self.text.parse::<toml::Table>() else {
            return false;
        };
        let inherits = manifest.get("lints").and_then(|lints| lints.get("workspace"));
        !manifest.contains_key("package") || inherits.and_then(toml::Value::as_bool) == Some(true)
    }
}
