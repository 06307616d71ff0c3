//! Which headers go on to the next hop, and which do not.
use http::{HeaderMap, HeaderName, header};

/// Drops what nodes say to each other: from clients it would be a lie, and apps need not see it.
pub(crate) fn drop_ours(headers: &mut HeaderMap) {
    if !headers.keys().any(is_ours) {
        return;
    }
    let ours: Vec<_> = headers.keys().filter(|name| is_ours(name)).cloned().collect();
    for name in ours {
        headers.remove(name);
    }
}

/// What is for the other end (RFC 9110 §7.6.1), without what describes a body's framing (made anew) and
/// `Expect` (answered by whoever reads the body).
pub(super) fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let named: Vec<_> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    let mut kept = HeaderMap::with_capacity(headers.len() + OURS);
    for (name, value) in headers {
        let is_named = named.iter().any(|named| named == name.as_str());
        if !is_named && !HOP_BY_HOP.contains(&name.as_str()) && !is_ours(name) {
            kept.append(name, value.clone());
        }
    }
    kept
}

fn is_ours(name: &HeaderName) -> bool {
    name.as_str().starts_with("wakeline-")
}

const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
    "expect",
];
/// As many as are added.
const OURS: usize = 8;

#[cfg(test)]
mod tests;
