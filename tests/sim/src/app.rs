use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use engineio::Settings;
use futures_util::future::LocalBoxFuture;
use router::{AckOutcome, Call, CallKind, Collected, Effect, Failure, Refusal, SocketView, Target};
use serde_json::Value;
use session::{App, AppSettings, RecoverySettings};
use socketio::EventData;

/// What the app was called for, in order: for asserting that handlers ran, and how often.
pub type Calls = Rc<RefCell<Vec<String>>>;

/// A chat in the words of examples/bench: join, leave, say, whisper, set, whoami, ask, kick, fail.
pub(crate) struct Chat {
    pub(crate) calls: Calls,
    /// How long `handle-disconnect` takes.
    pub(crate) goodbye: Rc<Cell<Duration>>,
}

/// Settings with short times, for a clock that is not real.
pub fn settings() -> AppSettings {
    AppSettings {
        engine: Arc::new(Settings {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            max_payload_bytes: 1_000_000,
            polling: true,
            websocket: true,
            queue_bytes_max: 1 << 20,
        }),
        namespaces: vec!["/".into(), "/admin".into()],
        connect_timeout: Duration::from_secs(45),
        recovery: Some(RecoverySettings {
            window: Duration::from_secs(120),
            packets_max: 10_000,
            bytes_max: 16 << 20,
        }),
        token: None,
        auth: None,
        queue_bytes_max: 1 << 20,
        rooms_per_socket_max: 100,
        events_queued_max: 64,
        sessions_max: 100_000,
        rates: session::Rates::default(),
    }
}

impl App for Chat {
    fn call(&self, call: Call) -> LocalBoxFuture<'static, Result<Vec<Effect>, Failure>> {
        let socket = call.socket.unwrap();
        let outcome = match call.kind {
            CallKind::Connect(handshake) => {
                let claims = handshake
                    .claims
                    .map_or_else(String::new, |claims| format!(" {claims}"));
                self.note(format!("connect {}{claims}", socket.namespace));
                match handshake.auth.as_deref() {
                    Some(auth) if auth.contains("deny") => Err(Failure::Refused(Refusal {
                        message: "no".into(),
                        data: Some("{\"code\":42}".into()),
                    })),
                    _ => Ok(vec![]),
                }
            }
            CallKind::Event { data, ack } => {
                let (name, args) = data.split();
                let args: Vec<Value> = serde_json::from_str(&args).unwrap();
                event(&socket, &name, &args).map(|(mut effects, answer)| {
                    if let (Some(token), Some(answer)) = (ack, answer) {
                        let data = EventData::args(&answer.to_string(), vec![]).unwrap();
                        effects.push(Effect::Ack { token, data });
                    }
                    effects
                })
            }
            CallKind::Disconnect(reason) => {
                self.note(format!("disconnect {reason:?}"));
                if !self.goodbye.get().is_zero() {
                    let goodbye = tokio::time::sleep(self.goodbye.get());
                    return Box::pin(async move {
                        goodbye.await;
                        Ok(vec![])
                    });
                }
                Ok(vec![])
            }
            CallKind::Ack { token, outcome } => {
                self.note(match outcome {
                    AckOutcome::Answered(_) => format!("ack {token} true"),
                    AckOutcome::TimedOut => format!("ack {token} false"),
                    AckOutcome::Collected(found) => collected(&found),
                });
                Ok(vec![])
            }
            CallKind::Timer { .. } | CallKind::Push { .. } | CallKind::Migrate { .. } => Ok(vec![]),
        };
        Box::pin(std::future::ready(outcome))
    }
}

impl Chat {
    fn note(&self, what: String) {
        self.calls.borrow_mut().push(what);
    }
}

fn collected(found: &Collected) -> String {
    let mut answers: Vec<String> = found.answers.iter().map(|(_, data)| data.array()).collect();
    answers.sort();
    format!(
        "collected {} missing {} partial {}",
        answers.join(" "),
        found.missing.len(),
        found.partial.join(" ")
    )
}

fn emit(target: Target, name: &str, args: &[Value], volatile: bool) -> Effect {
    let args = Value::from(args.to_vec()).to_string();
    let data = EventData::event(name, &args, vec![]).unwrap();
    Effect::Emit {
        target,
        data,
        volatile,
    }
}

fn event(socket: &SocketView, name: &str, args: &[Value]) -> Result<(Vec<Effect>, Option<Value>), Failure> {
    let text = |i: usize| args[i].as_str().unwrap().to_owned();
    let to = |room: String| Target {
        namespace: socket.namespace.clone(),
        rooms: vec![room.into()],
        except: vec![],
    };
    let own = || to(socket.id.to_string());
    let done = |effects| Ok((effects, Some(serde_json::json!([]))));
    match name {
        "echo" => Ok((vec![], Some(Value::from(args.to_vec())))),
        "join" => done(vec![Effect::Join {
            target: own(),
            rooms: vec![text(0).into()],
        }]),
        "leave" => done(vec![Effect::Leave {
            target: own(),
            rooms: vec![text(0).into()],
        }]),
        "say" => done(vec![emit(to(text(0)), "msg", &args[1..], false)]),
        "tell-me" => done(vec![emit(own(), "told", args, false)]),
        "murmur" => done(vec![emit(to(text(0)), "murmured", &args[1..], true)]),
        "others" => {
            let target = Target {
                except: vec![socket.id.clone()],
                ..to(text(0))
            };
            done(vec![emit(target, "msg", &args[1..], false)])
        }
        "set" => done(vec![Effect::SetState(Bytes::from(text(0)))]),
        "whoami" => {
            let rooms: Vec<&str> = socket.rooms.iter().map(|room| &**room).collect();
            let state = String::from_utf8_lossy(&socket.state).into_owned();
            Ok((
                vec![],
                Some(serde_json::json!([{ "sid": *socket.id, "rooms": rooms, "state": state }])),
            ))
        }
        "invite" => done(vec![Effect::Join {
            target: to(text(0)),
            rooms: vec![text(1).into()],
        }]),
        "kick" => done(vec![Effect::Disconnect {
            target: to(text(0)),
            close: args.len() > 1,
        }]),
        "ask" => done(vec![Effect::EmitWithAck {
            socket: text(0).into(),
            data: EventData::event("question", "[]", vec![]).unwrap(),
            token: "t1".into(),
            timeout_ms: 5_000,
        }]),
        "ask-all" => done(vec![Effect::EmitWithAcks {
            target: to(text(0)),
            data: EventData::event("question", "[]", vec![]).unwrap(),
            token: "t2".into(),
            timeout_ms: 5_000,
        }]),
        _ => Err(Failure::Returned(format!("no event {name}"))),
    }
}
