//! App folders for tests: a manifest made on the spot, a component that is built already.
use std::{fs, path::PathBuf};

use tempfile::TempDir;

use super::root;

/// A folder with a `wakeline.toml`; gone when dropped.
pub(crate) struct AppDir {
    pub(crate) name: String,
    directory: TempDir,
}

impl AppDir {
    /// An app that runs the component of `examples/<example>` with `settings`, tables of the manifest.
    pub(crate) fn example(example: &str, settings: &str) -> Self {
        Self::new(example, &component("examples", example), settings)
    }

    /// An app that runs the component of `tests/it/probe`.
    pub(crate) fn probe(settings: &str) -> Self {
        Self::new("probe", &component("tests/it/probe", "probe"), settings)
    }

    /// An app that runs a component of `tests/guests`.
    pub(crate) fn guest(guest: &str, settings: &str) -> Self {
        Self::new(guest, &component("tests/guests", guest), settings)
    }

    /// The hostile guest under a name of its own.
    pub(crate) fn hostile(name: &str, settings: &str) -> Self {
        Self::new(name, &component("tests/guests", "guest-hostile"), settings)
    }

    /// The component of an example under another app's name.
    pub(crate) fn posing(name: &str, example: &str) -> Self {
        Self::new(name, &component("examples", example), "")
    }

    fn new(name: &str, component: &std::path::Path, settings: &str) -> Self {
        assert!(
            component.exists(),
            "{} is missing: cargo xtask guests",
            component.display()
        );
        let directory = tempfile::tempdir().unwrap();
        let manifest = format!(
            "name = \"{name}\"\ncomponent = \"{}\"\n[build]\ncommand = \"true\"\n{settings}",
            component.display()
        );
        fs::write(directory.path().join("wakeline.toml"), manifest).unwrap();
        Self {
            name: name.to_owned(),
            directory,
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().to_path_buf()
    }
}

/// Where cargo puts the component of a crate called `name`.
pub(crate) fn component(workspace: &str, name: &str) -> PathBuf {
    let file = format!("{}.wasm", name.replace('-', "_"));
    root()
        .join(workspace)
        .join("target/wasm32-wasip2/release")
        .join(file)
}
