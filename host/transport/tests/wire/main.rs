//! The transport over real TCP, byte by byte: hub, embedded backplane and accept loop as in the product, an app of
//! closures. What is expected was measured at the reference server, socket.io 4.8.4, unless a test says otherwise.
mod node;
mod peer;

mod close;
mod cors;
mod http;
mod limits;
mod places;
mod polling;
mod secure;
mod upgrade;
