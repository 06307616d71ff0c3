//! Sessions begin, and get a WebSocket.
use std::time::Instant;

use compact::Few;
use engineio::Transport;
use router::{Handshake, Limit, Trace};
use tokio::sync::oneshot;

use crate::{
    AppEntry, Hub, OpenRequest, Opened, PollBody, Protocol, Refusal, WsPort,
    connect::create_socket,
    ids,
    kept::KeptHandshake,
    outbox::Outbox,
    plain::PlainLink,
    rates::Intake,
    session::{Dialect, Link, Session},
    state::{SessionKey, State, Task},
    wakers::Wakers,
};

impl Hub {
    /// Whether a new session would be refused now (draining, limits): ask before answering 101.
    pub fn admits(&self, app: &AppEntry) -> Result<(), Refusal> {
        self.with(|state, _| {
            let here = state.line(&app.name).sessions;
            // Each core takes its share, so that no counter is shared.
            let share = app.settings.sessions_max.div_ceil(self.0.shards.count());
            if here >= share {
                app.quota.hits().bump(Limit::Connections);
                return Err(Refusal::Unavailable);
            }
            if state.draining {
                return Err(Refusal::Unavailable);
            }
            Ok(())
        })
    }

    /// Whether [`Hub::admits`] would take one in, without counting it as refused if not.
    pub fn is_open_to(&self, app: &AppEntry) -> bool {
        let share = app.settings.sessions_max.div_ceil(self.0.shards.count());
        self.with(|state, _| !state.draining && state.line(&app.name).sessions < share)
    }

    /// Opens a session by a polling handshake.
    pub fn open_polling(&self, request: OpenRequest) -> Result<Opened, Refusal> {
        if request.protocol == Protocol::WebSocket {
            return Err(Refusal::TransportUnknown);
        }
        self.admits(&request.app)?;
        let (send, mut receive) = oneshot::channel();
        let sid = self.with(|state, now| {
            let key = self.open(state, request, Transport::Polling, now);
            let session = state.sessions.get_mut(key)?;
            let sid = session.sid.clone();
            session.poll = Some(send);
            // The open packet is the core's first poll: the handshake asks for it.
            state.flush(key, now);
            Some(sid)
        });
        match (sid, receive.try_recv()) {
            (Some(sid), Ok(body)) => Ok(Opened {
                sid,
                body: PollBody(body),
            }),
            _ => Err(Refusal::Unavailable),
        }
    }

    /// Opens a session by a WebSocket; call once the 101 is sent, on the thread where the socket will be driven.
    pub fn open_websocket(&self, request: OpenRequest) -> Result<WsPort, Refusal> {
        self.admits(&request.app)?;
        self.with(|state, now| {
            let key = self.open(state, request, Transport::WebSocket, now);
            let session = state.sessions.get_mut(key).ok_or(Refusal::Unavailable)?;
            let outbox = Outbox::new(&self.0.dirty);
            session.outbox = Some(outbox.clone());
            let port = WsPort::new(self.clone(), key, session.websockets, outbox);
            state.flush(key, now);
            Ok(port)
        })
    }

    fn open(&self, state: &mut State, request: OpenRequest, via: Transport, now: Instant) -> SessionKey {
        let OpenRequest {
            app,
            protocol,
            handshake,
        } = request;
        let sid = ids::new_sid(self.0.home);
        let settings = &app.settings;
        let link = match protocol {
            Protocol::SocketIo | Protocol::EngineIo => {
                Link::Engine(engineio::Connection::new(&sid, &settings.engine, via, now))
            }
            Protocol::WebSocket => Link::Plain(PlainLink::new(settings.engine.ping_interval, now)),
        };
        let dialect = match protocol {
            Protocol::SocketIo => Dialect::SocketIo(socketio::Connection::new(settings.connect_timeout, now)),
            Protocol::EngineIo | Protocol::WebSocket => Dialect::Messages,
        };
        let line = state.line(&app.name);
        line.stats.opened += 1;
        line.sessions += 1;
        line.sent
            .follow(&app.quota, settings.rates.app_bytes_out_per_second);
        let key = state.sessions.insert(Session {
            sid: sid.clone(),
            app,
            trace: trace_of(&handshake).map(Box::new),
            handshake: KeptHandshake::new(handshake),
            link,
            dialect,
            sockets: Few::new(),
            poll: None,
            polls: 0,
            outbox: None,
            websockets: 0,
            announced: None,
            awaits_pong: false,
            unpolled_bytes: 0,
            due: None,
            waiting: Wakers::default(),
            intake: Intake::default(),
            held: None,
        });
        state.sids.insert(sid, key);
        if let Some(namespace) = protocol.raw_namespace() {
            let namespace = namespace.into();
            create_socket(state, key, namespace);
            state.tasks.push(Task::Connect {
                session: key,
                namespace: protocol.raw_namespace().unwrap_or_default().into(),
                auth: None,
                claim: None,
            });
        }
        key
    }

    /// Attaches an upgrading WebSocket; on the session's home thread (see [`Shards::run_at_home`]).
    pub fn attach_websocket(&self, app: &str, sid: &str) -> Result<WsPort, Refusal> {
        self.with(|state, now| {
            let key = state.living(app, sid, now)?;
            let session = state.sessions.get_mut(key).ok_or(Refusal::SessionUnknown)?;
            let Link::Engine(engine) = &mut session.link else {
                return Err(Refusal::BadRequest);
            };
            engine.handle_websocket(&session.app.settings.engine, now)?;
            let outbox = Outbox::new(&self.0.dirty);
            session.outbox = Some(outbox.clone());
            session.websockets = session.websockets.wrapping_add(1);
            let port = WsPort::new(self.clone(), key, session.websockets, outbox);
            state.settle(key, now);
            Ok(port)
        })
    }
}

/// The trace that a client's request is part of, if it says so and is well-formed.
fn trace_of(handshake: &Handshake) -> Option<Trace> {
    let mut given = handshake.headers.iter().filter(|(name, _)| name == "traceparent");
    let (_, value) = given.next()?;
    // Two of them say nothing.
    given.next().is_none().then(|| Trace::parse(value))?
}
