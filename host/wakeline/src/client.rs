//! The stock browser client, for pages that load `/socket.io/socket.io.js` from their own server: taken from npm once,
//! kept in a cache, never part of this repository.
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::ui;

/// The version whose behaviour the host is tested with.
const VERSION: &str = "4.8.4";

/// The same where nothing may be fetched: a folder that the operator names, or the cache that `wakeline dev` filled.
pub(crate) fn find() -> Option<PathBuf> {
    let cache = cache_dir().join(format!("socket.io-client-{VERSION}"));
    has_client(&cache).then(|| cache.join("dist"))
}

/// A folder with the client's `dist` files, or `None` with a warning said: the app is served without it.
pub(crate) fn fetch() -> Option<PathBuf> {
    let cache = cache_dir().join(format!("socket.io-client-{VERSION}"));
    if has_client(&cache) {
        return Some(cache.join("dist"));
    }
    ui::step(
        "Fetching",
        &format!("the browser's client, socket.io-client {VERSION}, with npm"),
    );
    match download(&cache) {
        Ok(()) => Some(cache.join("dist")),
        Err(reason) => {
            ui::warn(
                &format!(
                    "the browser's client is not there ({reason}): pages that load /socket.io/socket.io.js from here will not find it"
                ),
                Some(
                    "install Node.js with npm and start again, or let the page load socket.io-client from elsewhere",
                ),
            );
            None
        }
    }
}

fn has_client(package: &Path) -> bool {
    package.join("dist/socket.io.min.js").is_file()
}

fn cache_dir() -> PathBuf {
    let set = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let base = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    base.unwrap_or_else(std::env::temp_dir).join("wakeline/client")
}

/// Unpacks beside its place and renames, so that a broken download or a second `wakeline dev` leaves no half package.
fn download(package: &Path) -> Result<(), String> {
    let scratch = package.with_extension(format!("tmp-{}", std::process::id()));
    fs::create_dir_all(&scratch)
        .map_err(|error| format!("cannot write to {}: {error}", scratch.display()))?;
    let outcome = unpack(&scratch).and_then(|()| {
        // Another process may have won: its package is as good.
        let renamed = fs::rename(scratch.join("package"), package);
        if has_client(package) {
            Ok(())
        } else {
            renamed.map_err(|error| error.to_string())
        }
    });
    // What is left is only rubbish in a cache.
    let _ = fs::remove_dir_all(&scratch);
    outcome
}

fn unpack(scratch: &Path) -> Result<(), String> {
    let archive = format!("socket.io-client-{VERSION}.tgz");
    run(
        scratch,
        "npm",
        &["pack", "--silent", &format!("socket.io-client@{VERSION}")],
    )?;
    run(scratch, "tar", &["-xzf", &archive])
}

fn run(dir: &Path, program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(dir)
        .stdin(Stdio::null())
        .output();
    let output = output.map_err(|error| format!("`{program}` does not run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let reason = said
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("it says nothing");
    Err(format!("`{program} {}` failed: {reason}", arguments.join(" ")))
}
