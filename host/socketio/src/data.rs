use std::borrow::Cow;

use bytes::Bytes;

use crate::{
    ATTACHMENTS_MAX,
    json::{self, Array},
    placeholders::Placeholders,
};

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
    /// A name that Socket.IO reserves: connect, `connect_error`, disconnect, disconnecting, newListener, removeListener.
    #[error("event name {0:?} is reserved")]
    Reserved(String),
}

impl EventData {
    /// An event of a handler. `args_json` is a JSON array without the name. Checks everything that a client would.
    pub fn event(name: &str, args_json: &str, attachments: Vec<Bytes>) -> Result<Self, DataError> {
        if is_reserved(name) {
            return Err(DataError::Reserved(name.to_owned()));
        }
        let args = check(args_json, &attachments)?;
        let mut inner = json::string(name);
        if !args.is_empty() {
            inner.reserve_exact(1 + args.len());
            inner.push(',');
            inner.push_str(args);
        }
        Ok(Self {
            inner: inner.into(),
            attachments,
        })
    }

    /// Arguments of an ack by a handler.
    pub fn args(args_json: &str, attachments: Vec<Bytes>) -> Result<Self, DataError> {
        let args = check(args_json, &attachments)?;
        Ok(Self {
            inner: Bytes::copy_from_slice(args.as_bytes()),
            attachments,
        })
    }

    /// From parts that were checked before (the log). `inner` must be valid UTF-8; empty text if it is not.
    pub fn from_inner(inner: Bytes, attachments: Vec<Bytes>) -> Self {
        let inner = if std::str::from_utf8(&inner).is_ok() {
            inner
        } else {
            Bytes::new()
        };
        Self { inner, attachments }
    }

    /// From parts that the decoder has just checked.
    pub(crate) fn checked(inner: Bytes, attachments: Vec<Bytes>) -> Self {
        Self { inner, attachments }
    }

    pub fn inner(&self) -> &Bytes {
        &self.inner
    }

    pub fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }

    /// The name and the remaining arguments as a JSON array's text. A numeric name is given as its digits.
    pub fn split(&self) -> (String, String) {
        let (name, rest) = json::split_first(self.text());
        let name = json::unquote(name).map_or_else(|| name.to_owned(), Cow::into_owned);
        (name, bracket(rest))
    }

    /// All of it as a JSON array's text, for acks.
    pub fn array(&self) -> String {
        bracket(self.text())
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.inner).unwrap_or_default()
    }
}

/// Names that client and server give to events of their own.
pub(crate) fn is_reserved(name: &str) -> bool {
    matches!(
        name,
        "connect" | "connect_error" | "disconnect" | "disconnecting" | "newListener" | "removeListener"
    )
}

/// The inner text of `args_json`. Without attachments nobody looks for placeholders, so neither does this.
fn check<'a>(args_json: &'a str, attachments: &[Bytes]) -> Result<&'a str, DataError> {
    let not_an_array = |error: serde_json::Error| DataError::NotAnArray(error.to_string());
    if attachments.len() > ATTACHMENTS_MAX {
        return Err(DataError::TooMany(attachments.len()));
    }
    let array = Array::parse(args_json).map_err(not_an_array)?;
    if attachments.is_empty() {
        return Ok(array.inner);
    }
    let placeholders = Placeholders::read(args_json, attachments.len()).map_err(not_an_array)?;
    if placeholders.has_illegal() || placeholders.count() != attachments.len() {
        let placeholders = placeholders.count();
        return Err(DataError::Attachments {
            placeholders,
            attachments: attachments.len(),
        });
    }
    Ok(array.inner)
}

fn bracket(inner: &str) -> String {
    let mut array = String::with_capacity(inner.len() + 2);
    array.push('[');
    array.push_str(inner);
    array.push(']');
    array
}
