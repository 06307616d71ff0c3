//! What the servers need: installed where it is missing, each saying so; what cannot be had is named and left out.
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail, ensure};

use super::Peer;

/// Installs what these need. Answers who must be left out, and why.
pub(crate) fn install(peers: &[Peer]) -> Vec<(Peer, String)> {
    let mut missing = Vec::new();
    let mut done: Vec<(&str, Result<(), String>)> = Vec::new();
    for peer in peers {
        for (what, how) in needs(*peer) {
            if !done.iter().any(|(name, _)| name == what) {
                done.push((what, how().map_err(|error| format!("{error:#}"))));
            }
            let found = done.iter().find(|(name, _)| name == what);
            if let Some((_, Err(why))) = found {
                println!(
                    "LEFT OUT: {} ({}), for want of {what}: {why}",
                    peer.name(),
                    peer.title()
                );
                missing.push((*peer, format!("{what}: {why}")));
                break;
            }
        }
    }
    missing
}

/// A name, and what has it.
type Need = (&'static str, fn() -> anyhow::Result<()>);

fn needs(peer: Peer) -> &'static [Need] {
    const NODE: Need = ("Node's packages", node_packages);
    const REDIS: Need = ("redis-server", || redis().map(drop));
    const PYTHON: Need = ("Python's packages", python_packages);
    const NGINX: Need = ("nginx", || ensure_program(nginx(), "-v", "nginx-light"));
    match peer {
        Peer::Wakeline | Peer::WakelinePlain => &[("wakeline", || wakeline().map(drop))],
        Peer::Epoll | Peer::Hyper | Peer::Socketioxide => &[("tests/bench/peers", natives)],
        Peer::Node | Peer::NodeRecovery => &[NODE],
        Peer::NodeRedis => &[NODE, REDIS],
        Peer::Flask => &[PYTHON],
        Peer::FlaskNginx => &[PYTHON, REDIS, NGINX],
    }
}

/// Of the programs that are measured, those that are here.
pub(crate) fn versions() -> String {
    let programs = ["node", "python3", "nats-server", "redis-server"].map(|program| (program, "--version"));
    let programs = programs.into_iter().chain([(nginx(), "-v")]);
    let mut found: Vec<String> = programs
        .filter_map(|(program, argument)| {
            let name = program.rsplit('/').next().unwrap_or(program);
            let version = version_after(&format!("{} ", first_line(program, argument)?), "")?;
            Some(format!("{name} {version}"))
        })
        .collect();
    let lock = fs::read_to_string(root().join("tests/bench/peers/Cargo.lock")).unwrap_or_default();
    for name in ["socketioxide", "hyper", "hyper-tungstenite"] {
        found.extend(
            version_after(&lock, &format!("name = \"{name}\"\n")).map(|version| format!("{name} {version}")),
        );
    }
    let package = fs::read_to_string(javascript().join("package.json")).unwrap_or_default();
    found.extend(version_after(&package, "\"socket.io\"").map(|version| format!("socket.io {version}")));
    let wanted = fs::read_to_string(flask().join("requirements.txt")).unwrap_or_default();
    found.extend(wanted.lines().map(|line| line.replace("==", " ")));
    found.join(", ")
}

/// The first number with dots after `key`.
fn version_after(text: &str, key: &str) -> Option<String> {
    let (_, rest) = text.split_once(key)?;
    let rest = rest.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    rest.get(..end).map(str::to_owned)
}

/// The repository's root; the bench is run where it was built.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// The folder of Node's programs.
pub(crate) fn javascript() -> PathBuf {
    root().join("tests/bench/js")
}

pub(super) fn flask() -> PathBuf {
    root().join("tests/bench/flask")
}

/// Where cargo builds: this program is in its `release`.
pub(crate) fn target() -> anyhow::Result<PathBuf> {
    let program = env::current_exe()?;
    let target = program
        .ancestors()
        .nth(2)
        .context("a program in target/release")?;
    Ok(target.to_path_buf())
}

/// For `PYTHONPATH`; Debian's Python comes without `venv`.
pub(super) fn python() -> PathBuf {
    target().unwrap_or_default().join("bench-python")
}

/// The program beside this one.
pub(super) fn wakeline() -> anyhow::Result<PathBuf> {
    let program = env::current_exe()?.with_file_name("wakeline");
    ensure!(
        program.exists(),
        "{} is missing: cargo build --release -p wakeline",
        program.display()
    );
    Ok(program)
}

pub(super) fn native(name: &str) -> PathBuf {
    target().unwrap_or_default().join("peers/release").join(name)
}

fn natives() -> anyhow::Result<()> {
    println!("building tests/bench/peers");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--release", "--locked", "--quiet", "--target-dir"])
        .arg(target()?.join("peers"))
        .current_dir(root().join("tests/bench/peers"));
    let status = cargo.status().context("cargo is not on PATH")?;
    ensure!(status.success(), "cargo build: {status}");
    Ok(())
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

fn python_packages() -> anyhow::Result<()> {
    let list = flask().join("requirements.txt");
    let wanted = fs::read(&list)?;
    let stamp = python().join("installed.txt");
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    println!("installing Flask-SocketIO, gunicorn and eventlet");
    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--upgrade",
        "--target",
    ]);
    let status = pip
        .arg(python())
        .arg("--requirement")
        .arg(list)
        .status()
        .context("Python is needed")?;
    ensure!(status.success(), "pip install: {status}");
    Ok(fs::write(stamp, wanted)?)
}

/// The program's name; installed on Debian and its relatives if this is root.
pub(crate) fn redis() -> anyhow::Result<&'static str> {
    const REDIS: &str = "redis-server";
    ensure_program(REDIS, "--version", REDIS)?;
    Ok(REDIS)
}

/// Debian has it where only root's PATH leads.
pub(super) fn nginx() -> &'static str {
    const SBIN: &str = "/usr/sbin/nginx";
    if Path::new(SBIN).exists() { SBIN } else { "nginx" }
}

fn ensure_program(program: &str, version: &str, package: &str) -> anyhow::Result<()> {
    if first_line(program, version).is_some() {
        return Ok(());
    }
    println!("installing the package {package}");
    let mut install = Command::new("apt-get");
    install.args(["install", "--yes", "--no-install-recommends", "-qq", package]);
    let installed = install.env("DEBIAN_FRONTEND", "noninteractive").status();
    if !installed.is_ok_and(|status| status.success()) || first_line(program, version).is_none() {
        bail!("{program} is not on PATH: install the package {package}")
    }
    Ok(())
}

/// What a program says of itself, on whichever of its two outputs.
fn first_line(program: &str, argument: &str) -> Option<String> {
    let mut command = Command::new(program);
    let output = command.arg(argument).stdin(Stdio::null()).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    Some(text.lines().next()?.trim().to_owned())
}
