use std::{collections::HashMap, sync::Arc, time::Duration};

use backplane::{Appended, Error, Tail, Window, check_entries, check_name};
use bytes::Bytes;
use futures_util::future::try_join_all;
use parking_lot::RwLock;
use router::{Delivery, Epoch, Position};
use tokio::{
    sync::{Semaphore, oneshot},
    time::{Instant, interval, timeout},
};

use crate::{
    kv::Buckets,
    link::{DEADLINE, Link, closed},
};

use app::App;
use append::{APPEND_BYTES_MAX, Flight, Job};
use partition::Partition;

mod app;
mod append;
pub(crate) mod content;
mod epoch;
mod frame;
mod kept;
mod open;
mod partition;
mod reader;

/// Every app's log.
pub(crate) struct Logs {
    link: Arc<Link>,
    buckets: Arc<Buckets>,
    /// By number.
    partitions: Vec<Arc<Partition>>,
    /// Every app that was asked for. One costs a few hundred bytes beside what its window holds.
    apps: RwLock<HashMap<String, Arc<App>>>,
    /// KiB that appends on their way may hold.
    budget: Arc<Semaphore>,
    /// Messages sent that this node has yet to read, so that it need not be told that they are stored.
    unread: Semaphore,
}

impl Logs {
    pub(crate) async fn start(link: Arc<Link>, buckets: Arc<Buckets>) -> Result<Arc<Self>, Error> {
        let mut logs = Self {
            buckets,
            partitions: Vec::new(),
            apps: RwLock::default(),
            budget: Arc::new(Semaphore::new(BUDGET_KIB)),
            unread: Semaphore::new(UNREAD_MAX),
            link,
        };
        let numbers = 0..logs.link.names.partitions();
        // Their epochs are in what appends answer, also where nothing is read.
        let found = try_join_all(numbers.clone().map(|number| epoch::learn(&logs, number))).await?;
        logs.partitions = numbers
            .zip(found)
            .map(|(number, found)| {
                let stream = logs.link.names.log_stream(number);
                Arc::new(Partition::new(number, stream, &found))
            })
            .collect();
        let logs = Arc::new(logs);
        logs.link.handle.spawn(sweep(Arc::clone(&logs)));
        Ok(logs)
    }

    pub(crate) async fn append(
        self: Arc<Self>,
        name: String,
        entries: Vec<Arc<Delivery>>,
        key: Option<String>,
    ) -> Result<Appended, Error> {
        check_name("app", &name)?;
        key.as_ref().map_or(Ok(()), |key| check_name("key", key))?;
        check_entries(entries.iter().map(|entry| &**entry))?;
        let app = self.app(&name);
        if entries.is_empty() {
            return Ok(Appended {
                epoch: self.epoch(app.partition),
                offsets: Vec::new(),
                duplicate: false,
            });
        }
        let entries: Vec<Bytes> = entries.iter().map(|entry| entry.encode()).collect();
        let bytes: usize = entries.iter().map(Bytes::len).sum();
        if bytes > APPEND_BYTES_MAX {
            return Err(Error::Invalid(format!(
                "append of {bytes} bytes; at most {APPEND_BYTES_MAX}"
            )));
        }
        let deadline = Instant::now() + DEADLINE;
        let late = |_| Error::Unavailable("a subscriber of this app does not read".into());
        timeout(DEADLINE, app.until_room()).await.map_err(late)?;
        let share = (bytes >> 10).clamp(1, BUDGET_KIB) as u32;
        let budget = Arc::clone(&self.budget).acquire_many_owned(share).await;
        let (answer, answered) = oneshot::channel();
        let starts = app.appender.push(Job {
            entries,
            bytes,
            key,
            answer,
            deadline,
            _budget: budget.map_err(|_| closed())?,
        });
        if starts {
            let flight = Flight { app, landed: false };
            self.link
                .logs()
                .handle
                .spawn(append::fly(Arc::clone(&self), flight));
        }
        answered.await.unwrap_or_else(|_| Err(closed()))
    }

    pub(crate) async fn tail(self: Arc<Self>, name: String) -> Result<Tail, Error> {
        let app = self.opened(&name).await?;
        self.catch_up(&app).await?;
        Ok(app.tail())
    }

    pub(crate) async fn head(self: Arc<Self>, name: String) -> Result<Position, Error> {
        let app = self.opened(&name).await?;
        self.catch_up(&app).await?;
        Ok(app.head())
    }

    pub(crate) async fn read(
        self: Arc<Self>,
        name: String,
        after: Position,
        entries_max: usize,
    ) -> Result<Vec<(Position, Arc<Delivery>)>, Error> {
        let app = self.opened(&name).await?;
        let partition = self.partition(&app);
        if after.epoch == app.epoch() {
            let wanted = frame::sequence_of(after.offset);
            // A position that another node gave out, or nobody.
            if wanted > partition.reached().sequence {
                let last = self
                    .link
                    .streams
                    .log_info(&self.link.jetstream, app.partition)
                    .await?;
                if wanted > last.state.last_sequence {
                    return Err(Error::Gone);
                }
            }
            // What this node appended is read.
            let wanted = wanted.max(app.appender.accepted());
            partition.until(wanted, READ_WAIT).await?;
        }
        app.since(after, entries_max)
    }

    pub(crate) async fn retain(self: Arc<Self>, name: String, window: Window) -> Result<(), Error> {
        check_name("app", &name)?;
        self.app(&name).set_window(window);
        // What has left the stream no window brings back.
        self.link
            .streams
            .raise_age(&self.link.jetstream, window.age)
            .await?;
        self.opened(&name).await.map(drop)
    }

    /// Whether some reader has waited long for a tail that nobody reads.
    pub(crate) fn is_stalled(&self) -> bool {
        let long = |partition: &Arc<Partition>| {
            partition
                .stalled
                .lock()
                .is_some_and(|since| since.elapsed() > STALLED)
        };
        self.partitions.iter().any(long)
    }

    pub(crate) fn close(&self) {
        self.apps.read().values().for_each(|app| app.close());
        self.budget.close();
    }

    fn app(&self, name: &str) -> Arc<App> {
        if let Some(app) = self.apps.read().get(name) {
            return Arc::clone(app);
        }
        let mut apps = self.apps.write();
        let app = apps.entry(name.to_owned()).or_insert_with(|| {
            let names = &self.link.names;
            Arc::new(App::new(name, names.log_subject(name), names.partition(name)))
        });
        Arc::clone(app)
    }

    async fn opened(self: &Arc<Self>, name: &str) -> Result<Arc<App>, Error> {
        check_name("app", name)?;
        let app = self.app(name);
        if !app.opened.initialized() {
            let (logs, opening) = (Arc::clone(self), Arc::clone(&app));
            let open = async move {
                opening
                    .opened
                    .get_or_try_init(|| open::open(&logs, &opening))
                    .await
                    .copied()
            };
            self.link.run(open).await?;
        }
        Ok(app)
    }

    /// Reads on to the app's last entry that the log has now, whichever node appended it.
    async fn catch_up(&self, app: &App) -> Result<(), Error> {
        let partition = self.partition(app);
        match self.link.last(&partition.stream, &app.subject).await? {
            Some(last) => partition.until(last.sequence, DEADLINE).await,
            None => Ok(()),
        }
    }

    fn epoch(&self, partition: u16) -> Epoch {
        let partition = self.partitions.get(usize::from(partition));
        partition.map_or(Epoch(0), |partition| partition.reached().epoch)
    }

    fn partition(&self, app: &App) -> Arc<Partition> {
        let partition = self.partitions.get(usize::from(app.partition)).cloned();
        partition.unwrap_or_else(|| unreachable!("a hash modulo the partitions"))
    }
}

/// Entries grow old in apps that nobody reads.
async fn sweep(logs: Arc<Logs>) {
    let mut ticks = interval(SWEEP_EVERY);
    loop {
        ticks.tick().await;
        let apps: Vec<_> = logs.apps.read().values().cloned().collect();
        apps.iter().for_each(|app| app.sweep());
    }
}

/// Of all appends that were not answered: above it, callers wait before they are queued.
const BUDGET_KIB: usize = 64 << 10;
/// As many as those that wait for an acknowledgement.
const UNREAD_MAX: usize = 256;
const READ_WAIT: Duration = Duration::from_secs(5);
const STALLED: Duration = Duration::from_secs(10);
const SWEEP_EVERY: Duration = Duration::from_secs(10);
