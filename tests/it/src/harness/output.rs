//! What a child process says, line by line, as it says it.
use std::{
    io::{BufRead as _, BufReader, Read},
    process::Child,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

/// Both streams of a child, collected by threads that end with it.
#[derive(Clone, Default)]
pub(crate) struct Output(Arc<Shared>);

#[derive(Default)]
struct Shared {
    lines: Mutex<Vec<String>>,
    grew: Condvar,
}

impl Output {
    /// Takes the child's streams, which must be piped.
    pub(crate) fn of(child: &mut Child) -> Self {
        let output = Self::default();
        output.collect(child.stdout.take().unwrap());
        output.collect(child.stderr.take().unwrap());
        output
    }

    pub(crate) fn collect(&self, stream: impl Read + Send + 'static) {
        let output = self.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                output.0.lines.lock().push(line);
                output.0.grew.notify_all();
            }
        });
    }

    /// Waits for a line that `find` likes, the lines already there included.
    pub(crate) fn wait<T>(&self, limit: Duration, find: impl Fn(&str) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + limit;
        let mut lines = self.0.lines.lock();
        let mut seen = 0;
        loop {
            if let Some(found) = lines.iter().skip(seen).find_map(|line| find(line)) {
                return Some(found);
            }
            seen = lines.len();
            if self.0.grew.wait_until(&mut lines, deadline).timed_out() {
                return None;
            }
        }
    }

    pub(crate) fn text(&self) -> String {
        self.0.lines.lock().join("\n")
    }
}
