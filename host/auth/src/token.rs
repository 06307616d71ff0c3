use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, de::IgnoredAny};

use crate::Rejection;

/// A token taken apart (RFC 7515 §7.1, compact serialisation), and nothing of it believed.
pub(crate) struct Token<'a> {
    pub(crate) head: Head,
    /// What is signed.
    pub(crate) message: &'a [u8],
    pub(crate) signature: Vec<u8>,
    payload: &'a str,
}

/// As far as it is of use. A name that is there twice is an error. What it has of keys and URLs (`jwk`, `jku`, `x5u`) is
/// not read.
#[derive(Deserialize)]
pub(crate) struct Head {
    pub(crate) alg: String,
    pub(crate) kid: Option<String>,
    /// What whoever checks the token must understand: we understand none of it.
    crit: Option<IgnoredAny>,
}

/// Longer tokens are none: nothing of them is read. As much as a request's head may have.
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;

impl<'a> Token<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, Rejection> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err(Rejection::Malformed);
        }
        Self::split(text).ok_or(Rejection::Malformed)
    }

    fn split(text: &'a str) -> Option<Self> {
        let (message, signature) = text.rsplit_once('.')?;
        let (head, payload) = message.split_once('.')?;
        let head = object(URL_SAFE_NO_PAD.decode(head).ok()?)?;
        let head: Head = serde_json::from_str(&head).ok()?;
        head.crit.is_none().then_some(Self {
            head,
            message: message.as_bytes(),
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
            payload,
        })
    }

    /// The claims as text. To be asked for once the signature is right.
    pub(crate) fn claims(&self) -> Option<String> {
        object(URL_SAFE_NO_PAD.decode(self.payload).ok()?)
    }
}

/// Text that may be a JSON object; serde would read a list as well.
fn object(bytes: Vec<u8>) -> Option<String> {
    let text = String::from_utf8(bytes).ok()?;
    text.starts_with('{').then_some(text)
}

/// The claims that the host judges. A name that is there twice is an error: the handler might read the other one.
#[derive(Deserialize)]
pub(crate) struct Claims<'a> {
    /// Seconds since 1970, with a fraction if it likes (RFC 7519 §2).
    pub(crate) exp: Option<f64>,
    pub(crate) nbf: Option<f64>,
    #[serde(borrow)]
    pub(crate) iss: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) sub: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) aud: Option<Audience<'a>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Audience<'a> {
    One(#[serde(borrow)] Cow<'a, str>),
    Many(#[serde(borrow)] Vec<Cow<'a, str>>),
}
