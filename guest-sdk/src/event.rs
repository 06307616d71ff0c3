use serde::{Serialize, de::DeserializeOwned};

use crate::{Args, FromArgs, IntoArgs, Result, args::ArgsReader, host};

/// One event, as a client sent it.
#[derive(Debug)]
pub struct Event {
    name: String,
    args: Args,
    ack: Ack,
}

impl Event {
    #[doc(hidden)]
    pub fn new(name: String, args: Args, ack: Ack) -> Self {
        Self { name, args, ack }
    }

    /// The event's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The arguments as a tuple: `let (room, text): (String, String) = event.args()?;`
    ///
    /// The error names the event and the argument that does not fit.
    pub fn args<'a, T: FromArgs<'a>>(&'a self) -> Result<T> {
        T::from_args(&mut self.reader()?)
    }

    /// The argument at `index`, counted from 0.
    pub fn arg<T: DeserializeOwned>(&self, index: usize) -> Result<T> {
        self.reader()?.nth(index)
    }

    /// The arguments as they arrived.
    pub fn raw_args(&self) -> &Args {
        &self.args
    }

    /// The arguments as they arrived, for passing on without parsing them.
    pub fn into_args(self) -> Args {
        self.args
    }

    /// Whether the client waits for an answer.
    pub fn wants_ack(&self) -> bool {
        self.ack.is_wanted()
    }

    /// Answers the event; nothing happens if the client does not wait for an answer, or has it already.
    pub fn ack(&mut self, args: impl IntoArgs) -> Result<()> {
        self.take_ack().send(args)
    }

    /// Takes the right to answer, for doing so after the event is gone.
    pub fn take_ack(&mut self) -> Ack {
        Ack {
            token: self.ack.token.take(),
        }
    }

    #[doc(hidden)]
    pub fn reader(&self) -> Result<ArgsReader<'_>> {
        self.args.reader(&self.name)
    }
}

/// The right to answer an event once.
///
/// ```
/// use wakeline_sdk::prelude::*;
///
/// struct Dice;
///
/// #[wakeline_sdk::handler]
/// impl Dice {
///     #[on("add")]
///     fn add(a: i64, b: i64, ack: Ack) -> Result<()> {
///         ack.send(a + b)
///     }
/// }
///
/// let app = wakeline_sdk::test::TestApp::new::<Dice>();
/// let client = app.connect("/")?;
/// assert_eq!(client.emit_with_ack("add", (1, 2))?, json!([3]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
#[must_use = "a client may be waiting for the answer: call `send`"]
pub struct Ack {
    token: Option<u32>,
}

impl Ack {
    #[doc(hidden)]
    pub fn new(token: Option<u32>) -> Self {
        Self { token }
    }

    /// Whether the client waits for an answer.
    pub fn is_wanted(&self) -> bool {
        self.token.is_some()
    }

    /// Sends the answer; nothing happens if the client does not wait for one.
    pub fn send(self, args: impl IntoArgs) -> Result<()> {
        match self.token {
            Some(token) => host::ack(token, args.into_args()?),
            None => Ok(()),
        }
    }
}

/// What became of an event that was sent with [`Socket::emit_with_ack`](crate::Socket::emit_with_ack).
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The client's arguments.
    Arguments(Args),
    /// No answer within the time-out, or the client left.
    TimedOut,
    /// Of [`Emitter::emit_with_acks`](crate::Emitter::emit_with_acks): what all of them answered.
    Collected(Collected),
}

/// What became of an event that was sent to many with
/// [`Emitter::emit_with_acks`](crate::Emitter::emit_with_acks).
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Collected {
    /// Socket ids and what their clients answered, in no order.
    pub answers: Vec<(String, Args)>,
    /// Ids of sockets that were asked and did not answer in time.
    pub missing: Vec<String>,
    /// Nodes that did not say in time what their sockets answered.
    pub missing_nodes: Vec<String>,
}

impl Collected {
    /// The answers as tuples, of those whose arguments are such.
    pub fn args<'a, T: FromArgs<'a>>(&'a self) -> impl Iterator<Item = (&'a str, T)> {
        let parsed = |(id, args): &'a (String, Args)| Some((id.as_str(), args.parse().ok()?));
        self.answers.iter().filter_map(parsed)
    }
}

impl Answer {
    /// The client's arguments as a tuple; `None` if it did not answer.
    pub fn args<'a, T: FromArgs<'a>>(&'a self) -> Result<Option<T>> {
        match self {
            Self::Arguments(args) => args.parse().map(Some),
            Self::TimedOut | Self::Collected(_) => Ok(None),
        }
    }

    /// What many clients answered; `None` if one was asked.
    pub fn collected(self) -> Option<Collected> {
        match self {
            Self::Collected(collected) => Some(collected),
            Self::Arguments(_) | Self::TimedOut => None,
        }
    }
}

/// What the returned value of an `#[on]` function becomes: nothing if the client does not wait.
#[doc(hidden)]
pub fn answer(ack: Ack, value: impl Serialize) -> Result<()> {
    if ack.is_wanted() { ack.send(&value) } else { Ok(()) }
}
