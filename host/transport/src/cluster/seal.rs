//! How a node knows that a request is from another, and what that one says of the client.
//!
//! `wakeline-forward: v1 <unix ms> <nonce> <hex HMAC-SHA256>` seals the method, the path with its query and the headers of
//! [`SEALED`], each with its length before it so that nothing can be moved between them. Bodies of posts and what
//! WebSockets carry are not sealed, and nothing is hidden: the network between nodes is to be trusted that far, as whoever
//! reads it has the ids of all sessions. For the same reason a request that is sent twice within [`SKEW_MAX`] is
//! not told from two.
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, Mac};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use sha2::Sha256;

use super::{ClusterKey, Peering, headers::drop_ours};
use crate::{
    forwarded::Provenance,
    respond::{Answer, error},
};

/// What the other node says of a request that it forwards.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) app: String,
    /// The client's body was larger than the app allows; it is not there.
    pub(crate) is_oversized: bool,
    /// SHA-256 of a question, in hex.
    pub(crate) digest: Option<HeaderValue>,
}

/// Why a request is not taken for another node's. Its sender learns nothing of this.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Unsealed {
    #[error("it is not from a node, or from one of another version")]
    Unreadable,
    #[error(
        "it was sealed {skew_ms} ms from now: set the nodes' clocks by NTP, they must agree within a minute"
    )]
    Stale { skew_ms: u64 },
    #[error("its seal is wrong: give all nodes the same cluster key")]
    Forged,
}

/// Checks the seal, then takes all of what nodes say to each other out of the headers. The provenance is the client's, not
/// the node's.
pub(crate) fn admit(
    peering: &Peering,
    method: &Method,
    target: &str,
    headers: &mut HeaderMap,
) -> Result<(Provenance, Sent), Unsealed> {
    verify(&peering.key, method, target, headers, unix_ms())?;
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let address = text(&CLIENT).and_then(|address| address.parse().ok());
    let at = Provenance {
        address: address.ok_or(Unsealed::Unreadable)?,
        host: text(&HOST).map(str::to_owned),
        secure: match text(&SCHEME) {
            Some("https") => Some(true),
            Some("http") => Some(false),
            _ => None,
        },
    };
    let sent = Sent {
        app: text(&APP).unwrap_or_default().to_owned(),
        is_oversized: headers.contains_key(&OVERSIZED),
        digest: headers.get(&DIGEST).cloned(),
    };
    drop_ours(headers);
    Ok((at, sent))
}

/// Says whom a request is from, to be sealed next.
pub(super) fn describe(headers: &mut HeaderMap, at: &Provenance, app: &str) {
    let mut say = |name: HeaderName, value: &str| {
        // What a header cannot hold, no host or app is named.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    say(CLIENT, &at.address.to_string());
    match at.secure {
        Some(true) => say(SCHEME, "https"),
        Some(false) => say(SCHEME, "http"),
        None => {}
    }
    if let Some(host) = &at.host {
        say(HOST, host);
    }
    say(APP, app);
}

/// The last thing done to a request's head. `target`: path and query.
pub(super) fn seal(key: &ClusterKey, method: &Method, target: &str, headers: &mut HeaderMap) {
    seal_at(key, method, target, headers, unix_ms());
}

fn seal_at(key: &ClusterKey, method: &Method, target: &str, headers: &mut HeaderMap, now_ms: u64) {
    let mut nonce = [0; 16];
    if getrandom::fill(&mut nonce).is_err() {
        unreachable!("the operating system gives no random numbers");
    }
    let nonce = hex(&nonce);
    let time = now_ms.to_string();
    let mac = mac(key, method, target, headers, &time, &nonce);
    let line = format!("v1 {time} {nonce} {}", hex(&mac.finalize().into_bytes()));
    if let Ok(line) = HeaderValue::from_str(&line) {
        headers.insert(SEAL, line);
    }
}

fn verify(
    key: &ClusterKey,
    method: &Method,
    target: &str,
    headers: &HeaderMap,
    now_ms: u64,
) -> Result<(), Unsealed> {
    let line = headers.get(&SEAL).and_then(|line| line.to_str().ok());
    let mut words = line.ok_or(Unsealed::Unreadable)?.split(' ');
    let (Some("v1"), Some(time), Some(nonce), Some(seal), None) = (
        words.next(),
        words.next(),
        words.next(),
        words.next(),
        words.next(),
    ) else {
        return Err(Unsealed::Unreadable);
    };
    let seal = unhex(seal).ok_or(Unsealed::Unreadable)?;
    mac(key, method, target, headers, time, nonce)
        .verify_slice(&seal)
        .map_err(|_| Unsealed::Forged)?;
    let time: u64 = time.parse().map_err(|_| Unsealed::Unreadable)?;
    let skew_ms = now_ms.abs_diff(time);
    if skew_ms > SKEW_MAX.as_millis() as u64 {
        return Err(Unsealed::Stale { skew_ms });
    }
    Ok(())
}

fn mac(
    key: &ClusterKey,
    method: &Method,
    target: &str,
    headers: &HeaderMap,
    time: &str,
    nonce: &str,
) -> Hmac<Sha256> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key.0) else {
        unreachable!("HMAC takes keys of any length");
    };
    let mut put = |bytes: &[u8]| {
        mac.update(&(bytes.len() as u64).to_le_bytes());
        mac.update(bytes);
    };
    for part in ["v1", method.as_str(), target, time, nonce] {
        put(part.as_bytes());
    }
    for name in SEALED {
        let values = headers.get_all(&name);
        put(&(values.iter().count() as u64).to_le_bytes());
        for value in values {
            put(value.as_bytes());
        }
    }
    mac
}

/// The whole answer to a request that is not from a node.
pub(crate) fn unauthorised(why: Unsealed) -> Answer {
    match why {
        Unsealed::Unreadable => tracing::debug!(%why, "request refused at the nodes' listener"),
        Unsealed::Stale { .. } | Unsealed::Forged => {
            tracing::warn!(%why, "request refused at the nodes' listener");
        }
    }
    let message = "this listener is for the nodes of the cluster";
    error(StatusCode::UNAUTHORIZED, "unauthorised", message)
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    pairs
        .iter()
        .map(|[high, low]| Some((digit(high)? << 4 | digit(low)?) as u8))
        .collect()
}

const SEAL: HeaderName = HeaderName::from_static("wakeline-forward");
const CLIENT: HeaderName = HeaderName::from_static("wakeline-client");
/// `http` or `https`; absent where it is not known.
const SCHEME: HeaderName = HeaderName::from_static("wakeline-scheme");
const HOST: HeaderName = HeaderName::from_static("wakeline-host");
const APP: HeaderName = HeaderName::from_static("wakeline-app");
pub(super) const OVERSIZED: HeaderName = HeaderName::from_static("wakeline-oversized");
pub(super) const DIGEST: HeaderName = HeaderName::from_static("wakeline-digest");
/// The page a request is from counts as part of whom it is from: who may connect is judged by it.
const SEALED: [HeaderName; 7] = [CLIENT, SCHEME, HOST, APP, OVERSIZED, DIGEST, http::header::ORIGIN];
/// Between two nodes' clocks, the way of the request included.
const SKEW_MAX: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
