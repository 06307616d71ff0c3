use crate::ManifestErrors;

/// Why the platform did not do it.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum PlatformError {
    /// Whoever asked is at fault; nothing was changed.
    #[error("there is no app {0:?}")]
    NoApp(String),
    /// Whoever asked is at fault; nothing was changed.
    #[error("app {app:?} has no version {version}{hint}")]
    NoVersion {
        app: String,
        version: u32,
        hint: &'static str,
    },
    /// Whoever asked is at fault; nothing was changed.
    #[error("there is no such token")]
    NoToken,
    /// Whoever asked is at fault; nothing was changed.
    #[error("there is no secret {0:?}")]
    NoSecret(String),
    /// The operator is at fault; nothing was changed.
    #[error(
        "this cluster has no key for secrets: start all its nodes with the same --secrets-key-file (openssl rand -hex 32)"
    )]
    NoSecretsKey,
    /// Whoever asked is at fault; the text says what was wrong.
    #[error("{what}")]
    Invalid { what: String },
    /// The app's author is at fault; all problems are in it.
    #[error("{0}")]
    Manifest(ManifestErrors),
    /// A limit of the platform: something has to go before this can be stored.
    #[error("{what}")]
    Full { what: String },
    /// Others changed the same all the time. Ask again.
    #[error("others are changing the same; try again")]
    Conflict,
    /// The store did not answer. Ask again: what was asked for may be done or not.
    #[error("{0}; try again")]
    Unavailable(String),
    /// What is stored cannot be read: written by a newer node, or damaged.
    #[error("the record of {what} cannot be read: {reason}")]
    Damaged { what: String, reason: String },
}

impl PlatformError {
    pub(crate) fn invalid(what: impl Into<String>) -> Self {
        Self::Invalid { what: what.into() }
    }
}

impl From<backplane::Error> for PlatformError {
    fn from(error: backplane::Error) -> Self {
        match error {
            backplane::Error::Conflict { .. } => Self::Conflict,
            backplane::Error::Invalid(what) => Self::Invalid { what },
            backplane::Error::Gone | backplane::Error::Unavailable(_) => Self::Unavailable(error.to_string()),
        }
    }
}
