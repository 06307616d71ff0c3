//! Integration tests: the real binary, driven by the clients that people have. A module says by which client;
//! a test's name says what is promised (`p2_…`: a promise of the design, by its number).
//!
//! Nothing here sleeps to wait: every wait is for an event, and every wait has a deadline.
#[cfg(test)]
mod harness;

#[cfg(test)]
mod auth;
#[cfg(test)]
mod chromium;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod command_line;
#[cfg(test)]
mod js;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod neighbours;
#[cfg(test)]
mod plain_websocket;
#[cfg(test)]
mod python_socketio;
#[cfg(test)]
mod suites;
#[cfg(test)]
mod tenants;
#[cfg(test)]
mod wire;
