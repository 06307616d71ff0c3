//! Does what the event's name says. Answers with an event "reply" to its own socket.
mod advisories;
mod attacks;
mod http;
mod storage;

wit_bindgen::generate!({ path: "../../../guest-sdk/wit", world: "app-full", generate_all });

use std::sync::atomic::{AtomicU32, Ordering};

use exports::wakeline::app::{acks_handler, handler, migration_handler, push_handler, timers_handler};
use wakeline::app::{
    sockets::{self, EmitFlags, Target},
    types::{Arguments, DisconnectReason, Error, Event, Handshake, Refusal, Socket},
};

struct Hostile;
export!(Hostile);

/// Lives as long as the instance.
static CALLS: AtomicU32 = AtomicU32::new(0);

impl handler::Guest for Hostile {
    fn handle_connect(socket: Socket, handshake: Handshake) -> Result<(), Refusal> {
        match handshake.auth.as_deref() {
            None => {
                let text = format!(
                    "{:?} {:?} {:?}",
                    handshake.query, handshake.headers, handshake.claims
                );
                let said = reply(
                    &socket,
                    &format!("{} {} {text}", socket.namespace, handshake.remote_address),
                );
                said.map_err(|_| Refusal::Other("emit".into()))
            }
            Some(r#"{"token":"none"}"#) => Err(Refusal::Unauthorised("who are you".into())),
            Some(data) => Err(Refusal::Custom(("custom".into(), data.into()))),
        }
    }

    fn handle_event(socket: Socket, event: Event, ack: Option<u32>) -> Result<(), Error> {
        let calls = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
        let args: Vec<&str> = event
            .args
            .trim_matches(['[', ']'])
            .split(',')
            .map(|arg| arg.trim_matches('"'))
            .collect();
        let arg = |index: usize| args.get(index).copied().unwrap_or_default();
        match event.name.as_str() {
            "echo" => {
                let answer = Arguments {
                    args: event.args.clone(),
                    attachments: event.attachments.clone(),
                };
                match ack {
                    Some(token) => sockets::ack(token, &answer),
                    None => sockets::emit(&own(&socket), &event, EmitFlags::empty()),
                }
            }
            "count" => reply(&socket, &calls.to_string()),
            "fail" => {
                reply(&socket, "never seen")?;
                Err(Error::Failed("on purpose".into()))
            }
            "token" => reply(&socket, &ack.unwrap_or_default().to_string()),
            "ack-as" => sockets::ack(
                arg(0).parse().unwrap_or_default(),
                &Arguments {
                    args: "[]".into(),
                    attachments: vec![],
                },
            ),
            "ack-twice" => {
                let token = ack.unwrap_or_default();
                let answer = Arguments {
                    args: "[]".into(),
                    attachments: vec![],
                };
                sockets::ack(token, &answer)?;
                sockets::ack(token, &answer)
            }
            "emit-raw" => {
                let odd = Event {
                    name: arg(0).into(),
                    args: "{not json".into(),
                    attachments: vec![],
                };
                sockets::emit(&own(&socket), &odd, EmitFlags::empty())
            }
            "emit-with-ack" => sockets::emit_with_ack(&socket.id, &event, arg(0), 500),
            "emit-with-acks" => sockets::emit_with_acks(&own(&socket), &event, arg(0), 500),
            "all-effects" => all_effects(&socket),
            "rooms" => rooms(&socket),
            "others-rooms" => sockets::rooms_of("someone-else").map(drop),
            "state" => {
                let before = sockets::get_state(&socket.id)?;
                sockets::set_state(&socket.id, arg(0).as_bytes())?;
                let after = sockets::get_state(&socket.id)?;
                reply(&socket, &format!("{} {}", text(&before), text(&after)))
            }
            "big-state" => sockets::set_state(&socket.id, &[0; 20_000]),
            "who" => {
                let page = sockets::fetch_sockets(&own(&socket), Some(arg(0)))?;
                reply(
                    &socket,
                    &format!("{} {:?} {:?}", page.sockets.len(), page.cursor, page.partial),
                )
            }
            name if name.starts_with("kv-") => storage::run(name, &socket, &arg),
            name if name.starts_with("advisory-") => advisories::run(name, &socket, &arg),
            name if name.starts_with("http") => http::run(&socket, arg(0), arg(1)),
            name => attacks::run(name, &socket, &arg),
        }
    }

    fn handle_disconnect(socket: Socket, reason: DisconnectReason) -> Result<(), Error> {
        reply(&socket, &format!("{reason:?}"))
    }
}

impl acks_handler::Guest for Hostile {
    fn handle_ack(socket: Socket, token: String, outcome: acks_handler::AckOutcome) -> Result<(), Error> {
        let outcome = match outcome {
            acks_handler::AckOutcome::Answered(answer) => answer.args.replace('"', "'"),
            acks_handler::AckOutcome::TimedOut => "timed out".into(),
            acks_handler::AckOutcome::Collected(found) => format!(
                "{} of {}, {}",
                found.answers.len(),
                found.answers.len() + found.missing.len(),
                found.partial.join(" ")
            ),
        };
        reply(&socket, &format!("{token} {outcome}"))
    }
}

impl timers_handler::Guest for Hostile {
    fn handle_timer(name: String, id: String, payload: Vec<u8>) -> Result<(), Error> {
        let everyone = Socket {
            id: "everyone".into(),
            namespace: "/".into(),
        };
        reply(&everyone, &format!("{name} {id} {}", text(&payload)))
    }
}

impl push_handler::Guest for Hostile {
    fn handle_push(topic: String, payload: Vec<u8>) -> Result<(), Error> {
        let everyone = Socket {
            id: "everyone".into(),
            namespace: "/".into(),
        };
        reply(&everyone, &format!("{topic} {}", text(&payload)))?;
        match topic.as_str() {
            "fail" => Err(Error::Failed("not today".into())),
            "panic" => panic!("pushed too far"),
            "spin" => loop {
                std::hint::black_box(());
            },
            _ => Ok(()),
        }
    }
}

/// Answers what the state's first word says.
impl migration_handler::Guest for Hostile {
    fn migrate(socket: Socket, state: Vec<u8>, from_version: u32) -> Result<Vec<u8>, Error> {
        sockets::set_state(&socket.id, b"set within")?;
        reply(&socket, "migrating")?;
        match state.as_slice() {
            b"fail" => Err(Error::Failed("too old".into())),
            b"panic" => panic!("what a state"),
            b"big" => Ok(vec![b'x'; 20_000]),
            old => Ok(format!("{} of {from_version}", text(old)).into_bytes()),
        }
    }
}

/// Says something that a test can read in the effects.
fn reply(socket: &Socket, said: &str) -> Result<(), Error> {
    let args = format!(
        "[\"{}\"]",
        said.replace('\\', "\\\\").replace('"', "'").replace('\n', " ")
    );
    let event = Event {
        name: "reply".into(),
        args,
        attachments: vec![],
    };
    sockets::emit(&own(socket), &event, EmitFlags::empty())
}

fn own(socket: &Socket) -> Target {
    Target {
        namespace: socket.namespace.clone(),
        rooms: vec![socket.id.clone()],
        except: vec![],
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn all_effects(socket: &Socket) -> Result<(), Error> {
    let event = Event {
        name: "e".into(),
        args: "[1]".into(),
        attachments: vec![],
    };
    let lobby = Target {
        namespace: socket.namespace.clone(),
        rooms: vec!["lobby".into()],
        except: vec![socket.id.clone()],
    };
    sockets::join(&own(socket), &["lobby".into()])?;
    sockets::emit(&lobby, &event, EmitFlags::VOLATILE)?;
    sockets::leave(&own(socket), &["lobby".into()])?;
    sockets::set_state(&socket.id, b"s")?;
    sockets::emit_with_ack(&socket.id, &event, "t", 7)?;
    sockets::emit_with_acks(&lobby, &event, "all", 8)?;
    sockets::disconnect(&own(socket), true)
}

fn rooms(socket: &Socket) -> Result<(), Error> {
    sockets::join(&own(socket), &["a".into(), "b".into()])?;
    sockets::leave(&own(socket), &["a".into()])?;
    let all = Target {
        namespace: socket.namespace.clone(),
        rooms: vec![],
        except: vec!["b".into()],
    };
    sockets::join(&all, &["not-me".into()])?;
    reply(socket, &sockets::rooms_of(&socket.id)?.join(" "))
}
