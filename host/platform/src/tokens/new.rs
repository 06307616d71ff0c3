use std::time::Duration;

use super::{Scope, TokenInfo, fill};
use crate::{PlatformError, platform::now_ms};

/// What a new token is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewToken {
    /// Says what it is for; 1 to 100 bytes.
    pub name: String,
    /// At least one for an app's, none for an operator's, which has all.
    pub scopes: Vec<Scope>,
    /// `None`: it is valid until it is revoked.
    pub expires_in: Option<Duration>,
}

const NAME_BYTES_MAX: usize = 100;

impl NewToken {
    pub(super) fn checked(self, app: Option<&str>, by: &str) -> Result<TokenInfo, PlatformError> {
        let name_ok = (1..=NAME_BYTES_MAX).contains(&self.name.len());
        if !name_ok || self.name.chars().any(char::is_control) {
            return Err(PlatformError::invalid(format!(
                "a token's name has 1 to {NAME_BYTES_MAX} bytes without control characters"
            )));
        }
        let mut scopes = self.scopes;
        scopes.sort_unstable();
        scopes.dedup();
        match app {
            Some(_) if scopes.is_empty() => {
                return Err(PlatformError::invalid(
                    "an app's token has at least one of the scopes read, logs, emit, deploy, secrets, admin",
                ));
            }
            None if !scopes.is_empty() => {
                return Err(PlatformError::invalid(
                    "an operator's token allows everything: leave scopes out, or make a token of an app",
                ));
            }
            _ => {}
        }
        let mut id = [0; 6];
        fill(&mut id)?;
        let created_at_ms = now_ms();
        let ends = |within: Duration| {
            created_at_ms.saturating_add(u64::try_from(within.as_millis()).unwrap_or(u64::MAX))
        };
        Ok(TokenInfo {
            id: id
                .iter()
                .fold(String::new(), |text, byte| text + &format!("{byte:02x}")),
            name: self.name,
            scopes,
            created_at_ms,
            expires_at_ms: self.expires_in.map(ends),
            by: by.to_owned(),
        })
    }
}
