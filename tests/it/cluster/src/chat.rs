//! The chat of the examples as an author would deploy it: with the browser's client among its files, since only
//! `wakeline dev` lends one.
use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

/// Copies examples/chat of the repository at `root` into `directory`; its component must be built, and the Node
/// packages of the tests installed. Returns the app's folder.
pub fn copy_chat(root: &Path, directory: &Path) -> Result<PathBuf> {
    let app = directory.join("chat-app");
    let (from, public) = (root.join("examples/chat"), app.join("public"));
    fs::create_dir_all(&public)?;
    for entry in fs::read_dir(from.join("public"))? {
        let entry = entry?;
        fs::copy(entry.path(), public.join(entry.file_name()))?;
    }
    let client = root.join("tests/it/js/node_modules/socket.io-client/dist/socket.io.min.js");
    fs::copy(&client, public.join("client.js"))
        .with_context(|| format!("cannot copy {}: cargo xtask test installs it", client.display()))?;
    let page = fs::read_to_string(public.join("index.html"))?;
    let own = page.replace("socket.io/socket.io.min.js", "client.js");
    ensure!(own != page, "the chat's page loads its client from elsewhere now");
    fs::write(public.join("index.html"), own)?;

    let manifest = fs::read_to_string(from.join("wakeline.toml"))?;
    let built = root.join("examples/target/wasm32-wasip2/release/chat.wasm");
    let absolute = manifest.replace(
        "../target/wasm32-wasip2/release/chat.wasm",
        &built.display().to_string(),
    );
    ensure!(
        absolute != manifest && built.exists(),
        "{} is missing: cargo xtask guests",
        built.display()
    );
    fs::write(app.join("wakeline.toml"), absolute)?;
    Ok(app)
}
