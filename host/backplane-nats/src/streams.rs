use std::{pin::pin, time::Duration};

use async_nats::jetstream::{
    Context, ErrorCode,
    context::{CreateStreamError, CreateStreamErrorKind, GetStreamErrorKind},
    stream::{Config, DiscardPolicy, Info, StorageType},
};
use backplane::Error;
use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

use crate::{
    ConnectError, NatsConfig,
    connect::REQUEST_TIMEOUT,
    hedge::{OVERDUE, hedged},
    names::Names,
};

/// What the streams are to be, and their making: at the start, and again where one is gone.
pub(crate) struct Streams {
    names: Names,
    replicas: u8,
    log_bytes_max: u64,
    /// Raised by windows that are longer. What the stream itself says counts if it is more.
    log_age: Mutex<Duration>,
    missed: Notify,
}

impl Streams {
    /// Looks how many copies there may be, by making the first stream.
    pub(crate) async fn make(context: &Context, config: &NatsConfig) -> Result<Self, ConnectError> {
        let mut streams = Self {
            names: Names::new(&config.prefix, config.partitions),
            replicas: config.replicas,
            log_bytes_max: config.log_bytes_max,
            log_age: Mutex::new(config.log_age),
            missed: Notify::new(),
        };
        if config.replicas == 0 {
            streams.replicas = streams.choose_replicas(context).await?;
        }
        for wanted in streams.all() {
            let stream = wanted.name.clone();
            streams
                .ensure(context, wanted)
                .await
                .map_err(|error| match error {
                    EnsureError::TooFewServers(cause) => ConnectError::TooFewServers {
                        replicas: streams.replicas,
                        cause,
                    },
                    EnsureError::Other(cause) => ConnectError::Stream { stream, cause },
                })?;
        }
        Ok(streams)
    }

    pub(crate) fn replicas(&self) -> u8 {
        self.replicas
    }

    /// A stream was not found, or may not be there: [`Self::keep`] looks soon.
    pub(crate) fn miss(&self) {
        self.missed.notify_one();
    }

    /// Makes streams anew that are gone, for ever: servers that lost their disks come back with none.
    pub(crate) async fn keep(&self, context: &Context) {
        loop {
            self.missed.notified().await;
            join_all(self.all().into_iter().map(|wanted| self.restore(context, wanted))).await;
            // A stream without a leader looks the same to writers; there is no hurry then.
            sleep(REQUEST_TIMEOUT).await;
        }
    }

    async fn restore(&self, context: &Context, wanted: Config) {
        let name = wanted.name.clone();
        match context.get_stream(&name).await {
            Err(error) if is_missing(&error.kind()) => {}
            _ => return,
        }
        tracing::error!(
            name,
            "nats: a stream is gone, and with it what was in it; making it anew"
        );
        if let Err(error) = create(context, wanted).await {
            tracing::error!(name, %error, "nats: the stream cannot be made");
            self.miss();
        }
    }

    /// As many as streams that are there have; three if the cluster has the servers; else one.
    async fn choose_replicas(&mut self, context: &Context) -> Result<u8, ConnectError> {
        let blobs = self.names.blob_stream();
        if let Ok(found) = context.get_stream(&blobs).await {
            return Ok(found.cached_info().config.num_replicas as u8);
        }
        // Only an attempt tells: servers may be without JetStream, down, or not advertised.
        self.replicas = 3;
        match self.ensure(context, self.blobs()).await {
            Ok(_) => Ok(3),
            Err(EnsureError::TooFewServers(cause)) => {
                tracing::info!(%cause, "nats: no three servers for three copies, so one copy");
                Ok(1)
            }
            Err(EnsureError::Other(cause)) => Err(ConnectError::Stream { stream: blobs, cause }),
        }
    }

    fn all(&self) -> Vec<Config> {
        let partitions = 0..self.names.partitions();
        let age = *self.log_age.lock();
        let logs = partitions.clone().map(|partition| self.log(partition, age));
        let buckets = partitions.map(|partition| self.kv(partition));
        logs.chain(buckets).chain([self.blobs()]).collect()
    }

    fn log(&self, partition: u16, age: Duration) -> Config {
        Config {
            name: self.names.log_stream(partition),
            subjects: vec![self.names.log_subjects(partition)],
            max_bytes: i64::try_from(self.log_bytes_max).unwrap_or(i64::MAX),
            max_age: age,
            duplicate_window: DUPLICATE_WINDOW.min(age),
            ..self.base()
        }
    }

    fn kv(&self, partition: u16) -> Config {
        Config {
            name: self.names.kv_stream(partition),
            subjects: vec![self.names.kv_subjects(partition)],
            max_messages_per_subject: 1,
            duplicate_window: DUPLICATE_WINDOW,
            ..self.base()
        }
    }

    fn blobs(&self) -> Config {
        Config {
            name: self.names.blob_stream(),
            subjects: self.names.blob_subjects(),
            max_messages_per_subject: 1,
            duplicate_window: DUPLICATE_WINDOW,
            ..self.base()
        }
    }

    fn base(&self) -> Config {
        Config {
            storage: StorageType::File,
            discard: DiscardPolicy::Old,
            num_replicas: usize::from(self.replicas.max(1)),
            allow_direct: true,
            ..Config::default()
        }
    }

    /// A log's stream, made again if it is gone.
    pub(crate) async fn log_info(&self, context: &Context, partition: u16) -> Result<Info, Error> {
        let unavailable = |cause: String| Error::Unavailable(cause);
        match hedged(OVERDUE, || context.get_stream(self.names.log_stream(partition))).await {
            Ok(stream) => Ok(stream.cached_info().clone()),
            Err(error) if is_missing(&error.kind()) => {
                tracing::error!(partition, "nats: a log's stream is gone; making it anew");
                let age = *self.log_age.lock();
                let made = self.ensure(context, self.log(partition, age)).await;
                made.map_err(|error| unavailable(error.to_string()))
            }
            Err(error) => Err(unavailable(error.to_string())),
        }
    }

    /// Lets every log keep entries for that long; never shortens.
    pub(crate) async fn raise_age(&self, context: &Context, age: Duration) -> Result<(), Error> {
        if age <= *self.log_age.lock() {
            return Ok(());
        }
        for partition in 0..self.names.partitions() {
            let updated = self.ensure(context, self.log(partition, age)).await;
            updated.map_err(|error| Error::Unavailable(error.to_string()))?;
        }
        let mut current = self.log_age.lock();
        *current = age.max(*current);
        Ok(())
    }

    async fn ensure(&self, context: &Context, wanted: Config) -> Result<Info, EnsureError> {
        let found = match context.get_stream(&wanted.name).await {
            Ok(found) => found.cached_info().clone(),
            Err(error) if is_missing(&error.kind()) => return create(context, wanted).await,
            Err(error) => return Err(EnsureError::Other(error.to_string())),
        };
        let mut config = found.config.clone();
        config.subjects = wanted.subjects;
        // Without a bound it is 0 here and -1 there: no reason for an update, which concurrent ones leave unanswered.
        if wanted.max_bytes > 0 {
            config.max_bytes = wanted.max_bytes;
        }
        // Another node may know a longer window: ages only grow.
        config.max_age = config.max_age.max(wanted.max_age);
        config.num_replicas = wanted.num_replicas;
        if config == found.config {
            return Ok(found);
        }
        let updated = context.update_stream(config).await;
        updated.map_err(|error| explain(&error))
    }
}

async fn create(context: &Context, wanted: Config) -> Result<Info, EnsureError> {
    let mut tries = 0;
    loop {
        tries += 1;
        match create_once(context, &wanted).await {
            // Old clusters forget it now and then, where several nodes ask for the same.
            Err(error) if error.kind() == CreateStreamErrorKind::TimedOut && tries < CREATE_TRIES => {}
            made => return made.map_err(|error| explain(&error)),
        }
    }
}

/// Of several nodes that make one stream at once, old clusters answer one, if that: the others look for it.
async fn create_once(context: &Context, wanted: &Config) -> Result<Info, CreateStreamError> {
    let mut appears = pin!(async {
        loop {
            sleep(LOOK).await;
            // A look that is not answered either is not waited for.
            if let Ok(Ok(found)) = timeout(LOOK, context.get_stream(&wanted.name)).await {
                return found.cached_info().clone();
            }
        }
    });
    tokio::select! {
        // Creating what another node has just created alike is no error.
        created = context.create_stream(wanted.clone()) => match created {
            Ok(stream) => Ok(stream.cached_info().clone()),
            Err(error) if error.kind() == CreateStreamErrorKind::TimedOut => {
                timeout(REQUEST_TIMEOUT, appears).await.map_err(|_| error)
            }
            Err(error) => Err(error),
        },
        found = &mut appears => Ok(found),
    }
}

#[derive(Debug, thiserror::Error)]
enum EnsureError {
    #[error("{0}")]
    TooFewServers(String),
    #[error("{0}")]
    Other(String),
}

fn explain(error: &CreateStreamError) -> EnsureError {
    match error.kind() {
        CreateStreamErrorKind::JetStream(answer)
            if [
                ErrorCode::CLUSTER_NO_PEERS,
                ErrorCode::STREAM_REPLICAS_NOT_SUPPORTED,
            ]
            .contains(&answer.error_code()) =>
        {
            EnsureError::TooFewServers(answer.to_string())
        }
        _ => EnsureError::Other(error.to_string()),
    }
}

pub(crate) fn is_missing_answer(answer: &async_nats::jetstream::Error) -> bool {
    answer.error_code() == ErrorCode::STREAM_NOT_FOUND
}

fn is_missing(kind: &GetStreamErrorKind) -> bool {
    matches!(kind, GetStreamErrorKind::JetStream(answer) if is_missing_answer(answer))
}

/// Each takes twice [`REQUEST_TIMEOUT`] at most.
const CREATE_TRIES: u32 = 4;
/// Between two looks for a stream that is being made.
const LOOK: Duration = Duration::from_millis(300);
/// How long a key, and our own retries, are known. Servers hold every id of it in memory.
const DUPLICATE_WINDOW: Duration = Duration::from_mins(2);
