//! Joining a namespace: recovery if the client claims one, else the handler's word.
use std::{rc::Rc, sync::Arc};

use futures_util::StreamExt;
use router::{Call, CallKind, DisconnectReason, Effect, Failure, Limit, Position};
use socketio::{RecoveryClaim, encode};
use tokio::sync::oneshot;

use crate::{
    AppEntry, Hub, Verified,
    commit::volatile_topic,
    line::{Log, Running},
    record::Progress,
    session::Dialect,
    socket::{Phase, Socket},
    state::{SessionKey, SocketKey, State},
    token::Shown,
};

impl Hub {
    /// Carries a client's wish to join a namespace to its end.
    pub(crate) async fn connect(
        self,
        session: SessionKey,
        namespace: Arc<str>,
        auth: Option<String>,
        claim: Option<RecoveryClaim>,
    ) {
        let Some(app) = self.with(|state, _| state.sessions.get(session).map(|session| session.app.clone()))
        else {
            return;
        };
        let verified = match self.admit(session, &app, auth.as_deref()).await {
            Ok(verified) => verified,
            Err(rejection) => return self.reject(session, &namespace, &rejection),
        };
        if let Err(error) = self.open_line(&app).await {
            tracing::warn!(app = %app.name, %error, "the app's log cannot be read");
            self.with(|state, _| {
                // A raw session's socket is there from its opening; its app has not heard of it.
                if let Some(key) = state.socket_of(session, &namespace) {
                    state.unlink(key);
                    state.remove_socket(key);
                }
            });
            return self.send_away(session, &error);
        }
        let shown = self.shown_token(session, &app, &namespace, auth.as_deref());
        // Whoever sends a `pid` says how far it came, by an offset or by none, also beside a token.
        let (claim, by_token) = match (claim, &shown) {
            (None, Some(shown)) => (self.claim_of(&app, shown).await, true),
            (claim, _) => (claim, false),
        };
        if let Some(claim) = claim.filter(|_| app.settings.recovery.is_some())
            && self
                .recover(session, &app, &namespace, &claim, by_token, verified.as_ref())
                .await
        {
            return;
        }
        let cores = self.0.shards.count();
        let Some((key, call)) = self.with(|state, now| {
            let begun = begin_connect(state, session, namespace.clone(), auth, verified.as_ref(), cores)?;
            if begun.1.is_some() {
                state.identify(begun.0, verified.as_ref(), now);
            }
            Some(begun)
        }) else {
            return;
        };
        let Some(call) = call else {
            let sockets = app.settings.rates.sockets_max;
            let full = Failure::Limit(Limit::Sockets.describe(sockets));
            return self.refuse(session, &namespace, &full);
        };
        match app.code.call(call).await {
            Ok(effects) => {
                if let Some(shown) = shown {
                    self.bind_token(&app, key, shown).await;
                }
                self.save(key).await;
                self.accept(key, effects).await;
            }
            Err(failure) => {
                self.with(|state, _| {
                    state.unlink(key);
                    state.remove_socket(key);
                });
                self.with(|state, _| {
                    state.line(&app.name).stats.failures += u64::from(!is_refusal(&failure));
                });
                self.refuse(session, &namespace, &failure);
            }
        }
    }

    /// The token that stands for an earlier socket of this client, or will stand for this one.
    fn shown_token(
        &self,
        session: SessionKey,
        app: &AppEntry,
        namespace: &str,
        auth: Option<&str>,
    ) -> Option<Shown> {
        let place = app
            .settings
            .token
            .as_ref()
            .filter(|_| app.settings.recovery.is_some())?;
        let handshake =
            self.with(|state, _| state.sessions.get(session).map(|found| found.handshake.open()))?;
        place.find(namespace, auth, &handshake)
    }

    /// The handler said yes: the socket is live, the client is told, and what the handler did happens.
    async fn accept(&self, key: SocketKey, mut effects: Vec<Effect>) {
        let (live, changed) = self.with(|state, now| {
            let live = go_live(state, key);
            // Before the CONNECT is given out: whoever its client tells finds it in its rooms.
            let changed = state.change_own_first(key, &mut effects);
            if let Some(live) = live {
                state.settle(live, now);
                let session = state.sessions.get(live);
                if let Some(outbox) = session.and_then(|session| session.outbox.as_ref()) {
                    outbox.hold();
                }
            }
            (live, changed)
        });
        let committed = self.commit(key, effects).await;
        if changed {
            self.save(key).await;
        }
        if let Err(failure) = committed {
            self.with(|state, now| {
                tracing::warn!(%failure, "what handle-connect did was lost; the client is asked to come again");
                state.disconnect(key, true, now);
            });
        }
        if live.is_none() {
            self.with(|state, _| state.farewell(key, DisconnectReason::TransportError));
        }
        // The connect call kept the socket busy: what arrived meanwhile is worked through now.
        self.clone().run_jobs(key).await;
    }

    /// [`Hub::refuse`] before the handler was called: a raw session has its socket already.
    pub(crate) fn turn_away(&self, session: SessionKey, namespace: &str, failure: &Failure) {
        self.with(|state, _| {
            if let Some(key) = state.socket_of(session, namespace) {
                state.unlink(key);
                state.remove_socket(key);
            }
        });
        self.refuse(session, namespace, failure);
    }

    /// Tells a client that it may not join; closes a raw one, which knows no other way.
    pub(crate) fn refuse(&self, session: SessionKey, namespace: &str, failure: &Failure) {
        let (message, data) = match failure {
            Failure::Refused(refusal) => (refusal.message.as_str(), refusal.data.as_deref()),
            Failure::Limit(text) if text.starts_with(Limit::Sockets.name()) => (
                "the app has as many sockets as it may; try again later",
                Some("{\"code\":\"limit\",\"limit\":\"sockets\"}"),
            ),
            Failure::Returned(_) | Failure::Trapped(_) | Failure::Limit(_) => {
                ("the app's handler failed", None)
            }
            Failure::Unavailable(_) => ("the app cannot run now; try again", None),
        };
        if !is_refusal(failure) {
            tracing::warn!(%namespace, %failure, "a client could not join");
        }
        self.with(|state, now| {
            let Some(found) = state.sessions.get_mut(session) else {
                return;
            };
            match &mut found.dialect {
                Dialect::SocketIo(socketio) => {
                    socketio.remove(namespace);
                    found.send(&[encode::connect_error(namespace, message, data)], now);
                }
                Dialect::Messages => found.close(engineio::CloseReason::ServerClose, now),
            }
            state.settle(session, now);
        });
    }

    /// Reads an app's log on this core from now on; once. Sockets that a process before this one left are taken in.
    pub async fn open_line(&self, app: &std::rc::Rc<AppEntry>) -> Result<(), backplane::Error> {
        loop {
            let wait = self.with(|state, _| match &mut state.line(&app.name).log {
                Log::Open { .. } => Err(true),
                Log::Opening(waiting) => {
                    let (send, receive) = oneshot::channel();
                    waiting.push(send);
                    Ok(receive)
                }
                closed @ Log::Closed => {
                    *closed = Log::Opening(Vec::new());
                    Err(false)
                }
            });
            match wait {
                Err(true) => return Ok(()),
                Err(false) => break,
                Ok(opened) => _ = opened.await,
            }
        }
        let opened = match self.mark_home(&app.name).await {
            Ok(()) => self.open_log(app).await,
            Err(error) => Err(error),
        };
        let log = match &opened {
            Ok(start) => Log::Open {
                epoch: start.epoch,
                processed: start.offset,
            },
            Err(_) => Log::Closed,
        };
        self.with(|state, _| {
            let line = state.line(&app.name);
            line.stats.log_offset = line.position().1;
            if opened.is_err() {
                line.tasks.clear();
            }
            if let Log::Opening(waiting) = std::mem::replace(&mut line.log, log) {
                waiting.into_iter().for_each(|waiting| _ = waiting.send(()));
            }
        });
        opened?;
        self.0.shards.line_opened(&app.name);
        if app.settings.recovery.is_some() {
            if self.0.shards.nodes().is_cluster() {
                let adopting = crate::tasks::spawn_local(self.clone().keep_adopting(app.clone()));
                self.keep_with_line(&app.name, adopting);
            } else {
                self.adopt(app).await?;
            }
        }
        Ok(())
    }

    async fn open_log(&self, app: &AppEntry) -> Result<Position, backplane::Error> {
        self.0
            .backplane
            .retain(&app.name, app.settings.log_window())
            .await?;
        let mut volatile = self.0.backplane.subscribe(&volatile_topic(&app.name)).await?;
        let mut tail = self.0.backplane.tail(&app.name).await?;
        let (hub, name) = (self.clone(), app.name.clone());
        let following = crate::tasks::spawn_local(async move {
            while let Some((position, step)) = tail.steps.next().await {
                hub.with(|state, now| state.follow(&name, position, &step, now));
            }
        });
        self.keep_with_line(&app.name, following);
        let (hub, name) = (self.clone(), app.name.clone());
        let hearing = crate::tasks::spawn_local(async move {
            while let Some(payload) = volatile.next().await {
                hub.receive_volatile(&name, &payload);
            }
        });
        self.keep_with_line(&app.name, hearing);
        Ok(tail.start)
    }

    fn keep_with_line(&self, app: &Arc<str>, task: tokio::task::JoinHandle<()>) {
        self.with(|state, _| state.line(app).tasks.push(Running(task)));
    }
}

/// The socket of a raw session exists from its opening, so that messages find their queue.
pub(crate) fn create_socket(
    state: &mut State,
    session: SessionKey,
    namespace: Arc<str>,
) -> Option<SocketKey> {
    let app = state.sessions.get(session)?.app.clone();
    let progress = Progress::born_at(state.line(&app.name).position());
    let key = state.add_socket(Socket::new(app, namespace, session, progress));
    state.sessions.get_mut(session)?.sockets.push(key);
    Some(key)
}

/// The socket that is to be connected and its handler's call; no call if the app has too many sockets.
fn begin_connect(
    state: &mut State,
    session: SessionKey,
    namespace: Arc<str>,
    auth: Option<String>,
    verified: Option<&Verified>,
    cores: usize,
) -> Option<(SocketKey, Option<Call>)> {
    let mut handshake = state.sessions.get_mut(session)?.handshake.tell();
    handshake.auth = auth;
    handshake.claims = verified.map(|verified| verified.claims.clone());
    let key = match state.socket_of(session, &namespace) {
        Some(key) => key,
        None => create_socket(state, session, namespace)?,
    };
    let socket = state.sockets.get(key)?;
    let app = Rc::clone(&socket.app);
    let here = state.lines.get(&socket.app.name).map_or(0, |line| line.sockets);
    // Each core takes its share, as of connections.
    if here > app.settings.rates.sockets_max.div_ceil(cores) {
        app.quota.hits().bump(Limit::Sockets);
        state.unlink(key);
        state.remove_socket(key);
        return Some((key, None));
    }
    let call = Call {
        socket: Some(socket.view()),
        kind: CallKind::Connect(handshake),
        trace: state.sessions.get(session)?.trace.as_deref().copied(),
    };
    Some((key, Some(call)))
}

/// Makes a connecting socket live and sends its CONNECT. `None` if its session ended meanwhile.
fn go_live(state: &mut State, key: SocketKey) -> Option<SessionKey> {
    let socket = state.sockets.get_mut(key)?;
    let Phase::Connecting { session } = socket.phase else {
        return None;
    };
    let line = state.lines.get_mut(&socket.app.name)?;
    // Born here: nothing earlier is meant for it.
    socket.progress = Progress::born_at(line.position());
    line.members.insert(&socket.namespace, socket.id.clone(), key);
    socket.phase = Phase::Live { session };
    send_connect(state, session, key);
    state.arm_expiry(key);
    Some(session)
}

/// Tells a client that it is connected, with its id and, if it may recover, its `pid`.
pub(crate) fn send_connect(state: &mut State, session: SessionKey, key: SocketKey) {
    let (Some(socket), Some(found)) = (state.sockets.get(key), state.sessions.get_mut(session)) else {
        return;
    };
    if let Dialect::SocketIo(socketio) = &mut found.dialect {
        socketio.accept(&socket.namespace);
        let pid = socket
            .is_recoverable()
            .then(|| crate::ids::pid(&socket.secret, &socket.id));
        let packet = encode::connect(&socket.namespace, &socket.id, pid.as_deref());
        found.send(&[packet], tokio::time::Instant::now().into_std());
    }
}

fn is_refusal(failure: &Failure) -> bool {
    matches!(failure, Failure::Refused(_))
}
