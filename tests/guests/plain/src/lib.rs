//! Exports the handler and neither of the optional interfaces.
wit_bindgen::generate!({ path: "../../../guest-sdk/wit", world: "app", generate_all });

use exports::wakeline::app::handler::Guest;
use wakeline::app::{
    sockets::{self, Target},
    timers,
    types::{DisconnectReason, Error, Event, Handshake, Refusal},
};

struct Plain;
export!(Plain);

impl Guest for Plain {
    fn handle_connect(_socket: String, _handshake: Handshake) -> Result<(), Refusal> {
        Ok(())
    }

    fn handle_event(socket: String, event: Event, _ack: Option<String>) -> Result<(), Error> {
        match event.name.as_str() {
            "set-timer" => timers::set("t", 1, &[]),
            "emit-with-ack" => sockets::emit_with_ack(&socket, &event, "token", 1),
            // Another version of the same app, for replacing.
            _ => {
                let target = Target {
                    namespace: "/".into(),
                    rooms: vec![socket],
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

    fn handle_disconnect(_socket: String, _reason: DisconnectReason) -> Result<(), Error> {
        Ok(())
    }
}
