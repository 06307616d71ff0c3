//! The transport over real TCP, byte by byte: hub, embedded backplane and accept loop as in the product, an app of
//! closures. What is expected was measured at the reference server, socket.io 4.8.4, unless a test says otherwise.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    clippy::needless_pass_by_value,
    reason = "tests fail by panicking, and transcripts are long"
)]

mod cluster;
mod node;
mod peer;

mod amid;
mod carry;
mod close;
mod cors;
mod cve;
mod forward;
mod http;
mod limits;
mod places;
mod polling;
mod seal;
mod secure;
mod upgrade;
