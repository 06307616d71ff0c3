//! Ids. An Engine.IO sid is a bearer secret and names its home, node and core; a Socket.IO id is public and names nothing;
//! a recovery `pid` is a secret that finds its socket.
use std::{cell::RefCell, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::record::Home;

/// Bytes of randomness in a sid and in a socket's id: 120 bits, 20 characters.
const ID_BYTES: usize = 15;
const ID_CHARS: usize = 20;
/// Bytes of a recovery secret: 128 bits, 22 characters.
pub(crate) const SECRET_BYTES: usize = 16;
const SECRET_CHARS: usize = 22;
/// A sid's first characters: process and core, 36 and 12 bits in base 64.
const HOME_CHARS: usize = 8;
const HOME_BYTES: usize = 6;
pub(crate) const INCARNATION_BITS: u32 = 36;
const SHARD_BITS: u32 = 12;
/// Cores of a process.
pub(crate) const SHARDS_MAX: usize = 1 << SHARD_BITS;

pub(crate) type Secret = [u8; SECRET_BYTES];

/// A new Engine.IO session id that names its home.
pub(crate) fn new_sid(home: Home) -> Arc<str> {
    let mut sid = String::with_capacity(HOME_CHARS + ID_CHARS);
    let number = home.incarnation << SHARD_BITS | u64::from(home.shard);
    let [_, _, bytes @ ..] = number.to_be_bytes();
    let bytes: [u8; HOME_BYTES] = bytes;
    URL_SAFE_NO_PAD.encode_string(bytes, &mut sid);
    URL_SAFE_NO_PAD.encode_string(random::<ID_BYTES>(), &mut sid);
    sid.into()
}

/// The home that a sid names, whether or not the session lives.
pub(crate) fn home_of(sid: &str) -> Option<Home> {
    if sid.len() != HOME_CHARS + ID_CHARS {
        return None;
    }
    let mut home = [0; HOME_BYTES];
    let decoded = URL_SAFE_NO_PAD.decode_slice(sid.get(..HOME_CHARS)?, &mut home);
    decoded.ok().filter(|bytes| *bytes == HOME_BYTES)?;
    let number = home.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    let shard = u16::try_from(number & (SHARDS_MAX as u64 - 1)).ok()?;
    Some(Home {
        incarnation: number >> SHARD_BITS,
        shard,
    })
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

/// Random bytes of the operating system. A session needs three pieces, and a system call for each costs more than the rest of
/// an id: so they are taken from a pool of the thread's. What was given out is not there any more.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    const { assert!(N <= POOL_BYTES, "the pool holds any piece that is asked for") }
    POOL.with_borrow_mut(|pool| {
        let mut bytes = [0; N];
        if pool.left < N {
            if getrandom::fill(&mut pool.bytes).is_err() {
                // Ids that could be guessed are worse than none: every session depends on them.
                unreachable!("the operating system gives no random numbers");
            }
            pool.left = POOL_BYTES;
        }
        let from = pool.left - N;
        if let Some(given) = pool.bytes.get_mut(from..pool.left) {
            bytes.copy_from_slice(given);
            given.fill(0);
        }
        pool.left = from;
        bytes
    })
}

const POOL_BYTES: usize = 1024;

struct Pool {
    bytes: [u8; POOL_BYTES],
    /// The first so many have not been given out.
    left: usize,
}

thread_local! {
    static POOL: RefCell<Pool> = const {
        RefCell::new(Pool {
            bytes: [0; POOL_BYTES],
            left: 0,
        })
    };
}

/// FNV-1a: spreads what is to be shared out, the same on every node. Its high bits are poor where bytes are few.
pub(crate) fn hash(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests;
