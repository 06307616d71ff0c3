//! The compiler that guests are built with: whether it knows their target, and what to do if not.
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    failure::{Failure, Kind},
    ui,
};

pub(crate) const TARGET: &str = "wasm32-wasip2";

/// Names another rustc that has the target, for machines whose rustup cannot add it.
pub(crate) const GUEST_RUSTC: &str = "WAKELINE_GUEST_RUSTC";

/// Makes sure that a build with cargo in `dir` finds its target; adds it through rustup if it can.
pub(crate) fn ensure(dir: &Path) -> Result<(), Failure> {
    if let Some(rustc) = guest_rustc() {
        return match has_target(&rustc, dir) {
            Some(true) => Ok(()),
            Some(false) => Err(Failure::new(
                Kind::Unavailable,
                format!("{GUEST_RUSTC}={} has no target {TARGET}", rustc.display()),
            )
            .help(format!(
                "name a rustc whose `rustc --print target-libdir --target {TARGET}` is a folder that exists"
            ))),
            None => Err(Failure::new(
                Kind::Unavailable,
                format!("{GUEST_RUSTC}={} does not run", rustc.display()),
            )),
        };
    }
    match has_target(Path::new("rustc"), dir) {
        Some(true) => Ok(()),
        Some(false) => add(dir),
        None => Err(Failure::new(
            Kind::Unavailable,
            "there is no Rust compiler here (`rustc` does not run)",
        )
        .help("install Rust from https://rustup.rs, then try again")),
    }
}

pub(crate) fn guest_rustc() -> Option<PathBuf> {
    std::env::var_os(GUEST_RUSTC)
        .filter(|rustc| !rustc.is_empty())
        .map(PathBuf::from)
}

/// `None`: it does not run. In `dir`, since a toolchain file there may choose another compiler.
fn has_target(rustc: &Path, dir: &Path) -> Option<bool> {
    let output = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(dir)
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let libdir = String::from_utf8_lossy(&output.stdout);
    Some(output.status.success() && Path::new(libdir.trim()).is_dir())
}

fn add(dir: &Path) -> Result<(), Failure> {
    let command = format!("rustup target add {TARGET}");
    let by_hand = format!(
        "run `{command}` where it can download, or set {GUEST_RUSTC} to another rustc that has the target"
    );
    ui::step("Adding", &format!("the compiler's target {TARGET} ({command})"));
    let status = Command::new("rustup")
        .args(["target", "add", TARGET])
        .current_dir(dir)
        .stdout(Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(Failure::new(Kind::Unavailable, format!("`{command}` failed: guests cannot be compiled")).help(by_hand)),
        Err(_) => Err(Failure::new(Kind::Unavailable, format!("this Rust compiler has no target {TARGET}, and there is no rustup to add it"))
            .help(format!("install Rust from https://rustup.rs and run `{command}`, or set {GUEST_RUSTC} to another rustc that has the target"))),
    }
}
