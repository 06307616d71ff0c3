//! What is left on this node's disk of apps and versions that are gone: compiled code, and files that were unpacked. All of
//! it can be made again, so what is removed too early costs time and nothing else.
use std::{collections::HashSet, io, time::Duration};

use platform::PlatformError;
use runtime::Digest;
use tokio::time::{sleep, timeout};

use crate::{Handle, assets};

/// Looked for when an app has gone, and this often: versions end without a word, as newer ones take their places.
const EACH: Duration = Duration::from_hours(1);
/// What goes together is looked for once: a look may ask the store about every version that there is code of.
const PAUSE: Duration = Duration::from_secs(2);

#[derive(Debug, thiserror::Error)]
enum TidyError {
    #[error(transparent)]
    Store(#[from] PlatformError),
    #[error(transparent)]
    Disk(#[from] io::Error),
}

/// Removes it at start, and for as long as the node runs.
pub(crate) async fn tidy(handle: Handle) {
    loop {
        if let Err(error) = tidy_once(&handle).await {
            tracing::warn!(%error, "what is left of apps that are gone stays on disk");
        }
        // Gone, or the time has come: either way it is looked.
        _ = timeout(EACH, handle.0.gone.notified()).await;
        sleep(PAUSE).await;
    }
}

async fn tidy_once(handle: &Handle) -> Result<(), TidyError> {
    tidy_code(handle).await?;
    tidy_files(handle).await
}

/// Code whose component no app has a version of. That of a version which is being uploaded may go with it: it is compiled
/// again.
async fn tidy_code(handle: &Handle) -> Result<(), TidyError> {
    let engine = handle.shelf().engine().clone();
    let kept = blocking(move || engine.kept()).await?;
    let fixed = handle.tenants().fixed();
    let fixed: HashSet<String> = fixed.iter().map(|tenant| tenant.digest()).collect();
    for name in kept {
        let Some(digest) = platform::Digest::from_hex(&name) else {
            continue;
        };
        if fixed.contains(&name) || handle.platform().is_used(&digest).await? {
            continue;
        }
        let engine = handle.shelf().engine().clone();
        blocking(move || engine.forget(Digest(digest.0))).await?;
    }
    Ok(())
}

/// Files of bundles that are not live, or not any more.
async fn tidy_files(handle: &Handle) -> Result<(), TidyError> {
    // Nobody brings files while this is held.
    let _taking_in = handle.0.taking_in.lock().await;
    let (dir, wanted) = (handle.tenants().assets().to_owned(), assets::wanted(handle));
    blocking(move || {
        assets::tidy(&dir, &wanted);
        Ok(())
    })
    .await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, TidyError> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(io::Error::other)??)
}
