//! What only this measurement needs: Node's socket.io and Redis, installed where they are missing.
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail, ensure};

/// The folder of Node's programs.
pub(crate) fn javascript() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("js")
}

/// Packages of the lock file, installed once.
pub(crate) fn node_packages() -> anyhow::Result<()> {
    let wanted = fs::read(javascript().join("package-lock.json"))?;
    let stamp = javascript().join("node_modules/.wakeline-lock");
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    println!("installing Node's socket.io and its Redis adapters");
    let mut install = Command::new("npm");
    install.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
    let status = install
        .current_dir(javascript())
        .status()
        .context("Node and npm are needed")?;
    ensure!(status.success(), "npm ci: {status}");
    Ok(fs::write(stamp, wanted)?)
}

/// The program's name; installed on Debian and its relatives if this is root.
pub(crate) fn redis() -> anyhow::Result<&'static str> {
    const REDIS: &str = "redis-server";
    if first_line(REDIS).is_some() {
        return Ok(REDIS);
    }
    println!("installing the package redis-server");
    let mut install = Command::new("apt-get");
    install.args(["install", "--yes", "--no-install-recommends", "-qq", REDIS]);
    let installed = install.env("DEBIAN_FRONTEND", "noninteractive").status();
    if installed.is_ok_and(|status| status.success()) && first_line(REDIS).is_some() {
        Ok(REDIS)
    } else {
        bail!("redis-server is not on PATH: install the package of that name")
    }
}

/// Of the programs that are measured against.
pub(crate) fn versions() -> String {
    let programs = ["nats-server", "redis-server", "node"];
    let found = programs.map(|program| {
        let version = first_line(program).unwrap_or_else(|| "not there".to_owned());
        format!("{program}: {version}")
    });
    found.join("; ")
}

fn first_line(program: &str) -> Option<String> {
    let mut command = Command::new(program);
    let output = command
        .arg("--version")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().next().map(str::to_owned)
}
