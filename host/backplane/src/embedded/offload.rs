use tokio::runtime::Handle;

use crate::Error;

/// Runs work that blocks (fsync, hashing, files) where it does not hold up a core's sockets. Once begun it is
/// finished, whether or not anybody still waits for the answer.
pub(super) async fn offload<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let Ok(runtime) = Handle::try_current() else {
        return work();
    };
    match runtime.spawn_blocking(work).await {
        Ok(answer) => answer,
        Err(error) => Err(Error::Unavailable(format!("storage thread: {error}"))),
    }
}
