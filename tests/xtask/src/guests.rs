//! Building what runs inside: components for wasm32-wasip2.
use std::path::PathBuf;

use anyhow::Result;

use crate::sh;

/// Workspaces of guests, apart from the host's.
pub(crate) const WORKSPACES: [&str; 4] = ["guest-sdk", "examples", "tests/guests", "tests/it/probe"];

/// Builds every guest that a test needs.
pub(crate) fn build() -> Result<()> {
    sh::step("building guests");
    for dir in workspaces().into_iter().filter(|dir| !dir.ends_with("guest-sdk")) {
        sh::run(
            sh::cargo()
                .args(["build", "--release", "--target", "wasm32-wasip2"])
                .current_dir(&dir),
        )?;
    }
    Ok(())
}

/// The workspaces that are there.
pub(crate) fn workspaces() -> Vec<PathBuf> {
    let dirs = WORKSPACES.iter().map(|name| sh::root().join(name));
    dirs.filter(|dir| dir.join("Cargo.toml").exists()).collect()
}
