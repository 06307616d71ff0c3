//! What a component may import. Each file is one of the WIT's interfaces.
pub(crate) mod http;
pub(crate) mod keyvalue;
pub(crate) mod log;
pub(crate) mod stdio;

mod config;
mod sockets;
mod timers;

pub(crate) use sockets::check_state;
use wasmtime::component::Linker;

use crate::{
    bindings::{Error, wasi, wit},
    limits::Over,
    state::{HasState, State},
};

/// Why an import did not do what it was asked.
pub(crate) enum Refused {
    /// The guest is told.
    Error(Error),
    /// The call ends.
    Trap(wasmtime::Error),
}

pub(crate) type Answer<T> = Result<T, Refused>;

/// What may be imported, for error messages.
pub(crate) const OFFERED: &[&str] = &[
    "wakeline:app/{types,sockets,timers}@0.1.0",
    "wasi:keyvalue/{store,atomics}@0.2.0-draft",
    "wasi:config/store@0.2.0-rc.1",
    "wasi:logging/logging@0.1.0-draft",
    "wasi:http/{types,outgoing-handler}@0.2",
    "wasi:{clocks,random,io,cli,filesystem,sockets}@0.2",
];

/// The linker of every component. Files and sockets are there because toolchains import them; behind them is nothing.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    wit::types::add_to_linker::<State, HasState>(linker, |state| state)?;
    wit::sockets::add_to_linker::<State, HasState>(linker, |state| state)?;
    wit::timers::add_to_linker::<State, HasState>(linker, |state| state)?;
    wasi::keyvalue::store::add_to_linker::<State, HasState>(linker, |state| state)?;
    wasi::keyvalue::atomics::add_to_linker::<State, HasState>(linker, |state| state)?;
    wasi::config::store::add_to_linker::<State, HasState>(linker, |state| state)?;
    wasi::logging::logging::add_to_linker::<State, HasState>(linker, |state| state)?;
    Ok(())
}

impl wit::types::Host for State {
    fn convert_error(&mut self, refused: Refused) -> wasmtime::Result<Error> {
        match refused {
            Refused::Error(error) => Ok(error),
            Refused::Trap(trap) => Err(trap),
        }
    }
}

impl From<Over> for Refused {
    fn from(over: Over) -> Self {
        match over {
            Over::Refuse(text) => Self::Error(Error::LimitExceeded(text)),
            Over::Trap(hit) => Self::Trap(hit.into()),
        }
    }
}

fn invalid(text: impl Into<String>) -> Refused {
    Refused::Error(Error::Invalid(text.into()))
}
