//! What tests drive: the server, the network between, the clients' scripts.
mod app;
mod browser;
mod host;
mod output;
mod proxy;
pub(crate) mod report;
mod script;
mod wakeline;

use std::path::{Path, PathBuf};

pub(crate) use app::{AppDir, component};
pub(crate) use browser::browser;
pub(crate) use host::{Host, Ran, run};
pub(crate) use output::Output;
pub(crate) use proxy::FaultProxy;
pub(crate) use script::Script;
pub(crate) use wakeline::{Wakeline, binary};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
        .to_path_buf()
}

/// Where cargo builds: two above this very program (`target/release/deps/it-…`).
pub(crate) fn target() -> PathBuf {
    std::env::current_exe()
        .unwrap()
        .ancestors()
        .nth(3)
        .unwrap()
        .to_path_buf()
}
