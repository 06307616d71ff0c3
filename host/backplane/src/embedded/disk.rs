use std::{
    fs::{self, File},
    ops::{Bound, ControlFlow},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::{
    directory::{Directory, Fsync, OpenError},
    store::{Op, Safe, Space, Visit},
};
use crate::Error;

/// The store in a data directory: one fjall database, one keyspace a space, one journal for all of them.
pub(super) struct Disk {
    database: Database,
    logs: Keyspace,
    entries: Keyspace,
    values: Keyspace,
    buckets: Keyspace,
    /// One number that grows: see [`Disk::mark`].
    marks: Keyspace,
    directory: Directory,
    /// Something was written since the last [`sync`](Self::sync).
    dirty: AtomicBool,
}

impl Disk {
    /// Locks the directory. The second is false if the store may have lost answered writes since it was last
    /// written: the machine went down under it.
    pub(super) fn open(path: &Path, fsync: Fsync) -> Result<(Self, bool), OpenError> {
        let directory = Directory::prepare(path, fsync)?;
        let store = directory.store();
        let damaged = |error: fjall::Error| directory.explain(error);
        let database = Database::builder(&store)
            .worker_threads(2)
            .max_journaling_size(JOURNALS_BYTES_MAX)
            .cache_size(CACHE_BYTES)
            .open()
            .map_err(damaged)?;
        // Small: what is in them is in memory until they are full, and most of it is records of sessions that are idle. One
        // that takes minutes to fill lets the host's memory grow for several times that, as its pieces lie scattered. The
        // smallest are of those where the same few keys are written again and again: each version stays until then.
        let open = |name, memtable_bytes| {
            let options = || KeyspaceCreateOptions::default().max_memtable_size(memtable_bytes);
            database.keyspace(name, options).map_err(damaged)
        };
        let (logs, entries) = (open("logs", 128 << 10)?, open("entries", 512 << 10)?);
        let (values, buckets) = (open("values", 512 << 10)?, open("buckets", 128 << 10)?);
        let marks = open("marks", 16 << 10)?;
        let mark = read_mark(&marks).map_err(damaged)?;
        let intact = directory.intact(mark)?;
        let dirty = AtomicBool::new(false);
        Ok((
            Self {
                database,
                logs,
                entries,
                values,
                buckets,
                marks,
                directory,
                dirty,
            },
            intact,
        ))
    }

    /// What was found is loaded and mended: from here on the directory is in use. See [`Directory::begin`].
    pub(super) fn begin(&self) -> Result<(), OpenError> {
        let mark = self.mark().map_err(|error| self.directory.explain(error))?;
        self.directory.begin(mark)
    }

    pub(super) fn blocks(&self) -> bool {
        self.directory.fsync() == Fsync::Always
    }

    pub(super) fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>, Error> {
        let value = self.keyspace(space).get(key).map_err(unavailable)?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    pub(super) fn scan(
        &self,
        space: Space,
        prefix: &[u8],
        from: Bound<&[u8]>,
        visit: Visit<'_>,
    ) -> Result<(), Error> {
        for guard in self.keyspace(space).range::<&[u8], _>((from, Bound::Unbounded)) {
            let (key, value) = guard.into_inner().map_err(unavailable)?;
            if !key.starts_with(prefix) {
                break;
            }
            if let ControlFlow::Break(()) = visit(&key, &value)? {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn commit(&self, mut ops: Vec<Op>, safe: Safe) -> Result<(), Error> {
        let synced = self.blocks() && safe == Safe::AsConfigured;
        if !synced
            && ops.len() == 1
            && let Some(op) = ops.pop()
        {
            return self.write(op);
        }
        let mode = if synced {
            PersistMode::SyncData
        } else {
            PersistMode::Buffer
        };
        let mut batch = self.database.batch().durability(Some(mode));
        for op in ops {
            let keyspace = self.keyspace(op.space);
            match (op.space, op.value) {
                (_, Some(value)) => batch.insert(keyspace, op.key, value),
                // Entries are written once and removed once: the removal vanishes with the entry.
                (Space::Entries, None) => batch.remove_weak(keyspace, op.key),
                (_, None) => batch.remove(keyspace, op.key),
            }
        }
        batch.commit().map_err(unavailable)?;
        if !synced {
            self.dirty.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// One write alone, which is whole as a batch is and goes to the operating system as one does, without what a batch needs
    /// for many.
    fn write(&self, op: Op) -> Result<(), Error> {
        let keyspace = self.keyspace(op.space);
        let written = match (op.space, op.value) {
            (_, Some(value)) => keyspace.insert(op.key, value),
            (Space::Entries, None) => keyspace.remove_weak(op.key),
            (_, None) => keyspace.remove(op.key),
        };
        written.map_err(unavailable)?;
        self.dirty.store(true, Ordering::Release);
        Ok(())
    }

    /// Through file handles of our own: fjall's `persist` holds the journal's lock for as long as the disk takes,
    /// and every append of every app would wait for it. The name of a journal is its only internal used here;
    /// a journal that is retired meanwhile was synced by fjall.
    pub(super) fn sync(&self) -> Result<(), Error> {
        if !self.dirty.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let synced = (|| {
            let mut journals = 0;
            for file in fs::read_dir(self.directory.store())? {
                let path = file?.path();
                if path.extension().is_some_and(|extension| extension == "jnl") {
                    match File::open(&path) {
                        Ok(journal) => journal.sync_data()?,
                        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                        Err(error) => return Err(error),
                    }
                    journals += 1;
                }
            }
            Ok(journals > 0)
        })();
        match synced {
            Ok(true) => Ok(()),
            Ok(false) => self.database.persist(PersistMode::SyncData).map_err(unavailable),
            Err(error) => {
                self.dirty.store(true, Ordering::Release);
                Err(Error::Unavailable(format!("fsync: {error}")))
            }
        }
    }

    /// Writes the next mark, and all before it, to the disk; the directory's `state` then names it. A journal that
    /// rots is cut off by fjall where it became unreadable: a store whose mark is behind has lost its end.
    fn mark(&self) -> fjall::Result<u64> {
        let mark = read_mark(&self.marks)? + 1;
        self.marks.insert(MARK, mark.to_be_bytes())?;
        self.database.persist(PersistMode::SyncAll)?;
        Ok(mark)
    }

    fn keyspace(&self, space: Space) -> &Keyspace {
        match space {
            Space::Logs => &self.logs,
            Space::Entries => &self.entries,
            Space::Values => &self.values,
            Space::Buckets => &self.buckets,
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Only what is on disk may be called closed: otherwise the next start takes a power failure for a rest.
        let closed = self.mark().map_err(unavailable);
        if let Err(error) = closed.and_then(|mark| self.directory.end(mark)) {
            tracing::warn!(%error, "data directory not closed cleanly");
        }
    }
}

/// 0 in a store that was never opened to the end.
fn read_mark(marks: &Keyspace) -> fjall::Result<u64> {
    let stored = marks.get(MARK)?;
    Ok(stored
        .and_then(|mark| <[u8; 8]>::try_from(&*mark).ok())
        .map_or(0, u64::from_be_bytes))
}

fn unavailable(error: impl std::fmt::Display) -> Error {
    Error::Unavailable(error.to_string())
}

/// Read again at the next start, at some 200 MB a second.
const JOURNALS_BYTES_MAX: u64 = 128 << 20;
/// For values, which are read when a session comes back; logs are served from memory. What it misses is mostly in the
/// kernel's page cache. With more, it takes a quarter of an hour to fill, and the host's memory grows as long.
const CACHE_BYTES: u64 = 512 << 10;
const MARK: &[u8] = b"mark";
