//! Many light clients that come back whenever they are cut off.
use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    sync::{Notify, Semaphore, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::{PATH, ROOMS};
use crate::cluster::light::{Light, Memory};

/// A guard against hanging.
const PATIENCE: Duration = Duration::from_mins(3);
/// Opening at once, the first time; when they come back nobody holds them.
const AT_ONCE: usize = 200;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    pub(crate) joined: usize,
    pub(crate) cut: usize,
    /// Connected again, recovered or not.
    pub(crate) returned: usize,
    pub(crate) recovered: usize,
    pub(crate) heard: usize,
    /// Attempts to connect.
    pub(crate) failures: usize,
}

pub(crate) struct Crowd {
    clients: Vec<JoinHandle<Vec<u64>>>,
    progress: watch::Sender<Progress>,
    over: Arc<Notify>,
    last_failure: Arc<Mutex<String>>,
}

impl Crowd {
    pub(crate) fn gather(count: usize, address: &str) -> Self {
        let (progress, over) = (watch::Sender::default(), Arc::new(Notify::new()));
        let entrance = Arc::new(Semaphore::new(AT_ONCE));
        let last = Arc::new(Mutex::new(String::new()));
        let clients = (0..count).map(|number| {
            let client = Client {
                number,
                address: address.to_owned(),
                progress: progress.clone(),
                last_failure: Arc::clone(&last),
                memory: None,
                heard: Vec::new(),
            };
            tokio::spawn(client.live(Arc::clone(&entrance), Arc::clone(&over)))
        });
        Self {
            clients: clients.collect(),
            progress,
            over,
            last_failure: last,
        }
    }

    pub(crate) fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    /// Until all clients are where `part` counts.
    pub(crate) async fn reach(&self, what: &str, part: impl Fn(&Progress) -> usize) {
        self.reach_count(what, self.clients.len(), part).await;
    }

    pub(crate) async fn reach_count(&self, what: &str, count: usize, part: impl Fn(&Progress) -> usize) {
        let mut progress = self.progress.subscribe();
        let reached = timeout(PATIENCE, progress.wait_for(|progress| part(progress) >= count)).await;
        let failure = self.last_failure.lock().clone();
        assert!(
            reached.is_ok(),
            "{what}: not {count} after {PATIENCE:?}: {:?}, last failure: {failure}",
            self.progress()
        );
    }

    /// What each has heard.
    pub(crate) async fn end(self) -> Vec<Vec<u64>> {
        self.over.notify_waiters();
        let mut heard = Vec::new();
        for client in self.clients {
            heard.push(client.await.unwrap());
        }
        heard
    }
}

struct Client {
    number: usize,
    address: String,
    progress: watch::Sender<Progress>,
    last_failure: Arc<Mutex<String>>,
    memory: Option<Memory>,
    heard: Vec<u64>,
}

impl Client {
    async fn live(mut self, entrance: Arc<Semaphore>, over: Arc<Notify>) -> Vec<u64> {
        let over = over.notified();
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => return self.heard,
                () = self.once(&entrance) => {}
            }
        }
    }

    /// From one attempt to connect to the end of the connection.
    async fn once(&mut self, entrance: &Semaphore) {
        let first = self.memory.is_none();
        let ticket = if first {
            entrance.acquire().await.ok()
        } else {
            None
        };
        let mut light = match Light::open(&self.address, PATH, self.memory.clone()).await {
            Ok(light) => light,
            Err(error) => return self.wait_a_little(&error).await,
        };
        if first {
            let joined = light
                .call(&format!(r#"["join","room-{}"]"#, self.number % ROOMS))
                .await;
            if let Err(error) = joined {
                return self.wait_a_little(&error).await;
            }
        }
        drop(ticket);
        let recovered = light.recovered;
        self.progress.send_modify(|progress| {
            progress.joined += usize::from(first);
            progress.returned += usize::from(!first);
            progress.recovered += usize::from(recovered);
        });
        loop {
            self.take(&mut light);
            if light.hear().await.is_err() {
                break;
            }
        }
        self.progress.send_modify(|progress| progress.cut += 1);
    }

    fn take(&mut self, light: &mut Light) {
        self.memory = Some(light.memory.clone());
        let count = light.heard.len();
        if count > 0 {
            self.heard.append(&mut light.heard);
            self.progress.send_modify(|progress| progress.heard += count);
        }
    }

    /// As stock clients do, spread so that they do not come in step.
    async fn wait_a_little(&mut self, error: &std::io::Error) {
        self.progress.send_modify(|progress| progress.failures += 1);
        *self.last_failure.lock() = error.to_string();
        sleep(Duration::from_millis(100 + (self.number as u64 * 7919) % 900)).await;
    }
}
