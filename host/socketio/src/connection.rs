use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use compact::{Few, Moment};
use engineio::Message;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    data::{EventData, is_reserved},
    decode::{Kind, Packet},
    json::{self, Array},
    placeholders::Placeholders,
    reassembly::{ATTACHMENT_WAIT, Head, Partial},
    violation::Violation,
};

/// The Socket.IO side of one Engine.IO session: decodes, keeps the namespaces joined, times out a client that
/// joins none, or stalls within a binary packet.
#[derive(Debug)]
pub struct Connection {
    /// Nearly all clients join one.
    namespaces: Few<Namespace>,
    /// When a client that joined nothing is closed; ended by the first `accept`.
    connect_until: Option<Moment>,
    pub(crate) partial: Option<Box<Partial>>,
    broken: bool,
}

/// What the layer above is told.
#[derive(Debug, PartialEq)]
pub enum Output {
    /// A client wants to join: answer with `accept` or `remove`. Until then its events to that namespace are
    /// a protocol error, as in the reference server. Whether there is such a namespace is the caller's to know:
    /// `remove` it and send [`crate::encode::connect_error`] `Invalid namespace`.
    Connect {
        namespace: Arc<str>,
        /// JSON text of an object, as it came.
        auth: Option<String>,
        recovery: Option<RecoveryClaim>,
    },
    Event {
        namespace: Arc<str>,
        ack: Option<u64>,
        data: EventData,
    },
    /// An answer, perhaps to nothing that was asked: unknown ids are to be ignored.
    Ack {
        namespace: Arc<str>,
        id: u64,
        data: EventData,
    },
    /// The client left the namespace; it is forgotten here already.
    Disconnect { namespace: Arc<str> },
    /// The client broke the protocol, or joined no namespace in time: close the connection. Nothing follows.
    Broken(Violation),
}

/// `pid` and `offset` of a CONNECT payload: they were taken out of nothing; `auth` still has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryClaim {
    pub pid: String,
    pub offset: Option<String>,
}

#[derive(Debug)]
struct Namespace {
    name: Arc<str>,
    /// False from the client's CONNECT to the caller's `accept`.
    joined: bool,
}

impl Connection {
    pub fn new(connect_timeout: Duration, now: Instant) -> Self {
        Self {
            namespaces: Few::new(),
            connect_until: Some((now + connect_timeout).into()),
            partial: None,
            broken: false,
        }
    }

    /// What comes of a message: one output at most, so none is kept.
    #[must_use]
    pub fn handle_message(&mut self, message: Message, now: Instant) -> Option<Output> {
        if self.broken {
            return None;
        }
        let handled = match message {
            Message::Binary(attachment) => self.handle_attachment(attachment, now),
            Message::Text(_) if self.partial.is_some() => Err(Violation::AttachmentMissing),
            Message::Text(text) => self.handle_text(&text, now),
        };
        handled.unwrap_or_else(|violation| Some(self.break_off(violation)))
    }

    #[must_use]
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Output> {
        let now = Moment::from(now);
        let is_over = |until: Option<Moment>| until.is_some_and(|until| now >= until);
        if is_over(self.connect_until) {
            Some(self.break_off(Violation::ConnectTimeout))
        } else if is_over(self.attachment_until()) {
            Some(self.break_off(Violation::AttachmentLate))
        } else {
            None
        }
    }

    pub fn timeout(&self) -> Option<Moment> {
        [self.connect_until, self.attachment_until()]
            .into_iter()
            .flatten()
            .min()
    }

    /// The namespace is joined; events flow. The caller sends the CONNECT packet itself ([`crate::encode::connect`]).
    /// Nothing happens unless the client asked to join it.
    pub fn accept(&mut self, namespace: &str) {
        if let Some(found) = self.namespaces.iter_mut().find(|known| &*known.name == namespace) {
            found.joined = true;
            self.connect_until = None;
        }
    }

    /// The namespace is not joined, or left by the server. The caller sends the packet.
    pub fn remove(&mut self, namespace: &str) {
        self.namespaces.retain(|known| &*known.name != namespace);
    }

    fn attachment_until(&self) -> Option<Moment> {
        self.partial.as_ref().map(|partial| partial.until)
    }

    pub(crate) fn is_joined(&self, namespace: &str) -> bool {
        self.joined(namespace).is_some()
    }

    fn break_off(&mut self, violation: Violation) -> Output {
        assert!(!self.broken, "a connection breaks once");
        self.broken = true;
        self.connect_until = None;
        self.partial = None;
        self.namespaces = Few::new();
        Output::Broken(violation)
    }

    fn handle_text(&mut self, text: &Bytes, now: Instant) -> Result<Option<Output>, Violation> {
        let packet = Packet::decode(text)?;
        match packet.kind {
            Kind::Connect => self.handle_connect(&packet),
            Kind::Disconnect => self.handle_disconnect(&packet),
            Kind::Event => {
                let namespace = self.joined(packet.namespace).ok_or(Violation::NotJoined)?;
                let array = Array::parse(packet.payload).map_err(|_| Violation::Malformed)?;
                check_name(array.first)?;
                self.handle_arguments(
                    text,
                    &packet,
                    array.inner,
                    Head::Event {
                        namespace,
                        ack: packet.id,
                    },
                    now,
                )
            }
            Kind::Ack => {
                let id = packet.id.ok_or(Violation::Malformed)?;
                let head = self.joined(packet.namespace);
                let head = head.map_or(Head::Late, |namespace| Head::Ack { namespace, id });
                let array = Array::parse(packet.payload).map_err(|_| Violation::Malformed)?;
                self.handle_arguments(text, &packet, array.inner, head, now)
            }
            Kind::ConnectError => Err(Violation::ConnectError),
        }
    }

    fn handle_connect(&mut self, packet: &Packet<'_>) -> Result<Option<Output>, Violation> {
        let auth = match packet.payload {
            "" => None,
            payload if json::is_object(payload) => Some(payload),
            _ => return Err(Violation::Malformed),
        };
        if self
            .namespaces
            .iter()
            .any(|known| &*known.name == packet.namespace)
        {
            return Err(Violation::ConnectedTwice);
        }
        if self.namespaces.len() >= NAMESPACES_MAX {
            return Err(Violation::TooManyNamespaces);
        }
        let namespace: Arc<str> = packet.namespace.into();
        self.namespaces.push(Namespace {
            name: Arc::clone(&namespace),
            joined: false,
        });
        Ok(Some(Output::Connect {
            namespace,
            auth: auth.map(str::to_owned),
            recovery: auth.and_then(recovery_claim),
        }))
    }

    fn handle_disconnect(&mut self, packet: &Packet<'_>) -> Result<Option<Output>, Violation> {
        if !packet.payload.is_empty() {
            return Err(Violation::Malformed);
        }
        let found = self
            .namespaces
            .iter()
            .find(|known| &*known.name == packet.namespace);
        match found {
            Some(Namespace { name, joined: true }) => {
                let namespace = Arc::clone(name);
                self.remove(&namespace);
                Ok(Some(Output::Disconnect { namespace }))
            }
            // It could not know yet that it is joined. Forgetting it would let `accept` meet a later CONNECT.
            Some(Namespace { joined: false, .. }) => Err(Violation::NotJoined),
            // Both sides may leave at the same time.
            None => Ok(None),
        }
    }

    fn handle_arguments(
        &mut self,
        text: &Bytes,
        packet: &Packet<'_>,
        inner: &str,
        head: Head,
        now: Instant,
    ) -> Result<Option<Output>, Violation> {
        let inner_text = text.slice_ref(inner.as_bytes());
        if packet.attachments == 0 {
            return Ok(self.delivered(head, EventData::checked(inner_text, Vec::new())));
        }
        let placeholders = Placeholders::read(packet.payload, packet.attachments);
        if placeholders.map_err(|_| Violation::Malformed)?.has_illegal() {
            return Err(Violation::IllegalPlaceholder);
        }
        self.partial = Some(Box::new(Partial {
            head,
            inner: inner_text,
            attachments: Vec::with_capacity(packet.attachments),
            expected: packet.attachments,
            until: (now + ATTACHMENT_WAIT).into(),
        }));
        Ok(None)
    }

    fn joined(&self, namespace: &str) -> Option<Arc<str>> {
        let found = self
            .namespaces
            .iter()
            .find(|known| known.joined && &*known.name == namespace)?;
        Some(Arc::clone(&found.name))
    }
}

/// An event's first argument: a string that is not reserved, or a number.
fn check_name(first: Option<&str>) -> Result<(), Violation> {
    let name = first.ok_or(Violation::Malformed)?;
    match name.as_bytes().first() {
        Some(b'"') => {
            let name = json::unquote(name).ok_or(Violation::Malformed)?;
            if is_reserved(&name) {
                Err(Violation::ReservedName)
            } else {
                Ok(())
            }
        }
        Some(b'-' | b'0'..=b'9') => Ok(()),
        _ => Err(Violation::Malformed),
    }
}

/// `auth` is text of a JSON object. A claim without a `pid` that is a string is none.
fn recovery_claim(auth: &str) -> Option<RecoveryClaim> {
    let claim: Claim<'_> = serde_json::from_str(auth).ok()?;
    let text = |raw: &RawValue| json::unquote(raw.get()).map(Cow::into_owned);
    let pid = claim.pid.and_then(text)?;
    let offset = claim.offset.and_then(text);
    Some(RecoveryClaim { pid, offset })
}

#[derive(Deserialize)]
struct Claim<'a> {
    #[serde(borrow)]
    pid: Option<&'a RawValue>,
    #[serde(borrow)]
    offset: Option<&'a RawValue>,
}

/// Namespaces that one client may have joined or asked for.
pub(crate) const NAMESPACES_MAX: usize = 256;
