use std::{borrow::Cow, sync::Arc, time::Duration};

use crate::{
    Algorithm, Key, Policy,
    subject::subject,
    token::{Audience, Claims, Token},
};

/// Issuer and subject are stored with each socket.
const NAME_BYTES_MAX: usize = 512;

/// What a token proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The claims, a JSON object's text as it was signed.
    pub claims: String,
    /// Who it is: the same for all tokens of one issuer about one `sub`.
    pub subject: Arc<str>,
    /// `exp`, in milliseconds since 1970.
    pub expires_at_ms: u64,
    /// From now until the token is no longer taken, leeway included.
    pub expires_in: Duration,
}

/// Why a token is not taken. The client, or who gave it the token, is at fault, except where it says otherwise. Its
/// text may be told to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("a token is needed")]
    Missing,
    #[error("the token is no JSON Web Token")]
    Malformed,
    #[error("the token is signed by an algorithm that this app does not take")]
    Algorithm,
    #[error("the token is signed with a key that this app does not know")]
    UnknownKey,
    #[error("the token's signature is wrong")]
    Signature,
    #[error("the token is of another issuer")]
    Issuer,
    #[error("the token is for another audience")]
    Audience,
    #[error("the token has no time of expiry")]
    Endless,
    #[error("the token is not valid yet")]
    TooEarly,
    #[error("the token has expired")]
    Expired,
    /// The issuer's keys cannot be had, or the app's secret is not set. Worth trying again.
    #[error("tokens cannot be checked now; try again")]
    Unavailable,
}

/// The algorithm of a token, if the app takes it.
pub(crate) fn algorithm(token: &Token<'_>, policy: &Policy) -> Result<Algorithm, Rejection> {
    let named = Algorithm::parse(&token.head.alg);
    let allowed = named.filter(|named| policy.algorithms.contains(named));
    allowed.ok_or(Rejection::Algorithm)
}

/// Checks a token at `now_ms`, milliseconds since 1970, with a key of the app's.
pub fn check(token: &str, key: &Key, policy: &Policy, now_ms: u64) -> Result<Verified, Rejection> {
    check_token(&Token::parse(token)?, key, policy, now_ms)
}

pub(crate) fn check_token(
    token: &Token<'_>,
    key: &Key,
    policy: &Policy,
    now_ms: u64,
) -> Result<Verified, Rejection> {
    if algorithm(token, policy)? != key.algorithm() {
        return Err(Rejection::Algorithm);
    }
    if !key.verify(token.message, &token.signature) {
        return Err(Rejection::Signature);
    }
    let claims = token.claims().ok_or(Rejection::Malformed)?;
    let read: Claims<'_> = serde_json::from_str(&claims).map_err(|_| Rejection::Malformed)?;
    let expires_at_ms = read.check(policy, now_ms)?;
    let ends = expires_at_ms.saturating_add(millis(policy.leeway));
    Ok(Verified {
        subject: subject(read.iss.as_deref(), read.sub.as_deref()),
        expires_at_ms,
        expires_in: Duration::from_millis(ends.saturating_sub(now_ms)),
        claims,
    })
}

impl Claims<'_> {
    /// When it expires, in milliseconds since 1970.
    fn check(&self, policy: &Policy, now_ms: u64) -> Result<u64, Rejection> {
        let long =
            |name: &Option<Cow<'_, str>>| name.as_ref().is_some_and(|name| name.len() > NAME_BYTES_MAX);
        if long(&self.iss) || long(&self.sub) {
            return Err(Rejection::Malformed);
        }
        if policy.issuer.is_some() && policy.issuer.as_deref() != self.iss.as_deref() {
            return Err(Rejection::Issuer);
        }
        let meant = match (&policy.audience, &self.aud) {
            (None, None) => true,
            (Some(us), Some(Audience::One(one))) => us == one,
            (Some(us), Some(Audience::Many(many))) => many.iter().any(|one| us == one),
            (None, Some(_)) | (Some(_), None) => false,
        };
        if !meant {
            return Err(Rejection::Audience);
        }
        let expires_at_ms = instant(self.exp.ok_or(Rejection::Endless)?)?;
        let leeway = millis(policy.leeway);
        if self.nbf.map(instant).transpose()?.unwrap_or(0) > now_ms.saturating_add(leeway) {
            return Err(Rejection::TooEarly);
        }
        if expires_at_ms.saturating_add(leeway) <= now_ms {
            return Err(Rejection::Expired);
        }
        Ok(expires_at_ms)
    }
}

/// Seconds to milliseconds. What lies beyond all calendars is as far as can be counted.
fn instant(seconds: f64) -> Result<u64, Rejection> {
    if seconds.is_finite() && seconds >= 0.0 {
        Ok((seconds * 1000.0) as u64)
    } else {
        Err(Rejection::Malformed)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
