use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use crate::{
    Damper, Key, KeyCache, Policy, PolicyError, Rejection, Trust, Verified,
    cache::Slot,
    check::{algorithm, check_token},
    token::Token,
};

/// Checks the tokens of one app. One a process; shared by its cores.
pub struct Verifier {
    policy: Policy,
    cache: Arc<KeyCache>,
    /// With [`Trust::Jwks`].
    slot: Option<Arc<Slot>>,
    /// Held only to count.
    damper: Mutex<Damper>,
}

impl Verifier {
    pub fn new(policy: Policy, cache: Arc<KeyCache>) -> Result<Self, PolicyError> {
        policy.check()?;
        let slot = match &policy.trust {
            Trust::Jwks { url, .. } => Some(cache.slot(&policy.app, policy.issuer.as_deref(), url)),
            Trust::Secret(_) | Trust::Key(_) => None,
        };
        Ok(Self {
            policy,
            cache,
            slot,
            damper: Mutex::default(),
        })
    }

    /// The name of the app's secret that `verify` is to be given.
    pub fn secret_name(&self) -> Option<&str> {
        match &self.policy.trust {
            Trust::Secret(name) => Some(name),
            Trust::Key(_) | Trust::Jwks { .. } => None,
        }
    }

    /// Checks the token that a client at `address` showed, if it showed one. May fetch keys; a rejection is told the later
    /// the more of them `address` has earned. `secret`: the one of that name as it is now, if it is set.
    pub async fn verify(
        &self,
        token: Option<&str>,
        address: &str,
        secret: Option<&[u8]>,
    ) -> Result<Verified, Rejection> {
        let outcome = match token {
            Some(token) => self.check(token, secret).await,
            None => Err(Rejection::Missing),
        };
        if let Err(rejection) = &outcome
            && *rejection != Rejection::Unavailable
        {
            let delay = self.damper.lock().failed(address, Instant::now());
            tracing::debug!(app = %self.policy.app, %rejection, ?delay, "a token was not taken");
            if !delay.is_zero() {
                sleep(delay).await;
            }
        }
        outcome
    }

    async fn check(&self, token: &str, secret: Option<&[u8]>) -> Result<Verified, Rejection> {
        let token = Token::parse(token)?;
        let algorithm = algorithm(&token, &self.policy)?;
        let key = match (&self.policy.trust, &self.slot) {
            (Trust::Secret(name), _) => self.shared_secret(name, secret)?,
            (Trust::Key(key), _) => key.clone(),
            (Trust::Jwks { allow_private, .. }, Some(slot)) => {
                let id = token.head.kid.as_deref();
                self.cache.key(slot, id, algorithm, *allow_private).await?
            }
            (Trust::Jwks { .. }, None) => unreachable!("`new` made it"),
        };
        check_token(&token, &key, &self.policy, now_ms())
    }

    fn shared_secret(&self, name: &str, secret: Option<&[u8]>) -> Result<Key, Rejection> {
        let key = secret.ok_or("it is not set").and_then(Key::secret);
        key.map_err(|problem| {
            tracing::warn!(app = %self.policy.app, secret = %name, %problem, "auth.hs256_secret is of no use: nobody can join");
            Rejection::Unavailable
        })
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// Milliseconds since 1970: what `exp` counts is the world's time, not ours.
fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
