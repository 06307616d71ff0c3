//! Sockets whose process is gone: their apps are opened here, so that those that do not come back are seen to leave.
use std::time::Duration;

use futures_util::{StreamExt, stream};
use session::LeftBehind;

use crate::Handle;

/// Apps opened at once.
const AT_ONCE: usize = 8;
const RETRY: Duration = Duration::from_secs(3);
/// By then every node has seen who died, and has opened the apps.
const SETTLED: Duration = Duration::from_secs(60);

/// Looks at start, and among other nodes whenever one of them is gone.
pub(crate) async fn restore(handle: Handle) {
    let mut changes = handle.nodes().changes();
    loop {
        while let Err(error) = look(&handle).await {
            tracing::warn!(%error, "sockets that lost their home cannot be found yet; trying again");
            tokio::time::sleep(RETRY).await;
        }
        let Some(changes) = &mut changes else { return };
        if changes.changed().await.is_err() {
            return;
        }
    }
}

async fn look(handle: &Handle) -> Result<(), backplane::Error> {
    let left = handle.shards().left_behind(handle.backplane()).await?;
    let opened = stream::iter(left)
        .map(|left| async move {
            let opened = handle.open(&left.app).await;
            (left, opened)
        })
        .buffer_unordered(AT_ONCE);
    let opened: Vec<_> = opened.collect().await;
    let all = opened.iter().all(|(_, opened)| *opened);
    let done = opened
        .into_iter()
        .filter(|(_, opened)| *opened)
        .map(|(left, _)| left);
    forget(handle, done.collect()).await?;
    if all {
        Ok(())
    } else {
        Err(backplane::Error::Unavailable(
            "an app's log cannot be read".to_owned(),
        ))
    }
}

/// What was taken over need not be looked for again. Among other nodes one says so, once all have had their time.
async fn forget(handle: &Handle, left: Vec<LeftBehind>) -> Result<(), backplane::Error> {
    if !handle.nodes().is_cluster() {
        for left in &left {
            handle.shards().taken_over(handle.backplane(), left).await?;
        }
        return Ok(());
    }
    let mine: Vec<_> = left
        .into_iter()
        .filter(|left| handle.nodes().is_chosen(&left.task()))
        .collect();
    if mine.is_empty() {
        return Ok(());
    }
    let handle = handle.clone();
    tokio::spawn(async move {
        tokio::time::sleep(SETTLED).await;
        for left in &mine {
            if let Err(error) = handle.shards().taken_over(handle.backplane(), left).await {
                tracing::debug!(%error, app = %left.app, "it is looked for once more");
            }
        }
    });
    Ok(())
}
