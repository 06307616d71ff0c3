//! Which pages may connect. Browsers send `Origin`, other clients need not: without one, nothing is refused.
use http::{HeaderMap, HeaderValue, header};

use crate::forwarded::Provenance;

/// The origins of the manifest's `[origins] allow`. Empty: only the app's own, and no CORS headers.
#[derive(Clone, Debug, Default)]
pub struct Origins(Vec<Allowed>);

/// An entry of `[origins] allow` that no browser would ever send. The app's author is at fault.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is no origin: write \"*\", \"https://chat.example.com\" or \"https://*.example.com\", without a path"
)]
pub struct InvalidOrigin(String);

/// What is to be done with a request's origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No `Origin`, or the app's own.
    Own,
    /// Another one that is allowed: the value for `Access-Control-Allow-Origin`.
    Allowed(HeaderValue),
    /// Refused with [`session::Refusal::Forbidden`].
    Foreign,
    /// More than one `Origin`, or one of odd characters: [`session::Refusal::BadRequest`].
    Malformed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Allowed {
    Any,
    Exactly(String),
    /// `https://*.example.com`: the part before the star, the part after it.
    Below(String, String),
}

impl Origins {
    pub fn parse(entries: &[String]) -> Result<Self, InvalidOrigin> {
        let allowed = |entry: &String| Allowed::parse(entry).ok_or_else(|| InvalidOrigin(entry.clone()));
        Ok(Self(entries.iter().map(allowed).collect::<Result<_, _>>()?))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn judge(&self, headers: &HeaderMap, at: &Provenance) -> Verdict {
        let mut lines = headers.get_all(header::ORIGIN).iter();
        let Some(value) = lines.next() else {
            return Verdict::Own;
        };
        let Ok(origin) = value.to_str() else {
            return Verdict::Malformed;
        };
        if lines.next().is_some() || origin.bytes().any(|b| b == b' ' || b == b'\t') {
            return Verdict::Malformed;
        }
        let origin = origin.to_ascii_lowercase();
        let mut any = false;
        for allowed in &self.0 {
            match allowed {
                Allowed::Any => any = true,
                Allowed::Exactly(one) if *one == origin => return Verdict::Allowed(value.clone()),
                Allowed::Below(before, after) if is_below(&origin, before, after) => {
                    return Verdict::Allowed(value.clone());
                }
                Allowed::Exactly(_) | Allowed::Below(..) => {}
            }
        }
        if is_own(&origin, at) {
            Verdict::Own
        } else if any {
            Verdict::Allowed(HeaderValue::from_static("*"))
        } else {
            Verdict::Foreign
        }
    }
}

impl Allowed {
    fn parse(entry: &str) -> Option<Self> {
        let entry = entry.trim().to_ascii_lowercase();
        match entry.as_str() {
            "*" => return Some(Self::Any),
            "null" => return Some(Self::Exactly(entry)),
            _ => {}
        }
        let (scheme, host) = entry.split_once("://")?;
        let odd = |b: u8| !(b.is_ascii_alphanumeric() || b"-._:[]*".contains(&b));
        if scheme.is_empty() || host.is_empty() || host.bytes().any(odd) {
            return None;
        }
        match host.split_once('*') {
            None => Some(Self::Exactly(entry)),
            Some(("", after)) if after.starts_with('.') && after.len() > 1 && !after.contains('*') => {
                Some(Self::Below(format!("{scheme}://"), after.to_owned()))
            }
            Some(_) => None,
        }
    }
}

/// The star stands for one label or more, never for none and never for more than a host's characters.
fn is_below(origin: &str, before: &str, after: &str) -> bool {
    let labels = origin
        .strip_prefix(before)
        .and_then(|rest| rest.strip_suffix(after));
    labels.is_some_and(|labels| {
        !labels.is_empty()
            && !labels.starts_with('.')
            && labels
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_' || b == b'.')
    })
}

/// Same host and port. The scheme counts only where it is known: a proxy that ends TLS and is not in the list of
/// trusted ones hides it.
fn is_own(origin: &str, at: &Provenance) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else {
        return false;
    };
    let Some(host) = at.host.as_deref() else {
        return false;
    };
    let default = match scheme {
        "http" if at.secure != Some(true) => ":80",
        "https" if at.secure != Some(false) => ":443",
        _ => return false,
    };
    let host = host.to_ascii_lowercase();
    let bare = |authority: &str| authority.strip_suffix(default).unwrap_or(authority).to_owned();
    bare(authority) == bare(&host)
}

#[cfg(test)]
mod tests;
