use std::{
    io,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use parking_lot::{Condvar, Mutex};

/// A thread that does a chore every second until it is dropped. A thread and not a task: the chores wait for the
/// disk, and the backplane has no runtime of its own.
pub(super) struct Keeper {
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Stop {
    asked: Mutex<bool>,
    told: Condvar,
}

impl Keeper {
    pub(super) fn start(chore: impl Fn() + Send + 'static) -> io::Result<Self> {
        let stop = Arc::<Stop>::default();
        let stopped = Arc::clone(&stop);
        let run = move || {
            let mut asked = stopped.asked.lock();
            while !*asked {
                if stopped.told.wait_for(&mut asked, EVERY).timed_out() {
                    drop(asked);
                    chore();
                    asked = stopped.asked.lock();
                }
            }
        };
        let thread = thread::Builder::new()
            .name("backplane-keeper".into())
            .spawn(run)?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Keeper {
    /// Returns when the chore is not running any more.
    fn drop(&mut self) {
        *self.stop.asked.lock() = true;
        self.stop.told.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the backplane's keeper had panicked: logs were no longer swept or synced");
        }
    }
}

const EVERY: Duration = Duration::from_secs(1);
