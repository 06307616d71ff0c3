//! Calls of an app's handler: one at a time for each socket, in order.
use std::{rc::Rc, time::Instant};

use bytes::Bytes;
use router::{AckToken, Call, CallKind, DisconnectReason, Failure};
use socketio::EventData;

use crate::{
    App, Hub,
    hub::start,
    socket::Job,
    state::{SocketKey, State, Task},
};

impl Hub {
    /// Starts working through a socket's jobs, unless that is under way.
    pub(crate) fn work(&self, key: SocketKey) {
        let first = self.change(|state| {
            let busy = &mut state.sockets.get_mut(key)?.busy;
            if std::mem::replace(busy, true) {
                return None;
            }
            state.next_job(key)
        });
        if let Some(first) = first {
            start(self.clone().run(key, first));
        }
    }

    /// Calls the handler for each job that waits. `busy` is set until it returns.
    pub(crate) async fn run_jobs(self, key: SocketKey) {
        if let Some(first) = self.change(|state| state.next_job(key)) {
            self.run(key, first).await;
        }
    }

    async fn run(self, key: SocketKey, first: Begun) {
        let mut next = Some(first);
        while let Some(Begun { code, call, job }) = next {
            if let Concluding::Disconnect(reason) = job
                && !Box::pin(self.may_end(key, reason)).await
            {
                return;
            }
            let outcome = match code.call(call).await {
                Ok(effects) => self.commit(key, effects).await,
                Err(failure) => Err(failure),
            };
            next = match (&job, outcome) {
                (Concluding::Event(_), Ok(())) => self.change(|state| state.next_job(key)),
                (_, outcome) => self.with(|state, now| {
                    state.conclude(key, &job, outcome, now);
                    state.next_job(key)
                }),
            };
        }
    }

    /// Whether no other node has the socket by now: the end of one that lives elsewhere is not told. None takes it from then
    /// on, since its record says that it ends: who cannot ask its home has nothing else to go by.
    async fn may_end(&self, key: SocketKey, reason: DisconnectReason) -> bool {
        if self.0.shards.nodes().is_cluster() {
            self.with(|state, _| {
                if let Some(socket) = state.sockets.get_mut(key) {
                    socket.ending = Some(reason);
                }
            });
            self.save(key).await;
        }
        self.with(|state, _| state.sockets.contains_key(key))
    }
}

impl State {
    /// Takes the next job; none ends the run.
    fn next_job(&mut self, key: SocketKey) -> Option<Begun> {
        let socket = self.sockets.get_mut(key)?;
        let Some(job) = socket.pending.pop_job() else {
            socket.busy = false;
            socket.pending.rest();
            return None;
        };
        let (kind, concluding) = match job {
            Job::Event { data, ack } => (
                CallKind::Event {
                    data,
                    ack: ack.map(AckToken),
                },
                Concluding::Event(ack),
            ),
            Job::Ack { token, outcome } => (CallKind::Ack { token, outcome }, Concluding::Event(None)),
            Job::Disconnect(reason) => (CallKind::Disconnect(reason), Concluding::Disconnect(reason)),
        };
        let mut call = Call {
            socket: Some(socket.view()),
            kind,
            trace: None,
        };
        let code = socket.app.code.clone();
        let queued_max = socket.app.settings.events_queued_max;
        let caught_up = socket.pending.jobs() < queued_max;
        if let Some(session) = socket.session().and_then(|key| self.sessions.get_mut(key)) {
            call.trace = session.trace.as_deref().copied();
            if caught_up {
                session.wake();
            }
        }
        Some(Begun {
            code,
            call,
            job: concluding,
        })
    }

    fn conclude(&mut self, key: SocketKey, job: &Concluding, outcome: Result<(), Failure>, now: Instant) {
        if let (Err(failure), Some(socket)) = (&outcome, self.sockets.get(key)) {
            let app = socket.app.name.clone();
            tracing::warn!(app = %app, socket = %socket.id, %failure, "a call had no effect");
            self.line(&app).stats.failures += 1;
        }
        match (job, outcome) {
            (Concluding::Event(Some(id)), Err(failure)) => {
                if let Some(socket) = self.sockets.get_mut(key) {
                    socket.pending.take_answer(*id);
                }
                self.send_ack(key, *id, &failure_ack(&failure), now);
            }
            (Concluding::Event(_), _) => {}
            (Concluding::Disconnect(_), _) => {
                if let Some(socket) = self.remove_socket(key)
                    && let Some(revision) = socket.saved.revision
                {
                    let pid = crate::ids::pid(&socket.secret, &socket.id);
                    self.tasks.push(Task::Forget {
                        token: socket.token.map(|token| (token, pid)),
                        app: socket.app.name.clone(),
                        id: socket.id,
                        revision,
                    });
                }
            }
        }
    }
}

/// A job that was taken.
struct Begun {
    code: Rc<dyn App>,
    call: Call,
    job: Concluding,
}

/// What is left to do when a call has ended.
enum Concluding {
    Event(Option<u64>),
    Disconnect(DisconnectReason),
}

/// What a client's ack is given when the call had no effect: one argument, `{"error":{"code","message"}}`. Says whose fault
/// it is. An error that the handler returned is in its author's words; of a crash the client learns no more than that.
fn failure_ack(failure: &Failure) -> EventData {
    let (code, message) = match failure {
        Failure::Refused(refusal) => ("handler_error", refusal.message.as_str()),
        Failure::Returned(message) => ("handler_error", message.as_str()),
        Failure::Trapped(_) => ("handler_trapped", "the app's handler crashed"),
        // Of the app's limits by the second the client learns that it may come again.
        Failure::Limit(limit)
            if limit
                .split(' ')
                .next()
                .is_some_and(|name| name.ends_with("_per_second")) =>
        {
            ("rate_limited", "the app uses more than it may for now; try again")
        }
        Failure::Limit(_) => ("handler_limit", "the app's handler hit a limit"),
        Failure::Unavailable(_) => ("unavailable", "the app cannot run now; try again"),
    };
    let error = serde_json::json!({ "error": { "code": code, "message": message } });
    EventData::from_inner(Bytes::from(error.to_string()), Vec::new())
}
