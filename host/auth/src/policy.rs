use std::{sync::Arc, time::Duration};

use crate::{Algorithm, Key};

/// What an app's manifest says of tokens (`[auth]`).
#[derive(Clone, Debug)]
pub struct Policy {
    /// Whose keys and failures these are: nothing is shared between apps.
    pub app: Arc<str>,
    /// At least one.
    pub algorithms: Vec<Algorithm>,
    /// What `iss` must be. `None`: anything.
    pub issuer: Option<String>,
    /// What `aud` must name. `None`: the token must have none (RFC 7519 §4.1.3).
    pub audience: Option<String>,
    /// How far clocks may be apart: added to `exp`, taken off `nbf`.
    pub leeway: Duration,
    pub trust: Trust,
}

/// Where the keys are from.
#[derive(Clone, Debug)]
pub enum Trust {
    /// A secret of the app, by its name: read when it is needed, since it may be set later.
    Secret(String),
    /// A public key.
    Key(Key),
    /// A set of public keys that somebody publishes.
    Jwks {
        /// As the manifest has it. Never made of anything that a client sent.
        url: String,
        /// Whether it may be at a private or loopback address.
        allow_private: bool,
    },
}

/// The manifest contradicts itself: its author is at fault.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PolicyError {
    #[error("auth.algorithms must name at least one")]
    NoAlgorithm,
    #[error("auth.algorithms must be [\"HS256\"] with a secret: public keys sign by other algorithms")]
    SecretAlgorithm,
    #[error("auth.algorithms must not have HS256 with public keys: whoever reads the key could sign")]
    PublicAlgorithm,
    #[error("auth.algorithms must be the one that auth.public_key is for")]
    KeyAlgorithm,
}

impl Policy {
    /// Whether algorithms and keys go together.
    pub fn check(&self) -> Result<(), PolicyError> {
        if self.algorithms.is_empty() {
            return Err(PolicyError::NoAlgorithm);
        }
        let has_hmac = self.algorithms.contains(&Algorithm::Hs256);
        let only = |algorithm| self.algorithms.iter().all(|allowed| *allowed == algorithm);
        match &self.trust {
            Trust::Secret(_) if !only(Algorithm::Hs256) => Err(PolicyError::SecretAlgorithm),
            Trust::Key(_) | Trust::Jwks { .. } if has_hmac => Err(PolicyError::PublicAlgorithm),
            Trust::Key(key) if !only(key.algorithm()) => Err(PolicyError::KeyAlgorithm),
            Trust::Secret(_) | Trust::Key(_) | Trust::Jwks { .. } => Ok(()),
        }
    }
}
