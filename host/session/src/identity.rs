//! Who clients are, where the app asks for it. Tokens are checked before the app's code hears of a client; here is what
//! follows from them.
//!
//! A token's end is the end of the right to speak. Events that come later are answered with an error, and never reach
//! the handler; after a grace, in which the client may show a new token ([`REFRESH`]), the namespace is disconnected.
//! A socket that is recovered needs a token too, about the same subject.
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use router::{Failure, Refusal};
use serde_json::{Value, json};
use socketio::EventData;

use crate::{
    AppEntry, Credential, Hub, Rejection, RejectionCode, Verified,
    socket::{Job, Phase, Socket},
    state::{SessionKey, SocketKey, State, Task},
    timers::TimerKey,
};

/// Emitted by a client with a new token for its only argument; never reaches a handler of an app that checks tokens.
const REFRESH: &str = "wakeline:auth";

/// A token that outlives this process is as good as one that never ends. Clocks cannot count much further.
const CENTURY: Duration = Duration::from_hours(24 * 365 * 100);

/// Whom a socket belongs to.
#[derive(Debug)]
pub(crate) struct Identity {
    /// See [`Verified::subject`].
    pub(crate) subject: Arc<str>,
    /// Of the session's token; `None` while the socket is away.
    pub(crate) speaks: Option<Speaks>,
    /// A new token is being checked: one at a time.
    refreshing: bool,
}

/// The right to speak.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Speaks {
    /// The token's end.
    pub(crate) until: Instant,
    /// The grace's end.
    pub(crate) ends: Instant,
}

impl Identity {
    /// As its record has it.
    pub(crate) fn away(subject: Arc<str>) -> Self {
        Self {
            subject,
            speaks: None,
            refreshing: false,
        }
    }

    pub(crate) fn new(verified: &Verified, grace: Duration, now: Instant) -> Self {
        Self {
            subject: Arc::clone(&verified.subject),
            speaks: Some(Speaks::new(verified, grace, now)),
            refreshing: false,
        }
    }
}

impl Speaks {
    fn new(verified: &Verified, grace: Duration, now: Instant) -> Self {
        let until = now + verified.expires_in.min(CENTURY);
        Self {
            until,
            ends: until + grace.min(CENTURY),
        }
    }
}

impl Hub {
    /// Checks who a client is that wants to join. `Ok(None)`: the app does not ask, or the client need not say. The session
    /// may be over when this answers.
    pub(crate) async fn admit(
        &self,
        session: SessionKey,
        app: &AppEntry,
        auth: Option<&str>,
    ) -> Result<Option<Verified>, Rejection> {
        let Some(settings) = &app.settings.auth else {
            return Ok(None);
        };
        let handshake = self.with(|state, _| state.sessions.get(session).map(|found| found.handshake.open()));
        let Some(handshake) = handshake else {
            return Ok(None);
        };
        let token = settings.find(auth, &handshake);
        if token.is_none() && !settings.required {
            return Ok(None);
        }
        let credential = Credential {
            token,
            remote_address: handshake.remote_address.clone(),
        };
        settings.verifier.verify(credential).await.map(Some)
    }

    /// Tells a client that it may not join, and why. A raw one sees its connection end.
    pub(crate) fn reject(&self, session: SessionKey, namespace: &str, rejection: &Rejection) {
        self.with(|state, _| {
            if let Some(found) = state.sessions.get_mut(session) {
                found.close_raw_with(rejection.code.close_code());
                let app = found.app.name.clone();
                state.line(&app).stats.unauthorised += 1;
            }
        });
        let refusal = Refusal {
            message: rejection.message.clone(),
            data: Some(json!({ "code": rejection.code.name() }).to_string()),
        };
        self.turn_away(session, namespace, &Failure::Refused(refusal));
    }

    /// Checks a new token of a socket, and answers.
    pub(crate) async fn refresh(self, key: SocketKey, token: Option<String>, ack: Option<u64>) {
        let asked = self.with(|state, _| {
            let socket = state.sockets.get(key)?;
            let session = state.sessions.get(socket.session()?)?;
            let settings = socket.app.settings.auth.clone()?;
            Some((settings, session.handshake.open().remote_address))
        });
        let Some((settings, remote_address)) = asked else {
            return;
        };
        let credential = Credential {
            token,
            remote_address,
        };
        let verified = settings.verifier.verify(credential).await;
        self.with(|state, now| {
            let answer = match state.renew(key, verified, settings.expiry_grace, now) {
                Ok(expires_at_s) => json!({ "ok": true, "expires_at": expires_at_s }),
                Err(rejection) => rejection.answer(),
            };
            state.answer(key, ack, &answer, now);
        });
    }
}

impl State {
    /// An event of a client.
    pub(crate) fn hear(&mut self, key: SocketKey, data: EventData, ack: Option<u64>, now: Instant) {
        let Some(socket) = self.sockets.get(key) else {
            return;
        };
        if socket.app.settings.auth.is_some() {
            if is_refresh(&data) {
                return self.begin_refresh(key, &data, ack, now);
            }
            if !socket.may_speak(now) {
                return self.answer(key, ack, &Rejection::expired().answer(), now);
            }
        }
        self.enqueue(key, Job::Event { data, ack });
    }

    fn begin_refresh(&mut self, key: SocketKey, data: &EventData, ack: Option<u64>, now: Instant) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        let problem = match &mut socket.identity {
            None => "who joined without a token joins again with one",
            Some(identity) if identity.refreshing => "a token is being checked already",
            Some(identity) => {
                identity.refreshing = true;
                let (_, args) = data.split();
                let args: Vec<Value> = serde_json::from_str(&args).unwrap_or_default();
                let token = args.first().and_then(Value::as_str).map(str::to_owned);
                return self.tasks.push(Task::Refresh {
                    socket: key,
                    token,
                    ack,
                });
            }
        };
        let rejection = Rejection::unauthorised(problem);
        self.answer(key, ack, &rejection.answer(), now);
    }

    /// A socket's client showed another token. Answers when that expires, in seconds since 1970.
    fn renew(
        &mut self,
        key: SocketKey,
        verified: Result<Verified, Rejection>,
        grace: Duration,
        now: Instant,
    ) -> Result<u64, Rejection> {
        let gone = || Rejection::unauthorised("the socket is gone");
        let socket = self.sockets.get_mut(key).ok_or_else(gone)?;
        let live = matches!(socket.phase, Phase::Live { .. });
        let identity = socket.identity.as_mut().ok_or_else(gone)?;
        identity.refreshing = false;
        let verified = verified?;
        if verified.subject != identity.subject {
            return Err(Rejection::unauthorised("the token is about somebody else"));
        }
        if live {
            identity.speaks = Some(Speaks::new(&verified, grace, now));
            self.arm_expiry(key);
        }
        Ok(verified.expires_at_s)
    }

    /// From now on a socket is the client's who showed this.
    pub(crate) fn identify(&mut self, key: SocketKey, verified: Option<&Verified>, now: Instant) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        let grace = socket.app.settings.auth.as_ref().map(|auth| auth.expiry_grace);
        socket.identity = verified
            .zip(grace)
            .map(|(verified, grace)| Box::new(Identity::new(verified, grace, now)));
    }

    /// After a socket went live, or its token changed.
    pub(crate) fn arm_expiry(&mut self, key: SocketKey) {
        let identity = self.sockets.get(key).and_then(|socket| socket.identity.as_ref());
        if let Some(speaks) = identity.and_then(|identity| identity.speaks) {
            self.arm(speaks.ends, TimerKey::Socket(key));
        }
    }

    /// The grace is over: the namespace is left. Not recovered from.
    pub(crate) fn expire(&mut self, key: SocketKey, now: Instant) {
        let session = self.sockets.get(key).and_then(Socket::session);
        if let Some(session) = session.and_then(|session| self.sessions.get_mut(session)) {
            session.close_raw_with(RejectionCode::TokenExpired.close_code());
        }
        self.disconnect(key, false, now);
    }

    fn answer(&mut self, key: SocketKey, ack: Option<u64>, answer: &Value, now: Instant) {
        if let Some(id) = ack {
            let data = EventData::from_inner(Bytes::from(answer.to_string()), Vec::new());
            self.send_ack(key, id, &data, now);
        }
    }
}

fn is_refresh(data: &EventData) -> bool {
    let rest = data
        .inner()
        .strip_prefix(b"\"")
        .map(|inner| inner.strip_prefix(REFRESH.as_bytes()));
    matches!(rest, Some(Some([b'"'] | [b'"', b',', ..])))
}

#[cfg(test)]
mod tests;
