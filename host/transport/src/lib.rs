//! Where connections end: TCP, TLS, HTTP/1.1, HTTP/2, the HTTP surface of Engine.IO, frames, the files of an app.
//! One accept loop a core, all of it on that core's thread; what a session is, [`session::Hub`] knows.
mod accept;
mod assets;
mod client;
mod cluster;
mod compress;
mod config;
mod cors;
mod direct;
mod forwarded;
mod front;
mod origin;
mod polling;
mod request;
mod respond;
mod route;
mod service;
mod stream;
mod tls;
mod upgrade;
mod websocket;

pub use accept::{Site, serve, serve_cluster};
pub use cluster::{ClusterKey, PeerWire, Peering, PeeringStats};
pub use config::{Cookie, TransportConfig, Web, WebSettings};
pub use forwarded::{InvalidProxy, TrustedProxies};
pub use origin::{InvalidOrigin, Origins};
pub use tls::{TlsError, tls_config};
