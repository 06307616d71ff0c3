use std::time::Duration;

use super::Page;
use crate::{
    Args, Error, Result,
    emit::Target,
    log::Level,
    test::world::{Effect, with_call, with_world},
};

pub(crate) fn emit(target: Target, event: &str, args: Args, volatile: bool) -> Result<()> {
    effect(Effect::Emit {
        target,
        event: event.to_owned(),
        args,
        volatile,
    })
}

pub(crate) fn ack(token: u32, args: Args) -> Result<()> {
    with_call(|call| {
        if call.open_ack != Some(token) {
            return Err(Error::NotFound);
        }
        call.open_ack = None;
        call.answer = Some(args);
        Ok(())
    })
}

pub(crate) fn emit_with_ack(
    socket: &str,
    event: &str,
    args: Args,
    token: &str,
    _timeout: Duration,
) -> Result<()> {
    check_token(token)?;
    if !with_world(|world| world.sockets.contains_key(socket)) {
        return Err(Error::NotFound);
    }
    let (socket, event, token) = (socket.to_owned(), event.to_owned(), token.to_owned());
    effect(Effect::EmitWithAck {
        socket,
        event,
        args,
        token,
    })
}

pub(crate) fn emit_with_acks(
    target: Target,
    event: &str,
    args: Args,
    token: &str,
    _timeout: Duration,
) -> Result<()> {
    check_token(token)?;
    let (event, token) = (event.to_owned(), token.to_owned());
    with_call(|call| {
        let Some(socket) = call.socket.clone() else {
            return Err(Error::Invalid(
                "this call is for no socket that could be given the answers".to_owned(),
            ));
        };
        call.effects.push(Effect::EmitWithAcks {
            socket,
            target,
            event,
            args,
            token,
        });
        Ok(())
    })
}

pub(crate) fn join(target: Target, rooms: &[String]) -> Result<()> {
    check_rooms(rooms)?;
    effect(Effect::Join {
        target,
        rooms: rooms.to_owned(),
    })
}

pub(crate) fn leave(target: Target, rooms: &[String]) -> Result<()> {
    check_rooms(rooms)?;
    effect(Effect::Leave {
        target,
        rooms: rooms.to_owned(),
    })
}

pub(crate) fn rooms_of(socket: &str) -> Result<Vec<String>> {
    with_world(|world| world.rooms_within_call(socket)).ok_or(Error::NotFound)
}

pub(crate) fn disconnect(target: Target, _close: bool) -> Result<()> {
    effect(Effect::Disconnect { target })
}

pub(crate) fn get_state(socket: &str) -> Result<Vec<u8>> {
    with_world(|world| world.state_within_call(socket)).ok_or(Error::NotFound)
}

pub(crate) fn set_state(socket: &str, state: &[u8]) -> Result<()> {
    const STATE_BYTES_MAX: usize = 16 * 1024;
    if state.len() > STATE_BYTES_MAX {
        return Err(Error::LimitExceeded(format!(
            "a socket's state has at most {STATE_BYTES_MAX} bytes"
        )));
    }
    effect(Effect::SetState {
        socket: socket.to_owned(),
        state: state.to_owned(),
    })
}

#[expect(clippy::unnecessary_wraps, reason = "the host's may fail")]
pub(crate) fn fetch_sockets(target: &Target, _cursor: Option<&str>) -> Result<Page> {
    let sockets = with_world(|world| {
        world
            .matching(target)
            .map(|(id, socket)| socket.remote(id))
            .collect()
    });
    Ok((sockets, None, Vec::new()))
}

#[expect(clippy::unnecessary_wraps, reason = "the host's may fail")]
pub(crate) fn kv_get(key: &str) -> Result<Option<Vec<u8>>> {
    Ok(with_world(|world| world.kv.get(key).cloned()))
}

#[expect(clippy::unnecessary_wraps, reason = "the host's may fail")]
pub(crate) fn kv_set(key: &str, value: &[u8]) -> Result<()> {
    with_world(|world| world.kv.insert(key.to_owned(), value.to_owned()));
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "the host's may fail")]
pub(crate) fn kv_delete(key: &str) -> Result<()> {
    with_world(|world| world.kv.remove(key));
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "the host's may fail")]
pub(crate) fn kv_exists(key: &str) -> Result<bool> {
    Ok(with_world(|world| world.kv.contains_key(key)))
}

pub(crate) fn kv_increment(key: &str, delta: u64) -> Result<u64> {
    with_world(|world| {
        let stored = world
            .kv
            .get(key)
            .map(|value| String::from_utf8_lossy(value).into_owned());
        let count = stored.map_or(Ok(0), |count| count.parse::<u64>());
        let count = count.map_err(|_| Error::Store(format!("the value of \"{key}\" is not a counter")))?;
        let count = count
            .checked_add(delta)
            .ok_or_else(|| Error::Store("the counter overflows".to_owned()))?;
        world.kv.insert(key.to_owned(), count.to_string().into_bytes());
        Ok(count)
    })
}

#[expect(clippy::unnecessary_wraps, reason = "the host's may fail")]
pub(crate) fn kv_list(_cursor: Option<u64>) -> Result<(Vec<String>, Option<u64>)> {
    Ok((with_world(|world| world.kv.keys().cloned().collect()), None))
}

#[expect(clippy::unnecessary_wraps, reason = "the host's may fail")]
pub(crate) fn config_get(key: &str) -> Result<Option<String>> {
    Ok(with_world(|world| world.config.get(key).cloned()))
}

pub(crate) fn timer_set(name: &str, delay: Duration, payload: &[u8]) -> Result<()> {
    effect(Effect::SetTimer {
        name: name.to_owned(),
        delay,
        payload: payload.to_owned(),
    })
}

pub(crate) fn timer_cancel(name: &str) -> Result<()> {
    effect(Effect::CancelTimer {
        name: name.to_owned(),
    })
}

pub(crate) fn log(level: Level, message: &str) {
    with_world(|world| world.logs.push((level, message.to_owned())));
}

fn effect(effect: Effect) -> Result<()> {
    with_call(|call| {
        call.effects.push(effect);
        Ok(())
    })
}

fn check_token(token: &str) -> Result<()> {
    if token.len() <= 256 {
        Ok(())
    } else {
        Err(Error::Invalid(
            "the ack's token is longer than 256 bytes".to_owned(),
        ))
    }
}

fn check_rooms(rooms: &[String]) -> Result<()> {
    match rooms.iter().find(|room| room.is_empty() || room.len() > 256) {
        Some(room) => Err(Error::Invalid(format!(
            "a room's name has 1 to 256 bytes, this one {}",
            room.len()
        ))),
        None => Ok(()),
    }
}
