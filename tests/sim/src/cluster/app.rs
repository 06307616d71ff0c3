use std::{cell::RefCell, time::Duration};

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use router::{Call, CallKind, Effect, Failure, SocketView, Target};
use serde_json::{Value, json};
use session::App;
use socketio::EventData;

use super::ledger::{Book, HERE};
use crate::Random;

/// A handler that is told what to do, and takes its time now and then. It tells the book whom it was told of.
pub(crate) struct Chat {
    book: Book,
    node: u64,
    random: RefCell<Random>,
}

impl Chat {
    pub(crate) fn new(book: Book, node: u64, random: Random) -> Self {
        Self {
            book,
            node,
            random: RefCell::new(random),
        }
    }
}

impl App for Chat {
    fn call(&self, call: Call) -> LocalBoxFuture<'static, Result<Vec<Effect>, Failure>> {
        let Some(socket) = call.socket else {
            return Box::pin(std::future::ready(Ok(vec![])));
        };
        let effects = match call.kind {
            CallKind::Connect(_) => {
                let mut book = self.book.borrow_mut();
                book.connected(&socket.id, self.node);
                if book.asking { on_connect(&socket) } else { vec![] }
            }
            CallKind::Disconnect(reason) => {
                self.book.borrow_mut().disconnected(&socket.id, self.node, reason);
                vec![]
            }
            CallKind::Event { data, ack } => {
                let (name, args) = data.split();
                let args: Vec<Value> = serde_json::from_str(&args).unwrap();
                let (mut effects, answer) = event(&socket, &name, &args);
                if let Some(token) = ack {
                    let data = EventData::args(&answer.to_string(), vec![]).unwrap();
                    effects.push(Effect::Ack { token, data });
                }
                effects
            }
            CallKind::Ack { .. }
            | CallKind::Timer { .. }
            | CallKind::Push { .. }
            | CallKind::Migrate { .. } => vec![],
        };
        let mut random = self.random.borrow_mut();
        let slow = random
            .chance(10)
            .then(|| Duration::from_millis(random.below(300) as u64));
        Box::pin(async move {
            if let Some(slow) = slow {
                tokio::time::sleep(slow).await;
            }
            Ok(effects)
        })
    }
}

/// Joins a room, and does what needs the log: it moves nobody. (A connect call that the log does not take would end its
/// socket.)
fn on_connect(socket: &SocketView) -> Vec<Effect> {
    let join = |whom: router::Room| Effect::Join {
        target: Target {
            namespace: socket.namespace.clone(),
            rooms: vec![whom],
            except: vec![],
        },
        rooms: vec![HERE.into()],
    };
    vec![join(socket.id.clone()), join("nobody".into())]
}

fn event(socket: &SocketView, name: &str, args: &[Value]) -> (Vec<Effect>, Value) {
    let text = |i: usize| args[i].as_str().unwrap().to_owned();
    let to = |rooms: Vec<router::Room>| Target {
        namespace: socket.namespace.clone(),
        rooms,
        except: vec![],
    };
    let (target, rooms) = (to(vec![socket.id.clone()]), || vec![text(0).into()]);
    let message = |target: Target, id: &Value, volatile: bool| Effect::Emit {
        target,
        data: EventData::event("msg", &json!([id]).to_string(), vec![]).unwrap(),
        volatile,
    };
    let effects = match name {
        "say" => vec![message(to(rooms()), &args[1], false)],
        "shout" => vec![message(to(vec![]), &args[0], false)],
        "murmur" => vec![message(to(rooms()), &args[1], true)],
        "join" => vec![Effect::Join {
            target,
            rooms: rooms(),
        }],
        "leave" => vec![Effect::Leave {
            target,
            rooms: rooms(),
        }],
        // With an emit in the same call, membership goes through the log.
        "enter" => vec![
            Effect::Join {
                target,
                rooms: rooms(),
            },
            message(to(rooms()), &args[1], false),
        ],
        "exit" => vec![
            message(to(rooms()), &args[1], false),
            Effect::Leave {
                target,
                rooms: rooms(),
            },
        ],
        // Somebody else's socket, which another node may have.
        "lead" => vec![Effect::Join {
            target: to(rooms()),
            rooms: vec![text(1).into()],
        }],
        "set" => vec![Effect::SetState(Bytes::from(text(0)))],
        "whoami" => {
            let rooms: Vec<&str> = socket.rooms.iter().map(|room| &**room).collect();
            let state = String::from_utf8_lossy(&socket.state);
            return (
                vec![],
                json!([{ "sid": *socket.id, "rooms": rooms, "state": state }]),
            );
        }
        other => unreachable!("nobody sends {other}"),
    };
    (effects, json!([]))
}
