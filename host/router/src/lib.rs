//! Who gets what, without input or output: the words of the handler contract ([`Call`], [`Effect`]), rooms
//! ([`Membership`]), and which packets of the log were meant for a socket ([`replay`]).
mod call;
mod delivery;

pub use call::{
    AckOutcome, AckToken, Call, CallKind, DisconnectReason, Effect, Failure, Handshake, Refusal, SocketView, Target,
};
pub use delivery::{Action, Delivery, Epoch, Position, Room};
