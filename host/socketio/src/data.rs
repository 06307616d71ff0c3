use bytes::Bytes;

/// Arguments of an event or an ack as they travel: the JSON array's text, and the attachments that its
/// `{"_placeholder":true,"num":N}` objects number.
///
/// The host never parses arguments: it splits off the name and passes the rest through. Cloning shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventData {
    /// Inner text of a JSON array, without its brackets, valid UTF-8: `"say",{"text":"hi"}`. For acks: no name.
    inner: Bytes,
    attachments: Vec<Bytes>,
}

/// Why arguments given by a handler (not by a client) cannot be sent. The handler is at fault.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DataError {
    /// `args` is not a JSON array.
    #[error("args must be a JSON array: {0}")]
    NotAnArray(String),
    /// Placeholders and attachments do not pair up.
    #[error("args have {placeholders} placeholders for {attachments} attachments")]
    Attachments { placeholders: usize, attachments: usize },
    /// More than 10 attachments, which stock clients refuse.
    #[error("{0} attachments; at most 10 can be sent")]
    TooMany(usize),
    /// A name that Socket.IO reserves: connect, connect_error, disconnect, disconnecting, newListener, removeListener.
    #[error("event name {0:?} is reserved")]
    Reserved(String),
}

impl EventData {
    /// An event of a handler. `args_json` is a JSON array without the name. Checks everything that a client would.
    pub fn event(_name: &str, _args_json: &str, _attachments: Vec<Bytes>) -> Result<Self, DataError> { unimplemented!() }
    /// Arguments of an ack by a handler.
    pub fn args(_args_json: &str, _attachments: Vec<Bytes>) -> Result<Self, DataError> { unimplemented!() }
    /// From parts that were checked before (the log). `inner` must be valid UTF-8; empty text if it is not.
    pub fn from_inner(_inner: Bytes, _attachments: Vec<Bytes>) -> Self { unimplemented!() }
    pub fn inner(&self) -> &Bytes { &self.inner }
    pub fn attachments(&self) -> &[Bytes] { &self.attachments }
    /// The name and the remaining arguments as a JSON array's text. A numeric name is given as its digits.
    pub fn split(&self) -> (String, String) { unimplemented!() }
    /// All of it as a JSON array's text, for acks.
    pub fn array(&self) -> String { unimplemented!() }
}
