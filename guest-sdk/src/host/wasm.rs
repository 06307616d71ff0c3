use std::{marker::PhantomData, time::Duration};

use super::Page;
use crate::{
    Ack, Answer, Args, Bytes, Collected, DisconnectReason, Error, Event, Handler, Handshake, Migration, Push,
    Refusal, RemoteSocket, Result, Socket,
    bindings::{
        acks::exports::wakeline::app::acks_handler,
        app::{
            exports::wakeline::app::handler,
            wakeline::app::{sockets, timers, types},
            wasi::{
                config::store as config,
                keyvalue::{atomics, store},
                logging::logging,
            },
        },
        migration::exports::wakeline::app::migration_handler,
        push::exports::wakeline::app::push_handler,
        timers::exports::wakeline::app::timers_handler,
    },
    emit::Target,
    log::Level,
    timers::Timer,
};

/// The component's exports over a [`Handler`].
pub struct Guest<H>(PhantomData<H>);

impl<H: Handler> handler::Guest for Guest<H> {
    fn handle_connect(socket: types::Socket, handshake: types::Handshake) -> Result<(), types::Refusal> {
        let handshake = handshake_of(&socket, handshake);
        H::connect(&socket.into(), &handshake).map_err(Into::into)
    }

    fn handle_event(
        socket: types::Socket,
        event: types::Event,
        ack: Option<u32>,
    ) -> Result<(), types::Error> {
        let event = Event::new(
            event.name,
            args_from(event.args, event.attachments),
            Ack::new(ack),
        );
        H::event(&socket.into(), event).map_err(Into::into)
    }

    fn handle_disconnect(socket: types::Socket, reason: types::DisconnectReason) -> Result<(), types::Error> {
        H::disconnect(&socket.into(), reason.into()).map_err(Into::into)
    }
}

impl<H: Handler> acks_handler::Guest for Guest<H> {
    fn handle_ack(
        socket: types::Socket,
        token: String,
        outcome: acks_handler::AckOutcome,
    ) -> Result<(), types::Error> {
        let answer = match outcome {
            acks_handler::AckOutcome::Answered(args) => {
                Answer::Arguments(args_from(args.args, args.attachments))
            }
            acks_handler::AckOutcome::TimedOut => Answer::TimedOut,
            acks_handler::AckOutcome::Collected(found) => {
                let answers = found.answers.into_iter();
                let answers = answers.map(|(id, args)| (id, args_from(args.args, args.attachments)));
                Answer::Collected(Collected {
                    answers: answers.collect(),
                    missing: found.missing,
                    missing_nodes: found.partial,
                })
            }
        };
        H::ack(&socket.into(), &token, answer).map_err(Into::into)
    }
}

impl<H: Handler> timers_handler::Guest for Guest<H> {
    fn handle_timer(name: String, id: String, payload: Vec<u8>) -> Result<(), types::Error> {
        H::timer(Timer { name, id, payload }).map_err(Into::into)
    }
}

impl<H: Handler> push_handler::Guest for Guest<H> {
    fn handle_push(topic: String, payload: Vec<u8>) -> Result<(), types::Error> {
        H::push(Push { topic, payload }).map_err(Into::into)
    }
}

impl<H: Handler> migration_handler::Guest for Guest<H> {
    fn migrate(socket: types::Socket, state: Vec<u8>, from_version: u32) -> Result<Vec<u8>, types::Error> {
        H::migrate(&socket.into(), Migration { state, from_version }).map_err(Into::into)
    }
}

pub(crate) fn emit(target: Target, event: &str, args: Args, volatile: bool) -> Result<()> {
    let flags = if volatile {
        sockets::EmitFlags::VOLATILE
    } else {
        sockets::EmitFlags::empty()
    };
    Ok(sockets::emit(&target.into(), &event_of(event, args), flags)?)
}

pub(crate) fn ack(token: u32, args: Args) -> Result<()> {
    let (args, attachments) = args.into_raw();
    let args = types::Arguments {
        args,
        attachments: vecs(attachments),
    };
    Ok(sockets::ack(token, &args)?)
}

pub(crate) fn emit_with_ack(
    socket: &str,
    event: &str,
    args: Args,
    token: &str,
    timeout: Duration,
) -> Result<()> {
    Ok(sockets::emit_with_ack(
        socket,
        &event_of(event, args),
        token,
        millis(timeout)?,
    )?)
}

pub(crate) fn emit_with_acks(
    target: Target,
    event: &str,
    args: Args,
    token: &str,
    timeout: Duration,
) -> Result<()> {
    let event = event_of(event, args);
    Ok(sockets::emit_with_acks(
        &target.into(),
        &event,
        token,
        millis(timeout)?,
    )?)
}

pub(crate) fn join(target: Target, rooms: &[String]) -> Result<()> {
    Ok(sockets::join(&target.into(), rooms)?)
}

pub(crate) fn leave(target: Target, rooms: &[String]) -> Result<()> {
    Ok(sockets::leave(&target.into(), rooms)?)
}

pub(crate) fn rooms_of(socket: &str) -> Result<Vec<String>> {
    Ok(sockets::rooms_of(socket)?)
}

pub(crate) fn disconnect(target: Target, close: bool) -> Result<()> {
    Ok(sockets::disconnect(&target.into(), close)?)
}

pub(crate) fn get_state(socket: &str) -> Result<Vec<u8>> {
    Ok(sockets::get_state(socket)?)
}

pub(crate) fn set_state(socket: &str, state: &[u8]) -> Result<()> {
    Ok(sockets::set_state(socket, state)?)
}

pub(crate) fn fetch_sockets(target: &Target, cursor: Option<&str>) -> Result<Page> {
    let page = sockets::fetch_sockets(&target.clone().into(), cursor)?;
    let remote = |socket: sockets::SocketInfo| RemoteSocket {
        id: socket.id,
        rooms: socket.rooms,
        state: socket.state,
    };
    Ok((
        page.sockets.into_iter().map(remote).collect(),
        page.cursor,
        page.partial,
    ))
}

pub(crate) fn kv_get(key: &str) -> Result<Option<Vec<u8>>> {
    Ok(bucket()?.get(key)?)
}

pub(crate) fn kv_set(key: &str, value: &[u8]) -> Result<()> {
    Ok(bucket()?.set(key, value)?)
}

pub(crate) fn kv_delete(key: &str) -> Result<()> {
    Ok(bucket()?.delete(key)?)
}

pub(crate) fn kv_exists(key: &str) -> Result<bool> {
    Ok(bucket()?.exists(key)?)
}

pub(crate) fn kv_increment(key: &str, delta: u64) -> Result<u64> {
    Ok(atomics::increment(&bucket()?, key, delta)?)
}

pub(crate) fn kv_list(cursor: Option<u64>) -> Result<(Vec<String>, Option<u64>)> {
    let page = bucket()?.list_keys(cursor)?;
    Ok((page.keys, page.cursor))
}

pub(crate) fn config_get(key: &str) -> Result<Option<String>> {
    config::get(key).map_err(|error| Error::Other(format!("configuration: {error}")))
}

pub(crate) fn timer_set(name: &str, delay: Duration, payload: &[u8]) -> Result<()> {
    Ok(timers::set(name, millis(delay)?, payload)?)
}

pub(crate) fn timer_cancel(name: &str) -> Result<()> {
    match timers::cancel(name) {
        Err(types::Error::NotFound) => Ok(()),
        result => Ok(result?),
    }
}

pub(crate) fn log(level: Level, message: &str) {
    let level = match level {
        Level::Trace => logging::Level::Trace,
        Level::Debug => logging::Level::Debug,
        Level::Info => logging::Level::Info,
        Level::Warn => logging::Level::Warn,
        Level::Error => logging::Level::Error,
    };
    logging::log(level, "", message);
}

/// Opened for every use: the handle would not outlive the instance, and asking again is one cheap call.
fn bucket() -> Result<store::Bucket> {
    Ok(store::open("default")?)
}

fn millis(duration: Duration) -> Result<u32> {
    u32::try_from(duration.as_millis())
        .map_err(|_| Error::Invalid("the duration is longer than 49 days".to_owned()))
}

fn event_of(name: &str, args: Args) -> types::Event {
    let (args, attachments) = args.into_raw();
    types::Event {
        name: name.to_owned(),
        args,
        attachments: vecs(attachments),
    }
}

fn args_from(json: String, attachments: Vec<Vec<u8>>) -> Args {
    Args::from_raw(json, attachments.into_iter().map(Bytes::from).collect())
}

fn vecs(attachments: Vec<Bytes>) -> Vec<Vec<u8>> {
    attachments.into_iter().map(Bytes::into_vec).collect()
}

fn handshake_of(socket: &types::Socket, handshake: types::Handshake) -> Handshake {
    let types::Handshake {
        auth,
        query,
        headers,
        remote_address,
        claims,
    } = handshake;
    Handshake {
        namespace: socket.namespace.clone(),
        auth,
        query,
        headers,
        remote_address,
        claims,
    }
}

impl From<types::Socket> for Socket {
    fn from(types::Socket { id, namespace }: types::Socket) -> Self {
        Self::with_namespace(id, namespace)
    }
}

impl From<Refusal> for types::Refusal {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal {
                message,
                data: Some(data),
                ..
            } => Self::Custom((message, data)),
            Refusal {
                message,
                unauthorised: true,
                ..
            } => Self::Unauthorised(message),
            Refusal { message, .. } => Self::Other(message),
        }
    }
}

impl From<types::DisconnectReason> for DisconnectReason {
    fn from(reason: types::DisconnectReason) -> Self {
        match reason {
            types::DisconnectReason::Client => Self::Client,
            types::DisconnectReason::Server => Self::Server,
            types::DisconnectReason::PingTimeout => Self::PingTimeout,
            types::DisconnectReason::TransportError => Self::TransportError,
            types::DisconnectReason::RecoveryExpired => Self::RecoveryExpired,
            types::DisconnectReason::Replaced => Self::Replaced,
        }
    }
}

impl From<Target> for sockets::Target {
    fn from(target: Target) -> Self {
        let Target {
            namespace,
            rooms,
            except,
        } = target;
        Self {
            namespace,
            rooms,
            except,
        }
    }
}

impl From<types::Error> for Error {
    fn from(error: types::Error) -> Self {
        match error {
            types::Error::NotFound => Self::NotFound,
            types::Error::Invalid(what) => Self::Invalid(what),
            types::Error::LimitExceeded(what) => Self::LimitExceeded(what),
            types::Error::Failed(what) | types::Error::Other(what) => Self::Other(what),
        }
    }
}

impl From<Error> for types::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::NotFound,
            Error::Invalid(what) => Self::Invalid(what),
            Error::LimitExceeded(what) => Self::LimitExceeded(what),
            argument @ Error::Argument { .. } => Self::Invalid(argument.to_string()),
            other => Self::Failed(other.to_string()),
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self::Store(match error {
            store::Error::NoSuchStore => "there is no such store".to_owned(),
            store::Error::AccessDenied => "access denied".to_owned(),
            store::Error::Other(what) => what,
        })
    }
}
