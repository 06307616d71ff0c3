//! Running other programs, saying so.
use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    // tests/xtask, two below the root: known at build time, so the chore runs from any folder.
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// Where cargo builds the host.
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// A heading in the log, so that the reader knows what is happening and why it takes a while.
pub(crate) fn step(what: &str) {
    println!("\n==> {what}");
}

/// The cargo that runs this chore.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Set by the outer cargo for this crate; an inner cargo or a test must not take them for its own.
    for (key, _) in std::env::vars_os() {
        if key
            .to_str()
            .is_some_and(|key| key.starts_with("CARGO_PKG_") || key == "CARGO_MANIFEST_DIR")
        {
            cargo.env_remove(key);
        }
    }
    cargo.current_dir(root());
    cargo
}

/// Runs to the end with the terminal inherited; an exit code other than 0 is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    println!("    $ {shown}");
    let status = command
        .status()
        .with_context(|| format!("cannot start `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` failed: {status}");
    }
    Ok(())
}

/// Runs quietly and gives the standard output; an exit code other than 0 is an error that shows the rest.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    output(command.stderr(Stdio::piped()))
}

/// Gives the standard output while the rest (progress, errors) goes to the terminal.
pub(crate) fn read_watched(command: &mut Command) -> Result<String> {
    println!("    $ {}", show(command));
    output(command.stderr(Stdio::inherit()))
}

fn output(command: &mut Command) -> Result<String> {
    let shown = show(command);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let child = command
        .spawn()
        .with_context(|| format!("cannot start `{shown}`"))?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!(
            "`{shown}` failed: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a program is there and answers `--version`.
pub(crate) fn has(program: impl AsRef<OsStr>) -> bool {
    Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn show(command: &Command) -> String {
    // `cargo`, not the path of the toolchain's.
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}
