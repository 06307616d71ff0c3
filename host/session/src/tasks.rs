//! Tasks of a core, counted: nothing of the runtime's tells how many a `LocalSet` has.
use std::cell::Cell;

use futures_util::FutureExt;
use tokio::task::JoinHandle;

thread_local! {
    static ALIVE: Cell<usize> = const { Cell::new(0) };
}

/// Takes no room in a task, so that counting costs none.
struct Alive;

impl Alive {
    fn new() -> Self {
        ALIVE.set(ALIVE.get() + 1);
        Self
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        ALIVE.set(ALIVE.get() - 1);
    }
}

/// `tokio::task::spawn_local`, and the task is among [`tasks_alive`] until it ends.
pub fn spawn_local<F>(task: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let alive = Alive::new();
    // A combinator, since an async block would hold the task twice.
    tokio::task::spawn_local(task.map(move |output| {
        drop(alive);
        output
    }))
}

/// Tasks of this thread's core that have not ended.
pub fn tasks_alive() -> usize {
    ALIVE.get()
}

#[cfg(test)]
mod tests;
