//! Who gets what, without input or output: the words of the handler contract ([`Call`], [`Effect`]), rooms
//! ([`Membership`]), and which packets of the log were meant for a socket ([`Stays`], [`replay`]).
mod call;
mod codec;
mod delivery;
mod limit;
mod membership;
mod stays;
mod trace;

pub use call::{
    AckOutcome, AckToken, Call, CallKind, Collected, DisconnectReason, Effect, Failure, Handshake, Pairs,
    Refusal, SocketView, Target,
};
pub use codec::DecodeError;
pub use delivery::{Action, Delivery, Epoch, Position, ReplyTo, Room};
pub use limit::{Bucket, Hits, Limit};
pub use membership::Membership;
pub use stays::{Replayed, Stays, replay};
pub use trace::Trace;
