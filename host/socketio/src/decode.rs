use bytes::Bytes;

use crate::{ATTACHMENTS_MAX, violation::Violation};

/// A packet's text, split but not yet looked into: `<type>[<n>-][<nsp>,][<id>][json]`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Packet<'a> {
    pub(crate) kind: Kind,
    /// How many binary messages follow; 0 for text packets, 1 to 10 for binary ones.
    pub(crate) attachments: usize,
    pub(crate) namespace: &'a str,
    pub(crate) id: Option<u64>,
    /// JSON text, unchecked; empty if there is none.
    pub(crate) payload: &'a str,
}

/// Binary kinds are told by `attachments`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Connect,
    Disconnect,
    Event,
    Ack,
    ConnectError,
}

impl<'a> Packet<'a> {
    pub(crate) fn decode(text: &'a Bytes) -> Result<Self, Violation> {
        let text = std::str::from_utf8(text).map_err(|_| Violation::Malformed)?;
        let mut rest = text.chars();
        let (kind, binary) = match rest.next() {
            Some('0') => (Kind::Connect, false),
            Some('1') => (Kind::Disconnect, false),
            Some('2') => (Kind::Event, false),
            Some('3') => (Kind::Ack, false),
            Some('4') => (Kind::ConnectError, false),
            Some('5') => (Kind::Event, true),
            Some('6') => (Kind::Ack, true),
            _ => return Err(Violation::Malformed),
        };
        let rest = rest.as_str();
        let (attachments, rest) = if binary { attachments(rest)? } else { (0, rest) };
        let (namespace, rest) = namespace(rest);
        let (id, payload) = id(rest)?;
        Ok(Self {
            kind,
            attachments,
            namespace,
            id,
            payload,
        })
    }
}

fn attachments(text: &str) -> Result<(usize, &str), Violation> {
    let (count, rest) = text.split_once('-').ok_or(Violation::Malformed)?;
    if count.is_empty() || !count.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Violation::Malformed);
    }
    match count.parse::<usize>() {
        // The reference parser refuses it since 4.2.7: it would wait for a binary message that never comes.
        Ok(0) => Err(Violation::Malformed),
        Ok(count) if count <= ATTACHMENTS_MAX => Ok((count, rest)),
        // Digits only, so what does not fit is too large.
        Ok(_) | Err(_) => Err(Violation::TooManyAttachments),
    }
}

/// Taken literally, without a query's parsing; its comma may be missing where nothing follows.
fn namespace(text: &str) -> (&str, &str) {
    if text.starts_with('/') {
        text.split_once(',').unwrap_or((text, ""))
    } else {
        ("/", text)
    }
}

fn id(text: &str) -> Result<(Option<u64>, &str), Violation> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let Some((id, rest)) = text.split_at_checked(digits) else {
        return Err(Violation::Malformed);
    };
    if id.is_empty() {
        return Ok((None, rest));
    }
    match id.parse::<u64>() {
        Ok(id) if id <= ID_MAX => Ok((Some(id), rest)),
        Ok(_) | Err(_) => Err(Violation::Malformed),
    }
}

/// Above 2^53 - 1 clients' numbers are no longer exact.
const ID_MAX: u64 = (1 << 53) - 1;
