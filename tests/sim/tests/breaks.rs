//! The simulation finds what it is there to find: the host is broken on purpose, in a copy, once for each patch of
//! `breaks/`, and every break must show within a few hundred lives.
//!
//! Slow, since each break is a build: run by `cargo xtask breaks`. `WAKELINE_BREAKS_TARGET` names a target folder whose
//! builds of other crates may be used.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, its helpers too; figures are printed"
)]
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

/// What the simulation is made of.
const ROOMS: [&str; 6] = [
    "host/engineio",
    "host/socketio",
    "host/router",
    "host/backplane",
    "host/session",
    "tests/sim",
];

/// In sorted order; three at least.
fn patches() -> Vec<PathBuf> {
    let patches = Path::new(env!("CARGO_MANIFEST_DIR")).join("breaks");
    let mut patches: Vec<PathBuf> = fs::read_dir(patches)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "patch"))
        .collect();
    patches.sort();
    assert!(patches.len() >= 3, "{patches:?}");
    patches
}

/// Every hunk's old lines stand in its file, word for word: a break that no longer breaks anything is found at once, not
/// when somebody has time for the builds.
#[test]
fn every_break_fits_the_code() {
    for patch in patches() {
        let text = fs::read_to_string(&patch).unwrap();
        let file = text.lines().find_map(|line| line.strip_prefix("--- a/")).unwrap();
        let code = fs::read_to_string(root().join(file)).unwrap();
        for hunk in text.split("\n@@ ").skip(1) {
            let lines = hunk.lines().skip(1).filter(|line| !line.starts_with('+'));
            let old: Vec<&str> = lines.map(|line| line.get(1..).unwrap_or_default()).collect();
            assert!(
                code.contains(&old.join("\n")),
                "{} no longer fits {file}: make it anew",
                patch.display()
            );
        }
    }
}

#[test]
#[ignore = "builds the host once for each break"]
fn every_break_is_found() {
    for patch in patches() {
        let found = found_by(&patch);
        println!("{}: {found}", patch.file_stem().unwrap().display());
    }
}

/// The line that names the seed and what was wrong.
fn found_by(patch: &Path) -> String {
    let copy = Copy::new();
    copy.patch(patch);
    let target = std::env::var_os("WAKELINE_BREAKS_TARGET")
        .map_or_else(|| root().join("target/breaks"), PathBuf::from);
    let output = Command::new(env!("CARGO"))
        .args(["test", "--release", "--offline", "-p", "sim", "--test", "cluster"])
        .env("CARGO_TARGET_DIR", target)
        .env("WAKELINE_SIM_SEEDS", "400")
        .env_remove("WAKELINE_SIM_SEED")
        .current_dir(&copy.0)
        .output()
        .unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success(),
        "{} was not noticed:\n{said}",
        patch.display()
    );
    let seed = said.lines().find(|line| line.starts_with("seed "));
    seed.unwrap_or_else(|| panic!("{} does not even build:\n{said}", patch.display()))
        .to_owned()
}

/// A workspace of just the crates that are needed, gone when dropped.
struct Copy(PathBuf);

impl Copy {
    fn new() -> Self {
        let copy = Self(std::env::temp_dir().join(format!("wakeline-breaks-{}", std::process::id())));
        for room in ROOMS {
            copy_folder(&root().join(room), &copy.0.join(room)).unwrap();
        }
        let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
        let list = |rooms: &[&str]| format!("{rooms:?}");
        let lines = manifest.lines().map(|line| match line.split_once(" = ") {
            Some(("members", _)) => format!("members = {}", list(&ROOMS)),
            Some(("exclude" | "default-members", _)) => String::new(),
            _ => line.to_owned(),
        });
        fs::write(copy.0.join("Cargo.toml"), lines.collect::<Vec<_>>().join("\n")).unwrap();
        fs::copy(root().join("Cargo.lock"), copy.0.join("Cargo.lock")).unwrap();
        copy
    }

    fn patch(&self, patch: &Path) {
        let applied = Command::new("patch")
            .args(["-p1", "--no-backup-if-mismatch", "-i"])
            .arg(patch)
            .current_dir(&self.0)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&applied.stdout);
        assert!(
            applied.status.success(),
            "{} no longer fits the code: make it anew\n{said}",
            patch.display()
        );
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // A folder of the system's temporary ones: it is removed some day.
        _ = fs::remove_dir_all(&self.0);
    }
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}
