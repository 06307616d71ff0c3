//! Installing what the tests need and the machine lacks. Each part does nothing where its work is done already.
use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result};

use crate::sh;

/// What could not be had, and why: the tests that need it are skipped, loudly.
pub(crate) struct Missing {
    pub(crate) what: &'static str,
    pub(crate) why: String,
}

/// Installs everything; what cannot be installed is returned rather than fatal, the wasm target excepted.
pub(crate) fn install() -> Result<Vec<Missing>> {
    sh::step(
        "tools: the wasm target, Node and Python packages, nats-server, nginx, chromium, valgrind, cargo-component",
    );
    wasm_target()?;
    let optional = [
        ("node", node_packages()),
        ("python", python_packages()),
        ("nats-server", nats_server()),
        ("nginx", nginx()),
        ("chromium", chromium()),
        ("valgrind", valgrind()),
        ("cargo-component", cargo_component()),
    ];
    let mut missing = Vec::new();
    for (what, installed) in optional {
        if let Err(error) = installed {
            let why = format!("{error:#}");
            println!("    MISSING {what}: {why}");
            missing.push(Missing { what, why });
        }
    }
    Ok(missing)
}

/// What the demo of a cluster needs.
pub(crate) fn install_for_cluster() -> Result<()> {
    sh::step("tools: the wasm target, Node packages, nats-server, nginx");
    wasm_target()?;
    node_packages()?;
    nats_server()?;
    nginx()
}

fn wasm_target() -> Result<()> {
    if std::env::var_os("WAKELINE_GUEST_RUSTC").is_some() {
        return Ok(());
    }
    if sysroot()?.join("lib/rustlib/wasm32-wasip2").is_dir() {
        println!("    wasm32-wasip2 is there");
        return Ok(());
    }
    sh::run(
        Command::new("rustup")
            .args(["target", "add", "wasm32-wasip2"])
            .current_dir(sh::root()),
    )
    .context(
        "guests are built for wasm32-wasip2; where rustup cannot add it, \
         name a rustc that has it in WAKELINE_GUEST_RUSTC",
    )
}

fn sysroot() -> Result<PathBuf> {
    let mut rustc = Command::new("rustc");
    let sysroot = sh::read(rustc.args(["--print", "sysroot"]).current_dir(sh::root()))?;
    Ok(PathBuf::from(sysroot.trim()))
}

/// Those of the tests.
pub(crate) fn node_packages() -> Result<()> {
    anyhow::ensure!(
        sh::has("node") && sh::has("npm"),
        "node and npm are not on PATH (Node 20 or later)"
    );
    let dir = sh::root().join("tests/it/js");
    let wanted = fs::read(dir.join("package-lock.json"))?;
    let stamp = dir.join("node_modules/.wakeline-lock");
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        println!("    Node packages are there");
        return Ok(());
    }
    sh::run(
        Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
            .current_dir(&dir),
    )?;
    Ok(fs::write(stamp, wanted)?)
}

/// The other tool that authors build components with; it targets wasm32-wasip1 and adapts.
fn cargo_component() -> Result<()> {
    cargo_tool("cargo-component", CARGO_COMPONENT_VERSION)?;
    if sysroot()?.join("lib/rustlib/wasm32-wasip1").is_dir() {
        return Ok(());
    }
    sh::run(
        Command::new("rustup")
            .args(["target", "add", "wasm32-wasip1"])
            .current_dir(sh::root()),
    )
}

/// The latest release.
const CARGO_COMPONENT_VERSION: &str = "0.21.1";

/// A program from the registry, of one version, built into target/tools unless it is there.
pub(crate) fn cargo_tool(name: &str, version: &str) -> Result<PathBuf> {
    let tools = sh::target().join("tools");
    let program = tools.join("bin").join(name);
    if program.is_file() {
        println!("    {name} is there");
        return Ok(program);
    }
    sh::step(&format!("installing {name} {version} (some minutes, once)"));
    let mut install = sh::cargo();
    install
        .args(["install", "--locked", "--version", version, "--root"])
        .arg(&tools);
    sh::run(install.arg(name))?;
    Ok(program)
}

/// Into a folder for `PYTHONPATH`, not a virtual environment: Debian's Python comes without `venv`.
fn python_packages() -> Result<()> {
    let list = sh::root().join("tests/it/python/requirements.txt");
    let wanted = fs::read(&list)?;
    let dir = sh::root().join("tests/it/python/.venv");
    let stamp = dir.join("installed.txt");
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        println!("    Python packages are there");
        return Ok(());
    }
    if sh::read(Command::new("python3").args(["-m", "pip", "--version"])).is_err() {
        apt_get("python3-pip")?;
    }
    fs::create_dir_all(&dir)?;
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
    sh::run(pip.arg(&dir).arg("--requirement").arg(&list))?;
    Ok(fs::write(stamp, wanted)?)
}

fn chromium() -> Result<()> {
    if ["chromium", "chromium-browser", "google-chrome"]
        .iter()
        .any(sh::has)
    {
        println!("    chromium is there");
        return Ok(());
    }
    apt_get("chromium")
}

/// For the guard, which counts instructions.
pub(crate) fn valgrind() -> Result<()> {
    if sh::has("valgrind") {
        println!("    valgrind is there");
        return Ok(());
    }
    apt_get("valgrind")
}

/// Any version will do; the tests print which it is.
fn nats_server() -> Result<()> {
    if sh::has("nats-server") {
        println!("    nats-server is there");
        return Ok(());
    }
    apt_get("nats-server")
}

/// Without its modules; where only root's PATH leads, too. (It answers `-v`, not `--version`.)
fn nginx() -> Result<()> {
    let answers = |program: &str| sh::read(Command::new(program).arg("-v")).is_ok();
    if ["nginx", "/usr/sbin/nginx"].into_iter().any(answers) {
        println!("    nginx is there");
        return Ok(());
    }
    apt_get("nginx-light").or_else(|_| apt_get("nginx"))
}

/// Installs a package on Debian and its relatives, as root only.
fn apt_get(package: &str) -> Result<()> {
    let root = sh::read(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    anyhow::ensure!(
        root && sh::has("apt-get"),
        "install the package {package} (or run this as root on Debian)"
    );
    let install = || {
        let mut install = Command::new("apt-get");
        install.args(["install", "--yes", "--no-install-recommends", "-qq", package]);
        sh::run(install.env("DEBIAN_FRONTEND", "noninteractive"))
    };
    install().or_else(|_| {
        // The package lists of a fresh machine are empty or stale.
        sh::run(Command::new("apt-get").args(["update", "-qq"]))?;
        install()
    })
}
