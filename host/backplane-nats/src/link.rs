use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, OnceLock, atomic::Ordering::Relaxed},
    time::Duration,
};

use async_nats::{
    Client, HeaderMap,
    connection::State,
    header,
    jetstream::{
        Context,
        context::PublishErrorKind,
        message::{PublishMessage, StreamMessage},
        response::Response,
        stream::{LastRawMessageErrorKind, Stream},
    },
};
use backplane::Error;
use bytes::Bytes;
use tokio::{
    runtime::Handle,
    sync::watch,
    time::{Instant, sleep, timeout_at},
};

use crate::{
    NatsConfig,
    hedge::{OVERDUE, hedged},
    names::Names,
    stats::{Counters, count},
    streams::{Streams, is_missing_answer},
};

/// Both connections and what everyone does with them. Two, since a server cuts a client that reads too slowly as a
/// whole: what is delivered in bulk must not take answers with it.
pub(crate) struct Link {
    /// Publishes, acknowledgements, requests.
    pub(crate) control: Client,
    pub(crate) jetstream: Context,
    /// Consumers' deliveries and topics.
    pub(crate) data: Lane,
    /// Of the thread that reads logs and appends to them, if that is not the background thread.
    pub(crate) taken: OnceLock<Lane>,
    pub(crate) config: NatsConfig,
    pub(crate) names: Names,
    pub(crate) streams: Streams,
    pub(crate) counters: Arc<Counters>,
    /// Whether servers hold writers of one revision apart by themselves: those before 2.12 do not where a stream is
    /// replicated, since they look at the last message before they agree on the next.
    pub(crate) fences: bool,
    /// Of the background thread.
    pub(crate) handle: Handle,
}

/// A connection for what comes in bulk, and the thread that drives it.
pub(crate) struct Lane {
    pub(crate) client: Client,
    pub(crate) jetstream: Context,
    /// Counts returns of the connection. Events may be lost, so nobody depends on it: it only saves waiting for
    /// heartbeats that are missed.
    pub(crate) returned: watch::Receiver<u64>,
    pub(crate) handle: Handle,
}

/// A message that is stored once, however often it is sent.
pub(crate) struct Outgoing {
    pub(crate) subject: String,
    pub(crate) payload: Bytes,
    /// `Nats-Msg-Id`: the server drops what it has seen within the stream's duplicate window.
    pub(crate) id: String,
    /// `Nats-Expected-Last-Subject-Sequence`: stored only if that is the subject's last message; 0: if it has none.
    pub(crate) expected: Option<u64>,
}

/// Where a message was stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored {
    pub(crate) sequence: u64,
    /// The server had its id already.
    pub(crate) duplicate: bool,
    /// It was sent more than once, so that the one it had may be ours.
    pub(crate) retried: bool,
}

pub(crate) enum PublishError {
    /// Another message is the subject's last; or, if retried, our own is.
    WrongLast {
        retried: bool,
    },
    Unavailable(Error),
}

impl Link {
    /// Runs on the background thread, to its end even if the caller no longer waits.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let done = self.handle.spawn(work).await;
        done.unwrap_or_else(|_| Err(closed()))
    }

    pub(crate) fn is_connected(&self) -> bool {
        let connected = |client: &Client| client.connection_state() == State::Connected;
        connected(&self.control) && connected(&self.data.client) && connected(&self.logs().client)
    }

    /// What logs are read on, and appended to.
    pub(crate) fn logs(&self) -> &Lane {
        self.taken.get().unwrap_or(&self.data)
    }

    /// Bytes of a message's payload that leave room for headers and our own framing.
    pub(crate) fn payload_max(&self) -> usize {
        self.control.max_payload().saturating_sub(4096).max(4096)
    }

    /// Stores a message, trying again with the same id until `deadline`: an answer that did not come says nothing.
    pub(crate) async fn publish(
        &self,
        message: &Outgoing,
        deadline: Instant,
    ) -> Result<Stored, PublishError> {
        self.counters.in_flight.fetch_add(1, Relaxed);
        let outcome = self.publish_until(message, deadline).await;
        self.counters.in_flight.fetch_sub(1, Relaxed);
        outcome
    }

    /// Sends a message that nobody acknowledges: whether it was stored is seen when it is read. False: it was not sent.
    pub(crate) async fn send(&self, message: &Outgoing) -> bool {
        let client = &self.logs().client;
        // Into a connection that is down only goes what then waits in memory.
        client.connection_state() == State::Connected
            && client
                .publish_with_headers(
                    message.subject.clone(),
                    message.headers(),
                    message.payload.clone(),
                )
                .await
                .is_ok()
    }

    async fn publish_until(&self, message: &Outgoing, deadline: Instant) -> Result<Stored, PublishError> {
        let mut pause = PAUSE_MIN;
        let mut retried = false;
        let mut failure = "NATS is not connected".to_owned();
        loop {
            // Into a connection that is down only goes what then waits in memory.
            while self.control.connection_state() != State::Connected {
                if Instant::now() > deadline {
                    return Err(PublishError::Unavailable(Error::Unavailable(failure)));
                }
                sleep(PAUSE_MIN).await;
            }
            match timeout_at(deadline, self.publish_once(message)).await {
                Ok(Ok(ack)) => {
                    return Ok(Stored {
                        sequence: ack.sequence,
                        duplicate: ack.duplicate,
                        retried,
                    });
                }
                Ok(Err(error)) if error.kind() == PublishErrorKind::WrongLastSequence => {
                    return Err(PublishError::WrongLast { retried });
                }
                Ok(Err(error)) => {
                    // Or it has no leader: whoever looks finds out.
                    if error.kind() == PublishErrorKind::StreamNotFound {
                        self.streams.miss();
                    }
                    failure = error.to_string();
                }
                Err(_) => {}
            }
            if Instant::now() + pause >= deadline {
                return Err(PublishError::Unavailable(Error::Unavailable(failure)));
            }
            sleep(pause).await;
            pause = (pause * 2).min(PUBLISH_PAUSE_MAX);
            retried = true;
            count(&self.counters.retries);
        }
    }

    async fn publish_once(
        &self,
        message: &Outgoing,
    ) -> Result<async_nats::jetstream::publish::PublishAck, async_nats::jetstream::context::PublishError>
    {
        let publish = PublishMessage::build()
            .payload(message.payload.clone())
            .headers(message.headers());
        self.jetstream
            .send_publish(message.subject.clone(), publish)
            .await?
            .await
    }

    pub(crate) async fn stream(&self, name: &str) -> Result<Stream<()>, Error> {
        let stream = self.jetstream.get_stream_no_info(name).await;
        stream.map_err(|error| Error::Unavailable(error.to_string()))
    }

    /// The subject's last message as the stream's leader has it: a direct get may be answered by a replica that is
    /// behind, so nothing is decided by one.
    pub(crate) async fn last(&self, stream: &str, subject: &str) -> Result<Option<StreamMessage>, Error> {
        let stream = self.stream(stream).await?;
        let attempt = || async {
            match stream.get_last_raw_message_by_subject(subject).await {
                Ok(message) => Ok(Some(message)),
                Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
                Err(error) => {
                    if matches!(error.kind(), LastRawMessageErrorKind::JetStream(answer) if is_missing_answer(&answer))
                    {
                        self.streams.miss();
                    }
                    Err(error.to_string())
                }
            }
        };
        self.persevere(|| hedged(OVERDUE, attempt)).await
    }

    /// The subjects that match `filter` and have messages, as the stream's leader has them: at most 100,000.
    pub(crate) async fn subjects(&self, stream: &str, filter: &str) -> Result<Vec<String>, Error> {
        let request = serde_json::json!({ "subjects_filter": filter });
        let attempt = || async {
            let answer: Response<SubjectsOf> = self
                .jetstream
                .request(format!("STREAM.INFO.{stream}"), &request)
                .await
                .map_err(|error| error.to_string())?;
            match answer {
                Response::Ok(found) => Ok(found.state.subjects.into_keys().collect()),
                Response::Err { error } => {
                    if is_missing_answer(&error) {
                        self.streams.miss();
                    }
                    Err(error.to_string())
                }
            }
        };
        self.persevere(|| hedged(OVERDUE, attempt)).await
    }

    /// What only reads, tried again until it works or [`DEADLINE`] has passed.
    pub(crate) async fn persevere<T, F>(&self, attempt: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, String>>,
    {
        let deadline = Instant::now() + DEADLINE;
        let mut pause = PAUSE_MIN;
        loop {
            let failure = match timeout_at(deadline, attempt()).await {
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(failure)) => failure,
                Err(_) => "no answer in time".to_owned(),
            };
            if Instant::now() + pause >= deadline {
                return Err(Error::Unavailable(failure));
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}

impl Outgoing {
    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::NATS_MESSAGE_ID, self.id.as_str());
        if let Some(expected) = self.expected {
            headers.insert(header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, expected.to_string());
        }
        headers
    }
}

/// What of a stream's information is asked for.
#[derive(serde::Deserialize)]
struct SubjectsOf {
    state: Subjects,
}

#[derive(serde::Deserialize)]
struct Subjects {
    /// And how many messages they have; left out if there are none.
    #[serde(default)]
    subjects: HashMap<String, u64>,
}

impl From<PublishError> for Error {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Unavailable(error) => error,
            PublishError::WrongLast { .. } => {
                Self::Unavailable("written at the same time by someone else".into())
            }
        }
    }
}

pub(crate) fn closed() -> Error {
    Error::Unavailable("the backplane is closed".into())
}

/// After which a write answers that nothing is known: longer than a cluster takes to elect another leader (5 to 8 s).
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);
const PAUSE_MIN: Duration = Duration::from_millis(25);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// While there is no leader every attempt is refused at once: how much longer than its election ours may take.
const PUBLISH_PAUSE_MAX: Duration = Duration::from_millis(250);
