//! Compiled code in memory: brought in when an instance is to be made, let go when nobody has asked for it for a while,
//! or when memory is short. Shared by all cores and all apps: apps with the same component share its code.
use std::{
    collections::HashMap,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use backplane::Backplane;
use bytes::Bytes;
use parking_lot::Mutex;
use runtime::{CompileError, CompileLimits, Component, Digest, Engine, Tier};

/// One a node. What is evicted while instances of it live stays mapped until they end.
pub(crate) struct Shelf {
    engine: Engine,
    backplane: Arc<dyn Backplane>,
    /// Of machine code. The component that was asked for last stays, however large.
    bytes_max: u64,
    /// Held only to look and to put.
    slots: Mutex<Slots>,
}

/// Where a component is when it is on no disk of this node.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    Blob,
    /// An app's folder. It may hold another version by now.
    File(PathBuf),
}

/// What is asked for.
pub(crate) struct Wanted<'a> {
    pub(crate) digest: Digest,
    pub(crate) origin: &'a Origin,
    pub(crate) limits: CompileLimits,
    /// Kept this long after it was asked for last, if memory allows.
    pub(crate) keep: Duration,
}

/// Why code cannot be run now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShelfError {
    #[error("the component {0} is nowhere to be found: deploy it again")]
    Missing(Digest),
    #[error("the component cannot be fetched: {0}")]
    Unreachable(String),
    #[error(transparent)]
    Compile(#[from] CompileError),
}

/// What the shelf has done, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ShelfStats {
    pub(crate) components: u64,
    pub(crate) bytes: u64,
    pub(crate) evictions: u64,
}

#[derive(Default)]
struct Slots {
    by_digest: HashMap<Digest, Slot>,
    /// One at a time brings a component in; the others wait for it.
    loading: HashMap<Digest, Arc<tokio::sync::Mutex<()>>>,
    bytes: u64,
    evictions: u64,
}

struct Slot {
    component: Component,
    bytes: u64,
    used: Instant,
    keep: Duration,
}

impl Shelf {
    pub(crate) fn new(engine: Engine, backplane: Arc<dyn Backplane>, bytes_max: u64) -> Self {
        Self {
            engine,
            backplane,
            bytes_max,
            slots: Mutex::default(),
        }
    }

    /// The component, from wherever it is nearest.
    pub(crate) async fn get(&self, wanted: &Wanted<'_>) -> Result<(Component, Tier), ShelfError> {
        if let Some(component) = self.slots.lock().look(wanted) {
            return Ok((component, Tier::Warm));
        }
        let turn = Arc::clone(self.slots.lock().loading.entry(wanted.digest).or_default());
        let held = turn.lock().await;
        // Whoever had the turn before has brought it.
        if let Some(component) = self.slots.lock().look(wanted) {
            return Ok((component, Tier::Warm));
        }
        let brought = self.bring(wanted).await;
        if let Ok((component, _)) = &brought {
            self.put(component, wanted.keep);
        }
        self.slots.lock().loading.remove(&wanted.digest);
        drop(held);
        brought
    }

    /// Keeps a component that was just compiled.
    pub(crate) fn put(&self, component: &Component, keep: Duration) {
        self.slots.lock().put(component, keep, self.bytes_max);
    }

    /// Compiles bytes that are new here, and keeps the outcome on disk; not in memory.
    pub(crate) async fn compile(
        &self,
        wasm: Bytes,
        limits: CompileLimits,
    ) -> Result<Component, CompileError> {
        self.engine.compile(wasm, limits).await
    }

    /// Where a component would be found now.
    pub(crate) fn tier(&self, digest: Digest) -> Tier {
        if self.slots.lock().by_digest.contains_key(&digest) {
            Tier::Warm
        } else if self.engine.has(digest) {
            Tier::Cold
        } else {
            Tier::Remote
        }
    }

    /// Lets go of what nobody has asked for in its time.
    pub(crate) fn sweep(&self, now: Instant) {
        // Without a cache on disk it would have to be compiled again.
        if self.engine.has_cache() {
            self.slots.lock().sweep(now);
        }
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn stats(&self) -> ShelfStats {
        let slots = self.slots.lock();
        ShelfStats {
            components: slots.by_digest.len() as u64,
            bytes: slots.bytes,
            evictions: slots.evictions,
        }
    }

    async fn bring(&self, wanted: &Wanted<'_>) -> Result<(Component, Tier), ShelfError> {
        let (engine, digest) = (self.engine.clone(), wanted.digest);
        let loaded = if engine.loads_quickly(digest) {
            engine.load(digest)
        } else {
            // Reads and links a file of megabytes: other apps' events do not wait for that.
            let load = tokio::task::spawn_blocking(move || engine.load(digest));
            load.await.ok().flatten()
        };
        if let Some(component) = loaded {
            return Ok((component, Tier::Cold));
        }
        let wasm = self.fetch(wanted).await?;
        let component = self.engine.compile(wasm, wanted.limits).await?;
        Ok((component, Tier::Remote))
    }

    async fn fetch(&self, wanted: &Wanted<'_>) -> Result<Bytes, ShelfError> {
        let digest = wanted.digest;
        let found = match wanted.origin {
            Origin::Blob => {
                let found = self.backplane.get_blob(&digest.to_string()).await;
                found.map_err(|error| ShelfError::Unreachable(error.to_string()))?
            }
            Origin::File(path) => {
                let path = path.clone();
                let read = tokio::task::spawn_blocking(move || std::fs::read(path)).await;
                let read = read.map_err(|error| ShelfError::Unreachable(error.to_string()))?;
                read.ok()
                    .map(Bytes::from)
                    .filter(|bytes| Digest::of(bytes) == digest)
            }
        };
        found.ok_or(ShelfError::Missing(digest))
    }
}

impl Slots {
    fn look(&mut self, wanted: &Wanted<'_>) -> Option<Component> {
        let slot = self.by_digest.get_mut(&wanted.digest)?;
        slot.used = Instant::now();
        slot.keep = slot.keep.max(wanted.keep);
        Some(slot.component.clone())
    }

    fn put(&mut self, component: &Component, keep: Duration, bytes_max: u64) {
        let (digest, bytes) = (component.digest(), component.code_bytes());
        let slot = Slot {
            component: component.clone(),
            bytes,
            used: Instant::now(),
            keep,
        };
        self.bytes += bytes;
        if let Some(before) = self.by_digest.insert(digest, slot) {
            self.bytes -= before.bytes;
        }
        while self.bytes > bytes_max {
            let others = self.by_digest.iter().filter(|(other, _)| **other != digest);
            let Some(oldest) = others
                .min_by_key(|(_, slot)| slot.used)
                .map(|(digest, _)| *digest)
            else {
                return;
            };
            self.evict(oldest);
        }
    }

    fn sweep(&mut self, now: Instant) {
        let old = self
            .by_digest
            .iter()
            .filter(|(_, slot)| now.saturating_duration_since(slot.used) >= slot.keep);
        let old: Vec<_> = old.map(|(digest, _)| *digest).collect();
        old.into_iter().for_each(|digest| self.evict(digest));
    }

    fn evict(&mut self, digest: Digest) {
        if let Some(slot) = self.by_digest.remove(&digest) {
            self.bytes -= slot.bytes;
            self.evictions += 1;
        }
    }
}
