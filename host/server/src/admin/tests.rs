//! The listener itself, over TCP, with a node behind it.
mod description;
mod doors;
mod harness;
mod life;
