//! The small chores.
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::{sh, tools};

const DENY_VERSION: &str = "0.20.2";
const FUZZ_VERSION: &str = "0.13.1";

pub(crate) fn fuzz(seconds: u32) -> Result<()> {
    let dir = sh::root().join("tests/fuzz");
    let program = tools::cargo_tool("cargo-fuzz", FUZZ_VERSION)?;
    let fuzz = |verb: &str, arguments: &[&str]| {
        let mut command = Command::new(&program);
        // The sanitizers are nightly's.
        command
            .args([verb, "--fuzz-dir"])
            .arg(&dir)
            .args(arguments)
            .current_dir(&dir)
            .env_remove("CARGO")
            .env("RUSTUP_TOOLCHAIN", "nightly");
        command
    };
    let targets = sh::read(&mut fuzz("list", &[]))
        .context("fuzzing needs a nightly compiler: `rustup toolchain install nightly`")?;
    for target in targets.lines() {
        sh::step(&format!("fuzz {target} for {seconds} s"));
        sh::run(&mut fuzz(
            "run",
            &[target, "--", &format!("-max_total_time={seconds}")],
        ))?;
    }
    Ok(())
}

/// The files of npm's package as they are, compressed; its version is the one that the tests run with.
pub(crate) fn client() -> Result<()> {
    tools::node_packages()?;
    let package = sh::root().join("tests/it/js/node_modules/socket.io-client");
    let kept = sh::root().join("host/transport/socket.io-client");
    for name in fs::read_dir(&kept)?.map(|entry| entry.map(|entry| entry.file_name())) {
        let name = name?.to_string_lossy().into_owned();
        let Some(name) = name.strip_suffix(".gz") else {
            continue;
        };
        let mut gzip = Command::new("gzip");
        // Without time and name, so that the same file is the same again.
        gzip.args(["--best", "--no-name", "--stdout"])
            .arg(package.join("dist").join(name))
            .stdout(fs::File::create(kept.join(format!("{name}.gz")))?);
        sh::run(&mut gzip)?;
    }
    fs::copy(package.join("LICENSE"), kept.join("LICENSE"))?;
    let manifest: serde_json::Value = serde_json::from_slice(&fs::read(package.join("package.json"))?)?;
    let version = manifest["version"]
        .as_str()
        .context("its package.json names no version")?;
    sh::step(&format!("socket.io-client {version}: {}", kept.display()));
    Ok(fs::write(kept.join("VERSION"), version)?)
}

/// The copies are built in a folder of their own: what is broken there must not be taken for what is here.
pub(crate) fn breaks() -> Result<()> {
    sh::run(
        sh::cargo()
            .args(["test", "--release", "--package", "sim", "--test", "breaks"])
            .args(["--", "--ignored", "--nocapture"])
            .env("WAKELINE_BREAKS_TARGET", sh::target().join("breaks")),
    )
}

pub(crate) fn bench(arguments: &[String]) -> Result<()> {
    crate::guests::build()?;
    run_bench(Command::new(bench_program()).args(arguments))
}

/// What is told goes into `report` too.
pub(crate) fn guard(report: Option<&Path>) -> Result<()> {
    crate::guests::build()?;
    let mut guard = Command::new(bench_program());
    guard.arg("guard");
    if let Some(report) = report {
        guard.env(crate::suite::REPORT, report);
    }
    run_bench(&mut guard)
}

fn bench_program() -> PathBuf {
    sh::target().join("release/bench")
}

fn run_bench(bench: &mut Command) -> Result<()> {
    sh::run(sh::cargo().args([
        "build",
        "--release",
        "--package",
        "wakeline",
        "--package",
        "bench",
    ]))?;
    sh::run(bench.current_dir(sh::root()))
}

pub(crate) fn deny() -> Result<()> {
    let program = tools::cargo_tool("cargo-deny", DENY_VERSION)?;
    sh::run(
        Command::new(program)
            .args(["--config", ".deny.toml", "check", "--hide-inclusion-graph"])
            .current_dir(sh::root()),
    )
}
