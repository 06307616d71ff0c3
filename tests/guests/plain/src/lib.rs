//! Exports the handler and neither of the optional interfaces.
wit_bindgen::generate!({ path: "../../../guest-sdk/wit", world: "app", generate_all });

use exports::wakeline::app::handler::Guest;
use wakeline::app::{
    sockets::{self, Target},
    timers,
    types::{DisconnectReason, Error, Event, Handshake, Refusal, Socket},
};

struct Plain;
export!(Plain);

impl Guest for Plain {
    fn handle_connect(_socket: Socket, _handshake: Handshake) -> Result<(), Refusal> {
        Ok(())
    }

    fn handle_event(socket: Socket, event: Event, _ack: Option<u32>) -> Result<(), Error> {
        match event.name.as_str() {
            "set-timer" => timers::set("t", 1, &[]),
            "emit-with-ack" => sockets::emit_with_ack(&socket.id, &event, "token", 1),
            // Another version of the same app, for replacing.
            _ => {
                let target = Target {
                    namespace: socket.namespace,
                    rooms: vec![socket.id],
                    except: vec![],
                };
                let reply = Event {
                    name: "reply".into(),
                    args: r#"["plain"]"#.into(),
                    attachments: vec![],
                };
                sockets::emit(&target, &reply, sockets::EmitFlags::empty())
            }
        }
    }

    fn handle_disconnect(_socket: Socket, _reason: DisconnectReason) -> Result<(), Error> {
        Ok(())
    }
}
