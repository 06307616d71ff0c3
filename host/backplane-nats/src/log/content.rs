use std::sync::Arc;

use async_nats::jetstream::stream::{DirectGetErrorKind, LastRawMessageErrorKind};
use backplane::Error;
use bytes::{Bytes, BytesMut};
use router::Delivery;

use super::frame::{Frame, Parts, decode, deliveries};
use crate::link::Link;

/// What a message of a log means to an app.
pub(super) enum Content {
    /// Entries in their places; none for a part, and for what is not ours.
    Entries {
        deliveries: Vec<Option<Arc<Delivery>>>,
        /// Of which writing, where it has entries.
        write: Option<u64>,
    },
    /// Its parts have left the stream.
    Missing,
}

/// Fetches parts if the message names some.
pub(super) async fn content(link: &Link, stream: &str, app: &str, payload: Bytes) -> Result<Content, Error> {
    let frame = match decode(payload) {
        Some(Frame::Parts(parts)) if parts.app == app => match fetch(link, stream, &parts).await? {
            Some(whole) => decode(whole),
            None => return Ok(Content::Missing),
        },
        other => other,
    };
    Ok(match frame {
        Some(Frame::Entries(found)) if found.app == app => Content::Entries {
            deliveries: deliveries(&found.deliveries),
            write: Some(found.write),
        },
        Some(Frame::Part(_)) => Content::NONE,
        _ => {
            tracing::error!(stream, app, "nats: a message that no node of this version wrote");
            Content::NONE
        }
    })
}

impl Content {
    const NONE: Self = Self::Entries {
        deliveries: Vec::new(),
        write: None,
    };
}

async fn fetch(link: &Link, stream: &str, parts: &Parts) -> Result<Option<Bytes>, Error> {
    if parts.bytes > super::append::APPEND_BYTES_MAX as u64 + FRAME_BYTES_MAX {
        return Ok(None);
    }
    let mut whole = BytesMut::with_capacity(parts.bytes as usize);
    for &sequence in &parts.sequences {
        let Some(Frame::Part(piece)) = message(link, stream, sequence).await?.and_then(decode) else {
            return Ok(None);
        };
        whole.extend_from_slice(&piece);
        if whole.len() as u64 > parts.bytes {
            return Ok(None);
        }
    }
    Ok((whole.len() as u64 == parts.bytes).then(|| whole.freeze()))
}

/// The payload of one message. A direct get first, which carries bytes as they are; a replica that is behind may not
/// have the message yet, so the leader is asked before it is missing.
pub(crate) async fn message(link: &Link, stream: &str, sequence: u64) -> Result<Option<Bytes>, Error> {
    let stream = link.stream(stream).await?;
    let attempt = || async {
        match stream.direct_get(sequence).await {
            Ok(message) => return Ok(Some(message.payload)),
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => {}
            Err(error) => return Err(error.to_string()),
        }
        match stream.get_raw_message(sequence).await {
            Ok(message) => Ok(Some(message.payload)),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    };
    link.persevere(attempt).await
}

/// The head of a frame, and four bytes before each entry.
const FRAME_BYTES_MAX: u64 = 1 << 20;
