//! What a handler asks of its host, as functions. In a component they are the imports of `wit/`, elsewhere (unit
//! tests) those of [`crate::test`]. Nothing else in this crate knows which.
#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(target_arch = "wasm32")]
mod wasm;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use native::*;
#[cfg(target_arch = "wasm32")]
pub use wasm::Guest;
#[cfg(target_arch = "wasm32")]
pub(crate) use wasm::{
    ack, config_get, disconnect, emit, emit_with_ack, emit_with_acks, fetch_sockets, get_state, join,
    kv_delete, kv_exists, kv_get, kv_increment, kv_list, kv_set, leave, log, rooms_of, set_state,
    timer_cancel, timer_set,
};

use crate::RemoteSocket;

/// Sockets, the next page's cursor, nodes that did not answer.
pub(crate) type Page = (Vec<RemoteSocket>, Option<String>, Vec<String>);
