use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
    rc::{Rc, Weak},
};

use tokio::sync::oneshot;

use crate::worker::Live;

/// The instances that may live on one core at once. When they run short, the idle ones of whoever holds most go
/// first; then calls wait, and the app that holds fewest is served first. The last quarter is for apps that hold less
/// than their part of the whole.
pub(crate) struct Slots {
    max: usize,
    inner: RefCell<Inner>,
}

/// Idle instances of one worker.
pub(crate) type Idle = RefCell<VecDeque<Box<Live>>>;

#[derive(Default)]
struct Inner {
    used: usize,
    apps: HashMap<u64, App>,
}

#[derive(Default)]
struct App {
    held: usize,
    idle: Vec<Weak<Idle>>,
    waiting: VecDeque<oneshot::Sender<Slot>>,
}

/// Leave to have one instance.
pub(crate) struct Slot {
    slots: Rc<Slots>,
    app: u64,
    /// Not to be given back: nobody took it.
    void: bool,
}

impl Slots {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max: max.max(1),
            inner: RefCell::default(),
        }
    }

    /// A worker of `app` may keep idle instances in `idle`.
    pub(crate) fn register(&self, app: u64, idle: &Rc<Idle>) {
        let mut inner = self.inner.borrow_mut();
        // Those of workers that are gone go with the next that comes.
        inner
            .apps
            .values_mut()
            .for_each(|app| app.idle.retain(|idle| idle.strong_count() > 0));
        inner
            .apps
            .retain(|_, app| app.held > 0 || !app.idle.is_empty() || !app.waiting.is_empty());
        inner.apps.entry(app).or_default().idle.push(Rc::downgrade(idle));
    }

    /// Leave for one more instance; `Err` resolves when there is, or with an error never.
    pub(crate) fn take(self: &Rc<Self>, app: u64) -> Result<Slot, oneshot::Receiver<Slot>> {
        loop {
            {
                let mut inner = self.inner.borrow_mut();
                if inner.may_take(app, self.max) {
                    return Ok(self.slot(&mut inner, app));
                }
            }
            if !self.evict() {
                break;
            }
        }
        let (give, given) = oneshot::channel();
        let mut inner = self.inner.borrow_mut();
        inner.apps.entry(app).or_default().waiting.push_back(give);
        Err(given)
    }

    /// Drops the idle instance of the app that holds most instances among those that have idle ones, the longest idle
    /// first. Answers whether there was one.
    pub(crate) fn evict(&self) -> bool {
        let live = {
            let inner = self.inner.borrow();
            let mut apps: Vec<&App> = inner.apps.values().collect();
            apps.sort_unstable_by_key(|app| std::cmp::Reverse(app.held));
            let lists = apps.into_iter().flat_map(|app| &app.idle);
            lists
                .filter_map(Weak::upgrade)
                .find_map(|idle| idle.borrow_mut().pop_front())
        };
        // Its drop gives its slot back.
        live.is_some()
    }

    /// Whether anyone waits: instances are then not kept.
    pub(crate) fn is_wanted(&self) -> bool {
        let inner = self.inner.borrow();
        inner.apps.values().any(|app| !app.waiting.is_empty())
    }

    fn slot(self: &Rc<Self>, inner: &mut Inner, app: u64) -> Slot {
        inner.used += 1;
        inner.apps.entry(app).or_default().held += 1;
        Slot {
            slots: Rc::clone(self),
            app,
            void: false,
        }
    }

    fn give_back(self: &Rc<Self>, app: u64) {
        self.inner.borrow_mut().give_back(app);
        while let Some((app, waiting)) = self.next() {
            let slot = self.slot(&mut self.inner.borrow_mut(), app);
            if let Err(mut slot) = waiting.send(slot) {
                // Whoever waited has given up.
                slot.void = true;
                self.inner.borrow_mut().give_back(app);
            }
        }
    }

    /// Who is to have the next slot, if there is one to be had.
    fn next(&self) -> Option<(u64, oneshot::Sender<Slot>)> {
        let mut inner = self.inner.borrow_mut();
        let waiting = inner.apps.iter().filter(|(_, app)| !app.waiting.is_empty());
        let (app, _) = waiting.min_by_key(|(_, app)| app.held)?;
        let app = *app;
        if !inner.may_take(app, self.max) {
            return None;
        }
        let call = inner.apps.get_mut(&app)?.waiting.pop_front()?;
        Some((app, call))
    }
}

impl Inner {
    fn may_take(&self, app: u64, max: usize) -> bool {
        if self.used >= max {
            return false;
        }
        let held = self.apps.get(&app).map_or(0, |app| app.held);
        let others = self
            .apps
            .iter()
            .filter(|(other, app_)| **other != app && app_.held > 0);
        // As if there were always another: it may come at any time.
        let part = max / (others.count() + 1).max(2);
        self.used < max - max / 4 || held < part.max(1)
    }

    fn give_back(&mut self, app: u64) {
        self.used -= 1;
        if let Some(app) = self.apps.get_mut(&app) {
            app.held -= 1;
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if !self.void {
            self.slots.give_back(self.app);
        }
    }
}
