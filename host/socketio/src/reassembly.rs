use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::{
    connection::{Connection, Output},
    data::EventData,
    violation::Violation,
};

/// A binary packet whose attachments are still coming.
#[derive(Debug)]
pub(crate) struct Partial {
    pub(crate) head: Head,
    pub(crate) inner: Bytes,
    pub(crate) attachments: Vec<Bytes>,
    /// At most [`crate::ATTACHMENTS_MAX`], each at most a message: that bounds what a client can make us hold.
    pub(crate) expected: usize,
    /// When the next attachment must have come.
    pub(crate) until: Instant,
}

/// For one attachment to follow another. A client that stalls would make us hold ten messages for as long as it
/// answers pings; over a WebSocket an honest one cannot be this slow, since its pongs wait behind its attachment.
pub(crate) const ATTACHMENT_WAIT: Duration = Duration::from_secs(60);

/// Whom an event or an ack is for, apart from its arguments.
#[derive(Debug)]
pub(crate) enum Head {
    Event {
        namespace: Arc<str>,
        ack: Option<u64>,
    },
    Ack {
        namespace: Arc<str>,
        id: u64,
    },
    /// An ack in a namespace that the server left meanwhile: read to its end and dropped.
    Late,
}

impl Connection {
    pub(crate) fn handle_attachment(&mut self, attachment: Bytes, now: Instant) {
        let Some(mut partial) = self.partial.take() else {
            self.break_off(Violation::AttachmentUnannounced);
            return;
        };
        assert!(
            partial.attachments.len() < partial.expected,
            "complete packets are not kept"
        );
        partial.attachments.push(attachment);
        if partial.attachments.len() < partial.expected {
            partial.until = now + ATTACHMENT_WAIT;
            self.partial = Some(partial);
        } else {
            let Partial {
                head,
                inner,
                attachments,
                ..
            } = *partial;
            self.deliver(head, EventData::checked(inner, attachments));
        }
    }

    pub(crate) fn deliver(&mut self, head: Head, data: EventData) {
        match head {
            // The server may have left the namespace between a packet and its last attachment.
            Head::Event { namespace, ack } if self.is_joined(&namespace) => {
                self.outputs.push(Output::Event { namespace, ack, data });
            }
            Head::Ack { namespace, id } if self.is_joined(&namespace) => {
                self.outputs.push(Output::Ack { namespace, id, data });
            }
            Head::Event { .. } | Head::Ack { .. } | Head::Late => {}
        }
    }
}
