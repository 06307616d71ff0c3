use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use compact::Moment;

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
    pub(crate) until: Moment,
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
    pub(crate) fn handle_attachment(
        &mut self,
        attachment: Bytes,
        now: Instant,
    ) -> Result<Option<Output>, Violation> {
        let Some(mut partial) = self.partial.take() else {
            return Err(Violation::AttachmentUnannounced);
        };
        assert!(
            partial.attachments.len() < partial.expected,
            "complete packets are not kept"
        );
        partial.attachments.push(attachment);
        if partial.attachments.len() < partial.expected {
            partial.until = (now + ATTACHMENT_WAIT).into();
            self.partial = Some(partial);
            Ok(None)
        } else {
            let Partial {
                head,
                inner,
                attachments,
                ..
            } = *partial;
            Ok(self.delivered(head, EventData::checked(inner, attachments)))
        }
    }

    pub(crate) fn delivered(&self, head: Head, data: EventData) -> Option<Output> {
        match head {
            // The server may have left the namespace between a packet and its last attachment.
            Head::Event { namespace, ack } if self.is_joined(&namespace) => {
                Some(Output::Event { namespace, ack, data })
            }
            Head::Ack { namespace, id } if self.is_joined(&namespace) => {
                Some(Output::Ack { namespace, id, data })
            }
            Head::Event { .. } | Head::Ack { .. } | Head::Late => None,
        }
    }
}
