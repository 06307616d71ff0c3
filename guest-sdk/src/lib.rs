#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests"))]
#[allow(unused_extern_crates, reason = "the macros name the crate")]
extern crate self as wakeline_sdk;

mod args;
mod bytes;
mod emit;
mod error;
mod event;
mod handler;
mod handshake;
mod host;
mod migration;
mod push;
mod socket;

pub mod config;
pub mod kv;
pub mod log;
#[cfg(not(target_arch = "wasm32"))]
pub mod test;
pub mod timers;

#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod bindings;

pub use crate::{
    args::{Args, FromArgs, IntoArgs},
    bytes::Bytes,
    emit::{Emitter, FetchedSockets, IntoRooms, Io, RemoteSocket, io},
    error::{Error, Result},
    event::{Ack, Answer, Collected, Event},
    handler::Handler,
    handshake::{DisconnectReason, Handshake, Refusal},
    migration::Migration,
    push::Push,
    socket::Socket,
};
pub use serde_json::{self, Value, json};
pub use wakeline_sdk_macros::handler;

#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub use crate::host::Guest;
#[doc(hidden)]
pub use crate::{
    args::ArgsReader,
    event::answer as __answer,
    handler::{unhandled, unhandled_push, uses as __uses},
    migration::to_state as __to_state,
};
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub use wit_bindgen;

/// What most handlers use: `use wakeline_sdk::prelude::*;`
pub mod prelude {
    pub use crate::{
        Ack, Answer, Args, Bytes, Collected, DisconnectReason, Error, Event, Handler, Handshake, Migration,
        Push, Refusal, Result, Socket, Value, debug, error, info, io, json, log::Level, timers::Timer, warn,
    };
    pub use serde::{Deserialize, Serialize};
}
