//! The WIT as Rust types: what is imported by wasmtime's macro, what is exported by hand, since the optional
//! exports and the arguments' owners differ from what the macro makes.
use std::sync::Arc;

use router::Pairs;
use wasmtime::component::{ComponentType, Lift, Lower};

pub(crate) use self::generated::wakeline::app::types::{Error, Refusal};
pub(crate) use self::generated::{wakeline::app as wit, wasi};

mod generated {
    #![allow(
        clippy::pedantic,
        clippy::indexing_slicing,
        unreachable_pub,
        reason = "generated from the WIT"
    )]

    wasmtime::component::bindgen!({
        path: "../../guest-sdk/wit",
        world: "wakeline:app/imports",
        imports: {
            "wakeline:app/sockets.fetch-sockets": async | trappable,
            "wasi:keyvalue/store.[method]bucket.get": async | trappable,
            "wasi:keyvalue/store.[method]bucket.exists": async | trappable,
            "wasi:keyvalue/store.[method]bucket.list-keys": async | trappable,
            "wasi:keyvalue/atomics.increment": async | trappable,
            default: trappable,
        },
        with: {
            "wasi:keyvalue/store.bucket": crate::imports::keyvalue::Bucket,
        },
        trappable_error_type: {
            "wakeline:app/types.error" => crate::imports::Refused,
            "wasi:keyvalue/store.error" => crate::imports::keyvalue::KvRefused,
        },
    });
}

/// `types.socket`. Shares the strings of the call's socket.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct SocketArg {
    pub(crate) id: Arc<str>,
    pub(crate) namespace: Arc<str>,
}

/// `types.handshake`. Shares what the session read.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct HandshakeArg {
    pub(crate) auth: Option<String>,
    pub(crate) query: Pairs,
    pub(crate) headers: Pairs,
    #[component(name = "remote-address")]
    pub(crate) remote_address: String,
    pub(crate) claims: Option<String>,
}

/// `types.event`.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct EventArg {
    pub(crate) name: String,
    pub(crate) args: String,
    pub(crate) attachments: Vec<Vec<u8>>,
}

/// `types.arguments`.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct ArgumentsArg {
    pub(crate) args: String,
    pub(crate) attachments: Vec<Vec<u8>>,
}

/// `acks-handler.ack-outcome`.
#[derive(ComponentType, Lower)]
#[component(variant)]
pub(crate) enum OutcomeArg {
    #[component(name = "answered")]
    Answered(ArgumentsArg),
    #[component(name = "timed-out")]
    TimedOut,
    #[component(name = "collected")]
    Collected(CollectedArg),
}

/// `acks-handler.collected`.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct CollectedArg {
    pub(crate) answers: Vec<(Arc<str>, ArgumentsArg)>,
    pub(crate) missing: Vec<Arc<str>>,
    pub(crate) partial: Vec<String>,
}

/// `types.disconnect-reason`.
#[derive(Clone, Copy, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum ReasonArg {
    #[component(name = "client")]
    Client,
    #[component(name = "server")]
    Server,
    #[component(name = "ping-timeout")]
    PingTimeout,
    #[component(name = "transport-error")]
    TransportError,
    #[component(name = "recovery-expired")]
    RecoveryExpired,
    #[component(name = "replaced")]
    Replaced,
}

impl From<router::DisconnectReason> for ReasonArg {
    fn from(reason: router::DisconnectReason) -> Self {
        use router::DisconnectReason as From;
        match reason {
            From::Client => Self::Client,
            From::Server => Self::Server,
            From::PingTimeout => Self::PingTimeout,
            From::TransportError => Self::TransportError,
            From::RecoveryExpired => Self::RecoveryExpired,
            From::Replaced => Self::Replaced,
        }
    }
}
