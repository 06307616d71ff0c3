//! Bundles of files of apps that were uploaded, unpacked where the transport serves them from.
use std::{collections::HashSet, fs, path::Path};

use futures_util::{StreamExt, stream};
use runtime::Digest;

use crate::Handle;

/// Bundles brought in at once at start.
const AT_ONCE: usize = 4;

/// Unpacks a bundle here unless it is.
pub(crate) async fn bring(handle: &Handle, digest: Digest) -> Result<(), String> {
    let name = digest.to_string();
    let dir = handle.tenants().assets().to_owned();
    if dir.join(&name).is_dir() {
        return Ok(());
    }
    let blob = handle.backplane().get_blob(&name).await;
    let blob = blob
        .map_err(|error| format!("its files cannot be fetched: {error}"))?
        .ok_or_else(|| format!("its files {name} are nowhere to be found: deploy it again"))?;
    let unpacked = tokio::task::spawn_blocking(move || platform::unpack_assets(&blob, &dir)).await;
    match unpacked {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(format!("its files cannot be unpacked: {error}")),
        Err(error) => Err(format!("its files cannot be unpacked: {error}")),
    }
}

/// Before the node is ready: every app's files, and none of those that no app has any more.
pub(crate) async fn bring_all(handle: &Handle) {
    let wanted = wanted(handle);
    tidy(handle.tenants().assets(), &wanted);
    let brought = stream::iter(wanted).for_each_concurrent(AT_ONCE, async |digest| {
        if let Err(problem) = bring(handle, digest).await {
            tracing::error!(%problem, "an app is served without its files");
        }
    });
    brought.await;
}

/// What apps have now. While changes are taken in, that is not all that is being brought.
pub(crate) fn wanted(handle: &Handle) -> HashSet<Digest> {
    let catalogue = handle.catalogue();
    let entries = catalogue
        .names()
        .into_iter()
        .filter_map(|name| catalogue.get(&name));
    let mut wanted = HashSet::new();
    for entry in entries {
        let canary = entry.canary.as_ref().map(|canary| &canary.live);
        let both = std::iter::once(&entry.stable).chain(canary);
        wanted.extend(both.filter_map(|live| live.assets).map(Digest));
    }
    wanted
}

/// Removes the files of bundles that are not wanted. Blocks.
pub(crate) fn tidy(dir: &Path, wanted: &HashSet<Digest>) {
    let wanted: HashSet<String> = wanted.iter().map(Digest::to_string).collect();
    // Not there yet: nothing to tidy.
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !wanted.contains(&name)
            && let Err(error) = fs::remove_dir_all(entry.path())
        {
            tracing::warn!(%error, path = %entry.path().display(), "old files stay");
        }
    }
}
