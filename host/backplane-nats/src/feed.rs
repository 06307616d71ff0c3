use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_nats::{
    Message, StatusCode, Subscriber,
    header::NATS_LAST_CONSUMER,
    jetstream::{
        Context, Message as StreamedMessage,
        consumer::{AckPolicy, DeliverPolicy, push},
    },
};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::time::timeout;

use crate::{hedge::hedged, names::random};

/// A stream's messages in order, pushed by a consumer of our own that nobody acknowledges to.
///
/// What async-nats has for this makes its consumers anew by itself and from the start of the stream if nothing had
/// been delivered; here whoever reads decides where to go on and looks first whether the stream still is what it was.
pub(crate) struct Feed {
    messages: Subscriber,
    context: Context,
    stream: String,
    consumer: String,
    /// Of the last message delivered: they are counted without gaps.
    delivered: u64,
}

pub(crate) enum Fed {
    Message(FedMessage),
    /// Nothing to deliver for a heartbeat's time.
    Idle,
}

pub(crate) struct FedMessage {
    pub(crate) sequence: u64,
    pub(crate) subject: String,
    pub(crate) payload: Bytes,
    /// Since the server stored it, by our clock and its own: 0 where they disagree.
    pub(crate) age: Duration,
    /// Messages that the consumer has left to deliver.
    pub(crate) pending: u64,
}

/// The feed is over; make another.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FeedError {
    #[error("consumer cannot be made: {0}")]
    Refused(String),
    #[error("no heartbeat")]
    Silent,
    #[error("deliveries were lost on the way")]
    Lost,
    #[error("subscription ended")]
    Ended,
}

impl Feed {
    /// `filter` empty: all subjects.
    pub(crate) async fn open(
        context: &Context,
        stream: &str,
        start: DeliverPolicy,
        filter: String,
    ) -> Result<Self, FeedError> {
        hedged(OVERDUE, || {
            Self::open_once(context, stream, start, filter.clone())
        })
        .await
    }

    async fn open_once(
        context: &Context,
        stream: &str,
        start: DeliverPolicy,
        filter: String,
    ) -> Result<Self, FeedError> {
        let refused = |cause: String| FeedError::Refused(cause);
        let inbox = context.client().new_inbox();
        let messages = context.client().subscribe(inbox.clone()).await;
        let feed = Self {
            messages: messages.map_err(|error| refused(error.to_string()))?,
            context: context.clone(),
            stream: stream.to_owned(),
            // Ours, so that a consumer whose making was not answered can be deleted too.
            consumer: format!("w{:016x}", random()),
            delivered: 0,
        };
        let config = push::Config {
            name: Some(feed.consumer.clone()),
            deliver_subject: inbox,
            deliver_policy: start,
            filter_subject: filter,
            ack_policy: AckPolicy::None,
            max_deliver: 1,
            flow_control: true,
            idle_heartbeat: HEARTBEAT,
            num_replicas: 1,
            memory_storage: true,
            inactive_threshold: FORGOTTEN_AFTER,
            ..push::Config::default()
        };
        let made = context.create_consumer_on_stream(config, stream).await;
        made.map_err(|error| refused(error.to_string()))?;
        Ok(feed)
    }

    pub(crate) async fn next(&mut self) -> Result<Fed, FeedError> {
        loop {
            let message = timeout(HEARTBEAT * 3, self.messages.next()).await;
            let message = message.map_err(|_| FeedError::Silent)?.ok_or(FeedError::Ended)?;
            match message.status {
                None => return self.message(message).map(Fed::Message),
                Some(StatusCode::IDLE_HEARTBEAT) => {
                    if self.beat(&message).await? {
                        return Ok(Fed::Idle);
                    }
                }
                Some(_) => return Err(FeedError::Lost),
            }
        }
    }

    fn message(&mut self, message: Message) -> Result<FedMessage, FeedError> {
        let message = StreamedMessage {
            message,
            context: self.context.clone(),
        };
        let info = message.info().map_err(|_| FeedError::Lost)?;
        if info.consumer_sequence != self.delivered + 1 {
            return Err(FeedError::Lost);
        }
        self.delivered = info.consumer_sequence;
        let age = age(info.published.unix_timestamp_nanos());
        let (sequence, pending) = (info.stream_sequence, info.pending);
        Ok(FedMessage {
            sequence,
            age,
            pending,
            subject: message.subject.to_string(),
            payload: message.message.payload,
        })
    }

    /// Whether the consumer is idle; else the server asked how far we are, which we answer when we get there.
    async fn beat(&mut self, message: &Message) -> Result<bool, FeedError> {
        let header = |name: &str| Some(message.headers.as_ref()?.get_last(name)?.as_str().to_owned());
        if header(NATS_LAST_CONSUMER.as_ref())
            .and_then(|last| last.parse::<u64>().ok())
            .is_some_and(|last| last != self.delivered)
        {
            return Err(FeedError::Lost);
        }
        let stalled = header("Nats-Consumer-Stalled");
        let asked = message.reply.as_ref().map(ToString::to_string).or(stalled);
        let Some(subject) = asked else {
            return Ok(true);
        };
        let answered = self.context.client().publish(subject, Bytes::new()).await;
        answered.map_err(|_| FeedError::Ended)?;
        Ok(false)
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let (context, stream, consumer) = (self.context.clone(), self.stream.clone(), self.consumer.clone());
        // Without a runtime the server forgets it by itself.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let _ = context.delete_consumer_from_stream(&consumer, &stream).await;
            });
        }
    }
}

pub(crate) fn age(published_unix_ns: i128) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let published = u128::try_from(published_unix_ns).unwrap_or_default();
    let age = now.as_nanos().saturating_sub(published);
    Duration::from_nanos(u64::try_from(age).unwrap_or(u64::MAX))
}

/// Shorter than for what a leader only has to look up: one time in three another has to be asked for.
const OVERDUE: Duration = Duration::from_millis(250);
const HEARTBEAT: Duration = Duration::from_secs(1);
const FORGOTTEN_AFTER: Duration = Duration::from_secs(10);
