use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Instant,
};

use backplane::Backplane;
use bytes::Bytes;
use engineio::CloseReason;
use futures_util::future::LocalBoxFuture;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::{
    AppEntry, AppStats, PollBody, Refusal, Shards, ids,
    outbox::Dirty,
    record::Home,
    session::{Link, Session},
    shards::Work,
    socket::Phase,
    state::{SessionKey, State, Task},
};

/// The sessions of one core. Cheap to clone; stays on its thread, which must run a tokio `LocalSet`.
#[derive(Clone)]
pub struct Hub(pub(crate) Rc<Core>);

pub(crate) struct Core {
    pub(crate) home: Home,
    pub(crate) shards: Shards,
    pub(crate) backplane: Arc<dyn Backplane>,
    /// Never borrowed across an await, nor while an app is called.
    state: RefCell<State>,
    /// The first timer changed.
    rearmed: Notify,
    pub(crate) dirty: Rc<Dirty>,
    /// Room for the next mutation's tasks, kept so that none is allocated for each.
    spare: Cell<Vec<Task>>,
}

impl Hub {
    /// Starts the hub of core `shard`: its timers and its inbox run as local tasks of the current `LocalSet`, until that
    /// ends.
    pub fn start(
        shard: u16,
        shards: Shards,
        mut inbox: mpsc::UnboundedReceiver<Work>,
        backplane: Arc<dyn Backplane>,
    ) -> Self {
        let hub = Self(Rc::new(Core {
            home: Home {
                incarnation: shards.nodes().incarnation(),
                shard,
            },
            shards,
            backplane,
            state: RefCell::default(),
            rearmed: Notify::new(),
            dirty: Rc::default(),
            spare: Cell::default(),
        }));
        let posted = hub.clone();
        crate::tasks::spawn_local(async move {
            while let Some(work) = inbox.recv().await {
                crate::tasks::spawn_local(work(posted.clone()));
            }
        });
        crate::tasks::spawn_local(hub.clone().run_timers());
        crate::tasks::spawn_local(Rc::clone(&hub.0.dirty).run());
        hub
    }

    pub fn shards(&self) -> &Shards {
        &self.0.shards
    }

    /// Answers a GET with packets, when there are some. From any core; dropping the future tells the session that the
    /// request was aborted.
    pub fn poll(&self, app: &str, sid: &str) -> LocalBoxFuture<'static, Result<PollBody, Refusal>> {
        self.at_home(app, sid, |hub, app, sid| {
            Box::pin(async move { hub.poll_here(&app, &sid).await })
        })
    }

    async fn poll_here(&self, app: &str, sid: &str) -> Result<PollBody, Refusal> {
        // A WebSocket that was just accepted may be about to end the polling: what the client sent first, on another
        // connection, is to be seen first.
        for _ in 0..UPGRADE_LOOKS {
            if !self.with(|state, now| state.expects_upgrade(app, sid, now)) {
                break;
            }
            tokio::time::sleep(UPGRADE_LOOK).await;
        }
        let (send, receive) = oneshot::channel();
        let (key, poll) = self.with(|state, now| {
            let key = state.living(app, sid, now)?;
            let session = state.sessions.get_mut(key).ok_or(Refusal::SessionUnknown)?;
            let Link::Engine(engine) = &mut session.link else {
                return Err(Refusal::BadRequest);
            };
            let accepted = engine.handle_poll(&session.app.settings.engine, now);
            if accepted.is_ok() {
                session.polls = session.polls.wrapping_add(1);
                session.poll = Some(send);
            }
            let poll = session.polls;
            state.settle(key, now);
            accepted.map(|()| (key, poll))
        })?;
        let mut aborted = AbortedPoll {
            hub: Some(self),
            key,
            poll,
        };
        let body = receive.await;
        aborted.hub = None;
        body.map(PollBody).map_err(|_| Refusal::SessionUnknown)
    }

    /// Takes a POST's whole body. Answers once it is taken in and the handlers are not too far behind (which is when
    /// the client sends its next).
    pub fn post(&self, app: &str, sid: &str, body: Bytes) -> LocalBoxFuture<'static, Result<(), Refusal>> {
        self.at_home(app, sid, |hub, app, sid| {
            Box::pin(async move {
                let key = hub.with(|state, now| {
                    let key = state.living(&app, &sid, now)?;
                    let session = state.sessions.get_mut(key).ok_or(Refusal::SessionUnknown)?;
                    let Link::Engine(engine) = &mut session.link else {
                        return Err(Refusal::BadRequest);
                    };
                    let taken = engine.handle_post(&session.app.settings.engine, &body, now);
                    // Packets of a body are separated by U+001E.
                    let packets = body.split(|byte| *byte == 0x1e).count();
                    let cores = hub.shards().count();
                    state.charge(key, packets as u64, body.len(), cores, now);
                    state.settle(key, now);
                    taken.map(|()| key)
                })?;
                poll_fn(|cx| hub.poll_caught_up(key, cx)).await;
                Ok(())
            })
        })
    }

    /// Closes a session because of a request that breaks the protocol in a way only HTTP sees (an octet-stream POST).
    pub fn abandon(&self, app: &str, sid: &str) {
        let done = self.at_home(app, sid, |hub, app, sid| {
            Box::pin(async move {
                hub.with(|state, now| {
                    let key = state.living(&app, &sid, now)?;
                    if let Some(session) = state.sessions.get_mut(key) {
                        session.close(CloseReason::ParseError, now);
                    }
                    state.settle(key, now);
                    Ok(())
                })
            })
        });
        crate::tasks::spawn_local(done);
    }

    /// Whether `sid` is a living session of `app`: asked before a 101 and for odd methods.
    pub fn check(&self, app: &str, sid: &str) -> LocalBoxFuture<'static, Result<(), Refusal>> {
        self.at_home(app, sid, |hub, app, sid| {
            Box::pin(async move {
                hub.with(|state, now| {
                    let key = state.living(&app, &sid, now)?;
                    if let Some(session) = state.sessions.get_mut(key) {
                        session.announced = Some(now.into());
                    }
                    Ok(())
                })
            })
        })
    }

    /// Counters of an app on this core.
    pub(crate) fn stats(&self, app: &Arc<str>) -> AppStats {
        self.with(|state, _| {
            let mut stats = AppStats::default();
            let of_app = |entry: &Rc<AppEntry>| entry.name == *app;
            if let Some(line) = state.lines.get(app) {
                stats = line.stats;
                stats.sessions = line.sessions as u64;
                stats.bytes_out = line.sent.bytes();
            }
            for socket in state.sockets.values().filter(|socket| of_app(&socket.app)) {
                match socket.phase {
                    Phase::Live { .. } | Phase::Replaying { .. } => stats.sockets += 1,
                    Phase::Away { .. } => stats.away += 1,
                    Phase::Connecting { .. } | Phase::Orphaned | Phase::Leaving => {}
                }
            }
            stats
        })
    }

    /// Runs `act` on the home of `sid`, with owned names, here or there.
    fn at_home<R: Send + 'static>(
        &self,
        app: &str,
        sid: &str,
        act: impl FnOnce(Hub, Arc<str>, Arc<str>) -> LocalBoxFuture<'static, Result<R, Refusal>> + Send + 'static,
    ) -> LocalBoxFuture<'static, Result<R, Refusal>> {
        let (app, sid): (Arc<str>, Arc<str>) = (app.into(), sid.into());
        match ids::home_of(&sid) {
            None => Box::pin(async { Err(Refusal::SessionUnknown) }),
            Some(home) if home == self.0.home => act(self.clone(), app, sid),
            Some(home) if home.incarnation != self.0.home.incarnation => {
                Box::pin(async { Err(Refusal::SessionUnknown) })
            }
            Some(home) => {
                let asked = self.0.shards.ask(home.shard, move |hub| act(hub, app, sid));
                Box::pin(async move { asked.await.unwrap_or(Err(Refusal::SessionUnknown)) })
            }
        }
    }

    /// Ready when the session's connection may be read.
    pub(crate) fn poll_caught_up(&self, key: SessionKey, cx: &mut Context<'_>) -> Poll<()> {
        self.with(|state, now| state.poll_readable(key, now, cx))
    }

    /// Mutates the state, then carries out what that left to do. Everything that happens on a core goes through here.
    pub(crate) fn with<R>(&self, mutate: impl FnOnce(&mut State, Instant) -> R) -> R {
        let now = tokio::time::Instant::now().into_std();
        self.change(|state| mutate(state, now))
    }

    /// The same, for what does not ask how late it is: on the path of every event a look at the clock counts.
    pub(crate) fn change<R>(&self, mutate: impl FnOnce(&mut State) -> R) -> R {
        let (result, mut tasks) = {
            let mut state = self.0.state.borrow_mut();
            let result = mutate(&mut state);
            if state.tasks.is_empty() {
                return result;
            }
            let spare = self.0.spare.take();
            (result, std::mem::replace(&mut state.tasks, spare))
        };
        for task in tasks.drain(..) {
            self.perform(task);
        }
        tasks.shrink_to(TASKS_KEPT);
        self.0.spare.set(tasks);
        result
    }

    fn perform(&self, task: Task) {
        match task {
            Task::Rearm => self.0.rearmed.notify_one(),
            Task::Work(socket) => self.work(socket),
            Task::Connect {
                session,
                namespace,
                auth,
                claim,
            } => {
                start(self.clone().connect(session, namespace, auth, claim));
            }
            Task::Refresh { socket, token, ack } => start(self.clone().refresh(socket, token, ack)),
            Task::Report {
                app,
                reply_to,
                report,
            } => start(self.clone().report(app, reply_to, *report)),
            Task::Save(socket) => {
                let hub = self.clone();
                start(async move { hub.save(socket).await });
            }
            Task::Forget {
                app,
                id,
                revision,
                token,
            } => start(self.clone().forget(app, id, revision, token)),
        }
    }

    async fn run_timers(self) {
        loop {
            let next = self.0.state.borrow().timers.next();
            let rearmed = self.0.rearmed.notified();
            match next {
                None => rearmed.await,
                Some(due) => tokio::select! {
                    () = tokio::time::sleep_until(due.into()) => self.with(super::state::State::fire),
                    () = rearmed => {}
                },
            }
        }
    }
}

impl State {
    /// The living session `sid`, if it is one of `app`. One whose time is over by now does not live, even if its timer has
    /// not rung yet.
    pub(crate) fn living(&mut self, app: &str, sid: &str, now: Instant) -> Result<SessionKey, Refusal> {
        let key = self.find(app, sid)?;
        // Twice: a ping that was late may be followed by a pong that is overdue too.
        for _ in 0..2 {
            let due = self.sessions.get(key).and_then(Session::timeout);
            if due.is_some_and(|due| due <= now.into()) {
                self.fire_session(key, now);
            }
        }
        self.find(app, sid)
    }

    /// Whether a WebSocket was accepted for this session a moment ago and has not carried it over yet.
    fn expects_upgrade(&self, app: &str, sid: &str, now: Instant) -> bool {
        let session = self.find(app, sid).ok().and_then(|key| self.sessions.get(key));
        session.is_some_and(|session| {
            let moment = UPGRADE_LOOK * UPGRADE_LOOKS;
            let recent = session.announced.is_some_and(|at| now.duration_since(at.into()) < moment);
            let polling =
                matches!(&session.link, Link::Engine(engine) if engine.transport() == engineio::Transport::Polling);
            recent && polling
        })
    }

    fn find(&self, app: &str, sid: &str) -> Result<SessionKey, Refusal> {
        let key = *self.sids.get(sid).ok_or(Refusal::SessionUnknown)?;
        match self.sessions.get(key) {
            Some(session) if *session.app.name == *app => Ok(key),
            _ => Err(Refusal::SessionUnknown),
        }
    }
}

/// How long a poll lets an upgrade under way go first: 25 looks, 2 ms apart.
const UPGRADE_LOOKS: u32 = 25;
const UPGRADE_LOOK: std::time::Duration = std::time::Duration::from_millis(2);

/// Room for tasks that a quiet core may keep.
const TASKS_KEPT: usize = 64;

/// Polls a future once, here, and gives it to the runtime only if it must wait: most work ends at once.
pub(crate) fn start(work: impl Future<Output = ()> + 'static) {
    let mut work = Box::pin(work);
    // Woken or not, it is polled again when spawned.
    if work
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
        .is_pending()
    {
        crate::tasks::spawn_local(work);
    }
}

/// Tells the session, when dropped, that the client gave up its GET.
struct AbortedPoll<'a> {
    hub: Option<&'a Hub>,
    key: SessionKey,
    poll: u32,
}

impl Drop for AbortedPoll<'_> {
    fn drop(&mut self) {
        let Some(hub) = self.hub else { return };
        hub.with(|state, now| {
            let Some(session) = state.sessions.get_mut(self.key) else {
                return;
            };
            if session.polls != self.poll || session.poll.take().is_none() {
                return;
            }
            if let Link::Engine(engine) = &mut session.link {
                engine.handle_poll_gone(&session.app.settings.engine, now);
            }
            state.settle(self.key, now);
        });
    }
}
