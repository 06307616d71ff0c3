//! The task that owns a session.
//!
//! One [`Hub`] a core, on that core's thread only; a session never leaves the core that opened it, so its path needs
//! no lock. Transports call the hub ([`Hub`], [`WsPort`]); the hub calls apps ([`App`]); [`Shards`] reaches the
//! other cores.
//!
//! A *session* is one connection and dies with it. A *socket* is a namespace joined on a session; when the
//! session dies it may stay, away, until its client recovers it on another session or its window passes.
mod adopt;
mod app;
mod auth;
mod call;
mod close;
mod collect;
mod commit;
mod connect;
mod deliver;
mod drain;
mod due;
mod homes;
mod hub;
mod identity;
mod ids;
mod kept;
mod leave;
mod line;
mod nodes;
mod open;
mod outbox;
mod peers;
mod pending;
mod place;
mod plain;
mod port;
mod rates;
mod raw;
mod record;
mod recover;
mod replay;
mod request;

mod save;
mod session;
mod shards;
mod socket;
mod sockets;
mod sorted;
mod state;
mod tasks;
mod timers;
mod token;
mod wakers;

pub use app::{App, AppEntry, AppSettings, Apps, RecoverySettings};
pub use auth::{AuthSettings, Credential, CredentialPlace, Rejection, RejectionCode, Verified, Verifier};
pub use engineio::Refusal;
pub use homes::LeftBehind;
pub use hub::Hub;
pub use nodes::{Node, Nodes, Unreachable, Wire};
pub use outbox::{Outgoing, Sink};
pub use place::Place;
pub use port::WsPort;
pub use rates::{Quota, Rates};
pub use request::{OpenRequest, Opened, PollBody, Protocol};
pub use router::{Handshake, Pairs};
pub use shards::{Shards, Work};
pub use sockets::{Page, SocketInfo};
pub use state::AppStats;
pub use tasks::{spawn_local, tasks_alive};
pub use token::TokenPlace;
