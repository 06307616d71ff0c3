use bytes::Bytes;

/// Arguments of an event or an ack as they travel: the JSON array's text, and the attachments that its
/// `{"_placeholder":true,"num":N}` objects number.
///
/// The host never parses arguments: it splits off the name and passes the rest through. Cloning shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventData {
    /// Inner text of a JSON array, without its brackets, valid UTF-8: `"say",{"text":"hi"}`.
    inner: Bytes,
    attachments: Vec<Bytes>,
}

/// Why arguments given by a handler (not by a client) cannot be sent. The handler is at fault.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DataError {
    /// `args` is not a JSON array.
    #[error("args must be a JSON array: {0}")]
    NotAnArray(String),
    /// A placeholder names an attachment that is not there, or one attachment has no placeholder.
    #[error("args have {placeholders} placeholders for {attachments} attachments")]
    Attachments { placeholders: usize, attachments: usize },
}
