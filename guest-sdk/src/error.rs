use std::fmt;

/// What went wrong, and whose fault it is.
///
/// Returning an error from a handler undoes the whole call: nothing it emitted, joined, stored or answered
/// happens, the client's ack (if it waits for one) fails, and the socket stays open.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The client's argument is not what the handler expects. The client is at fault.
    Argument {
        /// The event's name.
        event: String,
        /// Counted from 1.
        position: usize,
        /// The handler's name for the argument; empty if it has none.
        name: String,
        /// What serde says of it; `None` if the argument is missing.
        source: Option<serde_json::Error>,
    },
    /// No such socket, timer or ack token.
    NotFound,
    /// The host refused an argument as malformed, and says which. The handler is at fault.
    Invalid(String),
    /// A limit of the app was reached. Says which, and its value.
    LimitExceeded(String),
    /// A value could not be written as JSON, or stored JSON is not what was expected. The handler is at fault.
    Json(serde_json::Error),
    /// The key-value store refused or could not be reached.
    Store(String),
    /// Anything else; what [`Error::msg`], strings and `?` on other errors become.
    Other(String),
}

/// A result whose error is [`Error`] unless said otherwise.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of your own.
    ///
    /// ```
    /// use wakeline_sdk::Error;
    /// assert_eq!(Error::msg("the room is full").to_string(), "the room is full");
    /// ```
    pub fn msg(message: impl fmt::Display) -> Self {
        Self::Other(message.to_string())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument {
                event,
                position,
                name,
                source,
            } => {
                write!(f, "event \"{event}\": argument {position}")?;
                if !name.is_empty() {
                    write!(f, " (`{name}`)")?;
                }
                match source {
                    Some(source) => write!(f, ": {source}"),
                    None => write!(f, " is missing"),
                }
            }
            Self::NotFound => f.write_str("not found"),
            Self::Invalid(what) => write!(f, "invalid: {what}"),
            Self::LimitExceeded(what) => write!(f, "limit exceeded: {what}"),
            Self::Json(error) => write!(f, "JSON: {error}"),
            Self::Store(what) => write!(f, "key-value store: {what}"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Argument {
                source: Some(source), ..
            }
            | Self::Json(source) => Some(source),
            _ => None,
        }
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

macro_rules! other {
    ($($type:ty),*) => { $(impl From<$type> for Error {
        fn from(error: $type) -> Self {
            Self::msg(error)
        }
    })* };
}

other!(
    &str,
    String,
    fmt::Error,
    std::num::ParseIntError,
    std::num::ParseFloatError,
    std::num::TryFromIntError,
    std::str::Utf8Error,
    std::string::FromUtf8Error,
    std::io::Error
);
