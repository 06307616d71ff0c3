use std::sync::Arc;

use bytes::Bytes;
use router::{Effect, Limit, Room, SocketView, Target};
use socketio::EventData;

use super::{Answer, Refused, invalid};
use crate::{
    bindings::{
        Error,
        wit::sockets::{self, EmitFlags},
        wit::types::{Arguments, Event},
    },
    state::State,
};

/// Bytes of a socket's state.
const STATE_BYTES_MAX: usize = 16 << 10;

/// Whether a socket may have that state; the error is for the app's author.
pub(crate) fn check_state(state: &[u8]) -> Result<(), String> {
    if state.len() > STATE_BYTES_MAX {
        return Err(format!(
            "state is {} bytes; at most {STATE_BYTES_MAX}",
            state.len()
        ));
    }
    Ok(())
}

/// Bytes of a room's name, and of an `emit-with-ack` token.
const NAME_BYTES_MAX: usize = 256;

/// Rooms named by one call of an import.
const ROOMS_MAX: usize = 1_000;

impl sockets::Host for State {
    fn emit(&mut self, target: sockets::Target, event: Event, flags: EmitFlags) -> Answer<()> {
        self.admit(event_bytes(&event) + target_bytes(&target))?;
        let target = self.target(target)?;
        self.admit_reach(&target)?;
        let data = event_data(event)?;
        let volatile = flags.contains(EmitFlags::VOLATILE);
        self.transaction.push(Effect::Emit {
            target,
            data,
            volatile,
        });
        Ok(())
    }

    fn ack(&mut self, token: u32, args: Arguments) -> Answer<()> {
        self.admit(args.args.len() + bytes_of(&args.attachments))?;
        let token = self
            .transaction
            .owed(token)
            .ok_or(Refused::Error(Error::NotFound))?;
        if self.transaction.answered(token) {
            return Err(invalid("ack: this event has been answered already"));
        }
        let attachments = args.attachments.into_iter().map(Bytes::from).collect();
        let data = EventData::args(&args.args, attachments).map_err(|error| invalid(error.to_string()))?;
        self.transaction.push(Effect::Ack { token, data });
        Ok(())
    }

    fn emit_with_ack(&mut self, socket: String, event: Event, token: String, timeout_ms: u32) -> Answer<()> {
        self.admit(event_bytes(&event) + socket.len() + token.len())?;
        self.check_asking("emit-with-ack", &token)?;
        let socket = self.name("emit-with-ack: socket", &socket)?;
        let data = event_data(event)?;
        self.transaction.push(Effect::EmitWithAck {
            socket,
            data,
            token: token.into(),
            timeout_ms,
        });
        Ok(())
    }

    fn emit_with_acks(
        &mut self,
        target: sockets::Target,
        event: Event,
        token: String,
        timeout_ms: u32,
    ) -> Answer<()> {
        self.admit(event_bytes(&event) + target_bytes(&target) + token.len())?;
        self.check_asking("emit-with-acks", &token)?;
        if self.transaction.socket.is_none() {
            return Err(invalid(
                "emit-with-acks: this call is for no socket that could be given the answers",
            ));
        }
        let target = self.target(target)?;
        self.admit_reach(&target)?;
        let effect = Effect::EmitWithAcks {
            target,
            data: event_data(event)?,
            token: token.into(),
            timeout_ms,
        };
        self.transaction.push(effect);
        Ok(())
    }

    fn join(&mut self, target: sockets::Target, rooms: Vec<String>) -> Answer<()> {
        self.admit(target_bytes(&target) + rooms.iter().map(String::len).sum::<usize>())?;
        let target = self.target(target)?;
        let rooms = self.rooms("rooms", &rooms)?;
        self.check_rooms(&target, &rooms)?;
        let effect = Effect::Join { target, rooms };
        self.transaction.push(effect);
        Ok(())
    }

    fn leave(&mut self, target: sockets::Target, rooms: Vec<String>) -> Answer<()> {
        self.admit(target_bytes(&target) + rooms.iter().map(String::len).sum::<usize>())?;
        let effect = Effect::Leave {
            target: self.target(target)?,
            rooms: self.rooms("rooms", &rooms)?,
        };
        self.transaction.push(effect);
        Ok(())
    }

    fn rooms_of(&mut self, socket: String) -> Answer<Vec<String>> {
        let socket = self.own_socket(&socket)?;
        let rooms = self.transaction.rooms(socket);
        Ok(rooms.iter().map(|room| room.as_ref().to_owned()).collect())
    }

    fn disconnect(&mut self, target: sockets::Target, close: bool) -> Answer<()> {
        self.admit(target_bytes(&target))?;
        let target = self.target(target)?;
        self.transaction.push(Effect::Disconnect { target, close });
        Ok(())
    }

    fn get_state(&mut self, socket: String) -> Answer<Vec<u8>> {
        let socket = self.own_socket(&socket)?;
        Ok(self.transaction.state(socket).to_vec())
    }

    fn set_state(&mut self, socket: String, state: Vec<u8>) -> Answer<()> {
        self.admit(state.len())?;
        self.own_socket(&socket)?;
        check_state(&state).map_err(|text| Refused::Error(Error::LimitExceeded(text)))?;
        self.transaction.push(Effect::SetState(state.into()));
        Ok(())
    }

    async fn fetch_sockets(
        &mut self,
        target: sockets::Target,
        cursor: Option<String>,
    ) -> Answer<sockets::Page> {
        self.transaction.admit_read(&self.limits)?;
        let target = self.target(target)?;
        let page = self.host.fetch_sockets(target, cursor).await;
        let page = page.map_err(|text| Refused::Error(Error::Other(text)))?;
        let sockets = page.sockets.into_iter().map(|socket| sockets::SocketInfo {
            id: socket.id.as_ref().to_owned(),
            rooms: socket.rooms.iter().map(|room| room.as_ref().to_owned()).collect(),
            state: socket.state.to_vec(),
        });
        Ok(sockets::Page {
            sockets: sockets.collect(),
            cursor: page.cursor,
            partial: page.partial,
        })
    }
}

impl State {
    /// What every emit that asks for answers needs.
    fn check_asking(&self, what: &str, token: &str) -> Answer<()> {
        if !self.takes_acks {
            return Err(invalid(format!(
                "{what}: the component does not export wakeline:app/acks-handler@0.1.0"
            )));
        }
        if token.len() > NAME_BYTES_MAX {
            return Err(invalid(format!(
                "{what}: token is longer than {NAME_BYTES_MAX} bytes"
            )));
        }
        Ok(())
    }

    fn admit(&mut self, bytes: usize) -> Answer<()> {
        Ok(self.transaction.admit(bytes, &self.limits)?)
    }

    /// Counts the sockets that an emit reaches.
    fn admit_reach(&mut self, target: &Target) -> Answer<()> {
        let own = matches!(target.rooms.as_slice(), [room] if self.transaction.own(room).is_some());
        // Most emits are to one socket: nobody is asked for those.
        let reached = if own { 1 } else { self.host.reach(target) };
        Ok(self.transaction.admit_reach(reached, &self.limits)?)
    }

    /// Whether the call's own socket may be in so many rooms more. For others the session looks.
    fn check_rooms(&self, target: &Target, joined: &[Room]) -> Answer<()> {
        let [room] = target.rooms.as_slice() else {
            return Ok(());
        };
        let Some(socket) = self.transaction.own(room) else {
            return Ok(());
        };
        let rooms = self.transaction.rooms(socket);
        let new = joined.iter().filter(|room| !rooms.contains(room)).count();
        let max = self.limits.rooms_per_socket;
        // The one that is named like the socket is not counted.
        if rooms.len().saturating_sub(1) + new <= max {
            return Ok(());
        }
        self.transaction.hit(Limit::RoomsPerSocket);
        Err(Refused::Error(Error::LimitExceeded(
            Limit::RoomsPerSocket.describe(max),
        )))
    }

    fn own_socket(&self, id: &str) -> Answer<&SocketView> {
        self.transaction.own(id).ok_or(Refused::Error(Error::NotFound))
    }

    fn target(&self, target: sockets::Target) -> Answer<Target> {
        let own = self.transaction.socket.as_ref();
        let namespace: Arc<str> = match own {
            Some(socket) if *socket.namespace == *target.namespace => Arc::clone(&socket.namespace),
            _ if target.namespace.starts_with('/') && target.namespace.len() <= NAME_BYTES_MAX => {
                target.namespace.into()
            }
            _ => {
                return Err(invalid(
                    "target: a namespace begins with \"/\" and has at most 256 bytes",
                ));
            }
        };
        let rooms = self.rooms("target.rooms", &target.rooms)?;
        let except = self.rooms("target.except", &target.except)?;
        Ok(Target {
            namespace,
            rooms,
            except,
        })
    }

    fn rooms(&self, what: &str, rooms: &[String]) -> Answer<Vec<Room>> {
        if rooms.len() > ROOMS_MAX {
            return Err(invalid(format!(
                "{what}: {} rooms; at most {ROOMS_MAX}",
                rooms.len()
            )));
        }
        rooms.iter().map(|room| self.name(what, room)).collect()
    }

    fn name(&self, what: &str, name: &str) -> Answer<Room> {
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return Err(invalid(format!("{what}: a name has 1 to {NAME_BYTES_MAX} bytes")));
        }
        // The most frequent target is the own socket's room: shared, not copied.
        Ok(self
            .transaction
            .own(name)
            .map_or_else(|| name.into(), |socket| Arc::clone(&socket.id)))
    }
}

fn event_data(event: Event) -> Answer<EventData> {
    let attachments = event.attachments.into_iter().map(Bytes::from).collect();
    EventData::event(&event.name, &event.args, attachments).map_err(|error| invalid(error.to_string()))
}

fn event_bytes(event: &Event) -> usize {
    event.name.len() + event.args.len() + bytes_of(&event.attachments)
}

fn bytes_of(attachments: &[Vec<u8>]) -> usize {
    attachments.iter().map(Vec::len).sum()
}

fn target_bytes(target: &sockets::Target) -> usize {
    target.rooms.iter().chain(&target.except).map(String::len).sum()
}
