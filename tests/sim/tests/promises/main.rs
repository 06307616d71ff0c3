//! The promises of a session, one by one, on a paused clock.
mod auth;
mod rates;
mod recovery;
mod talk;
mod token;
mod trouble;
