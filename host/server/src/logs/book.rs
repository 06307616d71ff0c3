use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::RwLock;

use super::{
    LogLine, OnLog,
    follow::{Filter, Follow, Follower, TooMany},
};

/// The logs of all apps of this node: what each said last, and who follows.
pub(crate) struct LogBook {
    node: Arc<str>,
    on_log: Option<OnLog>,
    /// Of apps that have said something since this node started: the others cost nothing.
    rings: RwLock<Rings>,
    /// Of apps that somebody follows.
    followers: RwLock<HashMap<Arc<str>, Vec<Arc<Follower>>>>,
    /// How many they are together: a line that nobody waits for takes no lock to find out.
    following: AtomicUsize,
    next: AtomicUsize,
}

#[derive(Default)]
struct Rings {
    by_app: HashMap<Arc<str>, Ring>,
    bytes: usize,
    /// Lines said so far.
    said: u64,
}

/// The last lines of one app.
#[derive(Default)]
struct Ring {
    lines: VecDeque<Arc<LogLine>>,
    bytes: usize,
    /// Which of all lines said on this node its last one is.
    last: u64,
}

/// Lines and bytes kept of an app, and bytes of all apps: beyond that, the rings go whose last line is oldest.
const LINES_MAX: usize = 1_000;
const RING_BYTES_MAX: usize = 1 << 20;
const BOOK_BYTES_MAX: usize = 64 << 20;
/// What a line costs beside its texts.
const LINE_OVERHEAD: usize = 200;

/// Who may follow on one node: those of one app, and all.
const FOLLOWERS_MAX: usize = 32;
const FOLLOWING_MAX: usize = 256;

impl LogBook {
    pub(crate) fn new(node: &str, on_log: Option<OnLog>) -> Self {
        Self {
            node: node.into(),
            on_log,
            rings: RwLock::default(),
            followers: RwLock::default(),
            following: AtomicUsize::new(0),
            next: AtomicUsize::new(0),
        }
    }

    pub(crate) fn node(&self) -> &Arc<str> {
        &self.node
    }

    /// Keeps a line and gives it to those who follow. Never waits for them.
    pub(super) fn take_in(&self, line: &Arc<LogLine>) {
        if let Some(on_log) = &self.on_log {
            on_log(line);
        }
        let mut rings = self.rings.write();
        rings.push(Arc::clone(line));
        // Still under the rings' lock: who begins to follow finds a line in the tail or hears it, never both.
        if self.following.load(Ordering::Acquire) > 0
            && let Some(followers) = self.followers.read().get(&line.app)
        {
            followers.iter().for_each(|follower| follower.offer(line));
        }
    }

    /// The last lines of an app that the filter lets pass, oldest first, at most `tail`; and every one after those, until
    /// the answer is dropped.
    pub(crate) fn follow(
        self: &Arc<Self>,
        app: &Arc<str>,
        filter: Filter,
        tail: usize,
    ) -> Result<(Vec<Arc<LogLine>>, Follow), TooMany> {
        let rings = self.rings.read();
        let mut followers = self.followers.write();
        let of_app = followers.get(app).map_or(0, Vec::len);
        if of_app >= FOLLOWERS_MAX || self.following.load(Ordering::Acquire) >= FOLLOWING_MAX {
            return Err(TooMany(of_app));
        }
        let tail = rings.tail(app, &filter, tail);
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (follower, lines) = Follower::new(id, filter);
        let follower = Arc::new(follower);
        followers
            .entry(Arc::clone(app))
            .or_default()
            .push(Arc::clone(&follower));
        self.following.fetch_add(1, Ordering::AcqRel);
        Ok((
            tail,
            Follow::new(Arc::clone(self), Arc::clone(app), follower, lines),
        ))
    }

    pub(super) fn unfollow(&self, app: &Arc<str>, id: usize) {
        let mut followers = self.followers.write();
        let Some(of_app) = followers.get_mut(app) else {
            return;
        };
        let before = of_app.len();
        of_app.retain(|follower| follower.id != id);
        self.following.fetch_sub(before - of_app.len(), Ordering::AcqRel);
        if of_app.is_empty() {
            followers.remove(app);
        }
    }

    /// An app is deleted: whoever is next given its name must not see what it said, and nobody who followed it what
    /// the next one says.
    pub(crate) fn forget(&self, app: &str) {
        self.rings.write().remove(app);
        let mut followers = self.followers.write();
        if let Some(gone) = followers.remove(app) {
            self.following.fetch_sub(gone.len(), Ordering::AcqRel);
            gone.iter().for_each(|follower| follower.end());
        }
    }

    /// Bytes that all rings hold, as far as is counted.
    pub(crate) fn bytes(&self) -> usize {
        self.rings.read().bytes
    }

    pub(crate) fn followers(&self) -> usize {
        self.following.load(Ordering::Acquire)
    }
}

impl Rings {
    fn push(&mut self, line: Arc<LogLine>) {
        let ring = self.by_app.entry(Arc::clone(&line.app)).or_default();
        self.said += 1;
        ring.last = self.said;
        self.bytes -= ring.bytes;
        ring.push(line);
        self.bytes += ring.bytes;
        if self.bytes > BOOK_BYTES_MAX {
            self.shed();
        }
    }

    /// Down to seven eighths, so that it is rare.
    fn shed(&mut self) {
        let mut by_age: Vec<_> = self
            .by_app
            .iter()
            .map(|(app, ring)| (ring.last, Arc::clone(app)))
            .collect();
        by_age.sort_unstable();
        for (_, app) in by_age {
            if self.bytes <= BOOK_BYTES_MAX / 8 * 7 {
                return;
            }
            self.remove(&app);
        }
    }

    fn remove(&mut self, app: &str) {
        if let Some(ring) = self.by_app.remove(app) {
            self.bytes -= ring.bytes;
        }
    }

    fn tail(&self, app: &str, filter: &Filter, lines_max: usize) -> Vec<Arc<LogLine>> {
        let lines = self.by_app.get(app).map(|ring| &ring.lines).into_iter().flatten();
        let passing = lines.rev().filter(|line| filter.passes(line));
        let mut tail: Vec<_> = passing.take(lines_max).cloned().collect();
        tail.reverse();
        tail
    }
}

impl Ring {
    fn push(&mut self, line: Arc<LogLine>) {
        self.bytes += cost(&line);
        self.lines.push_back(line);
        while self.lines.len() > LINES_MAX || self.bytes > RING_BYTES_MAX {
            let Some(first) = self.lines.pop_front() else {
                break;
            };
            self.bytes -= cost(&first);
        }
    }
}

fn cost(line: &LogLine) -> usize {
    LINE_OVERHEAD + line.message.len() + line.context.len()
}
