use std::{borrow::Cow, sync::Arc, time::Duration};

use jsonwebtoken::{DecodingKey, Header, Validation, errors::ErrorKind};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{Algorithm, Key, Policy, ring_provider, subject::subject};

/// Longer tokens are none: nothing of them is read. As much as a request's head may have.
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;
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

/// A token's head, as far as it may choose: which of the trusted keys.
pub(crate) struct Head {
    pub(crate) algorithm: Algorithm,
    pub(crate) key_id: Option<String>,
}

/// Reads the head of a token, and whether it can be taken at all.
pub(crate) fn head(token: &str, policy: &Policy) -> Result<Head, Rejection> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Rejection::Malformed);
    }
    // `none`, and whatever else is unknown, does not parse; which it was, is told apart for those who debug.
    let Header { alg, kid, crit, .. } =
        jsonwebtoken::decode_header(token).map_err(|error| match error.kind() {
            ErrorKind::Json(_) if names_an_algorithm(token) => Rejection::Algorithm,
            _ => Rejection::Malformed,
        })?;
    let mut allowed = policy.algorithms.iter().copied();
    let algorithm = allowed.find(|allowed| allowed.registered() == alg);
    match (algorithm, crit) {
        // RFC 7515 §4.1.11: what is critical and not understood.
        (_, Some(_)) => Err(Rejection::Malformed),
        (None, None) => Err(Rejection::Algorithm),
        (Some(algorithm), None) => Ok(Head {
            algorithm,
            key_id: kid,
        }),
    }
}

fn names_an_algorithm(token: &str) -> bool {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        #[allow(dead_code, reason = "that it is there is all")]
        alg: Cow<'a, str>,
    }
    let head = token.split('.').next().unwrap_or_default();
    let head = URL_SAFE_NO_PAD.decode(head).unwrap_or_default();
    serde_json::from_slice::<Named<'_>>(&head).is_ok()
}

/// Checks a token at `now_ms`, milliseconds since 1970, with a key of the app's.
pub fn check(token: &str, key: &Key, policy: &Policy, now_ms: u64) -> Result<Verified, Rejection> {
    let head = head(token, policy)?;
    if head.algorithm != key.algorithm {
        return Err(Rejection::Algorithm);
    }
    let claims = signed(token, key.algorithm, &key.decoding)?;
    let text = claims.get();
    // serde would read a list as well.
    let read = Some(text).filter(|text| text.starts_with('{'));
    let read: Claims<'_> = read
        .and_then(|text| serde_json::from_str(text).ok())
        .ok_or(Rejection::Malformed)?;
    let expires_at_ms = read.check(policy, now_ms)?;
    let ends = expires_at_ms.saturating_add(millis(policy.leeway));
    Ok(Verified {
        subject: subject(read.iss.as_deref(), read.sub.as_deref()),
        expires_at_ms,
        expires_in: Duration::from_millis(ends.saturating_sub(now_ms)),
        claims: text.to_owned(),
    })
}

/// The claims, if the signature is right. What they say is ours to judge, by our clock.
fn signed(token: &str, algorithm: Algorithm, key: &DecodingKey) -> Result<Box<RawValue>, Rejection> {
    ring_provider::install();
    let mut validation = Validation::new(algorithm.registered());
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    let decoded = jsonwebtoken::decode::<Box<RawValue>>(token, key, &validation);
    decoded
        .map(|data| data.claims)
        .map_err(|error| match error.kind() {
            ErrorKind::InvalidSignature => Rejection::Signature,
            ErrorKind::InvalidAlgorithm => Rejection::Algorithm,
            _ => Rejection::Malformed,
        })
}

/// The claims that the host judges. A name that is there twice is an error: the handler might read the other one.
#[derive(Deserialize)]
struct Claims<'a> {
    /// Seconds since 1970, with a fraction if it likes (RFC 7519 §2).
    exp: Option<f64>,
    nbf: Option<f64>,
    #[serde(borrow)]
    iss: Option<Cow<'a, str>>,
    #[serde(borrow)]
    sub: Option<Cow<'a, str>>,
    #[serde(borrow)]
    aud: Option<Audience<'a>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience<'a> {
    One(#[serde(borrow)] Cow<'a, str>),
    Many(#[serde(borrow)] Vec<Cow<'a, str>>),
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
