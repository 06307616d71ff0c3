//! Ids. An Engine.IO sid is a bearer secret and names its home core; a Socket.IO id is public and names nothing;
//! a recovery `pid` is a secret that finds its socket.
use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// Bytes of randomness in a sid and in a socket's id: 120 bits, 20 characters.
const ID_BYTES: usize = 15;
const ID_CHARS: usize = 20;
/// Bytes of a recovery secret: 128 bits, 22 characters.
pub(crate) const SECRET_BYTES: usize = 16;
const SECRET_CHARS: usize = 22;
/// A sid's first characters: the core, in base 64.
const HOME_CHARS: usize = 2;
/// Cores that two base-64 characters can name.
pub(crate) const SHARDS_MAX: usize = 4096;

pub(crate) type Secret = [u8; SECRET_BYTES];

/// A new Engine.IO session id on core `shard`.
pub(crate) fn new_sid(shard: u16) -> Arc<str> {
    let mut sid = String::with_capacity(HOME_CHARS + ID_CHARS);
    // Two characters hold 12 of the 16 bits that two bytes encode to three characters.
    let home = URL_SAFE_NO_PAD.encode((shard << 4).to_be_bytes());
    sid.push_str(home.get(..HOME_CHARS).unwrap_or_default());
    URL_SAFE_NO_PAD.encode_string(random::<ID_BYTES>(), &mut sid);
    sid.into()
}

/// The core that a sid names, whether or not the session lives.
pub(crate) fn home_of(sid: &str) -> Option<u16> {
    if sid.len() != HOME_CHARS + ID_CHARS {
        return None;
    }
    let home = URL_SAFE_NO_PAD
        .decode(format!("{}A", sid.get(..HOME_CHARS)?))
        .ok()?;
    let [high, low] = home.as_slice() else { return None };
    Some(u16::from_be_bytes([*high, *low]) >> 4)
}

/// A new public socket id.
pub(crate) fn new_socket_id() -> Arc<str> {
    URL_SAFE_NO_PAD.encode(random::<ID_BYTES>()).into()
}

pub(crate) fn new_secret() -> Secret {
    random()
}

/// The `pid` of a socket: its secret, then its id, so that one string finds and proves.
pub(crate) fn pid(secret: &Secret, id: &str) -> String {
    let mut pid = URL_SAFE_NO_PAD.encode(secret);
    pid.push_str(id);
    pid
}

/// Splits a `pid` that a client sent.
pub(crate) fn parse_pid(pid: &str) -> Option<(Secret, Arc<str>)> {
    let (secret, id) = pid.split_at_checked(SECRET_CHARS)?;
    if id.len() != ID_CHARS {
        return None;
    }
    let secret = URL_SAFE_NO_PAD.decode(secret).ok()?;
    Some((secret.try_into().ok()?, id.into()))
}

/// Compares secrets in a time that does not depend on where they differ.
pub(crate) fn same_secret(a: &Secret, b: &Secret) -> bool {
    a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

/// Random bytes of the operating system.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if getrandom::fill(&mut bytes).is_err() {
        // Ids that could be guessed are worse than none: every session depends on them.
        unreachable!("the operating system gives no random numbers");
    }
    bytes
}

#[cfg(test)]
mod tests;
