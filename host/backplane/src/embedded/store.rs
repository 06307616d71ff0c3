use std::{collections::BTreeMap, ops::Bound, ops::ControlFlow};

use bytes::Bytes;
use parking_lot::RwLock;

use super::{directory::OpenError, disk::Disk};
use crate::Error;

/// Ordered bytes under ordered bytes, in a few spaces; in memory or in a data directory.
///
/// What anything means is said above this, once, for both.
pub(super) enum Store {
    Memory(Memory),
    Disk(Disk),
}

#[derive(Clone, Copy)]
pub(super) enum Space {
    /// App → identity and window of its log.
    Logs,
    /// App, epoch, offset → an entry.
    Entries,
    /// Bucket, key → revision and value.
    Values,
    /// Bucket → up to where its revisions may have been given out.
    Buckets,
}

pub(super) struct Op {
    pub(super) space: Space,
    pub(super) key: Vec<u8>,
    /// `None` removes.
    pub(super) value: Option<Vec<u8>>,
}

/// When a commit is safe.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Safe {
    /// As the data directory was opened.
    AsConfigured,
    /// With the next commit that has to be: for housekeeping that nobody waits for.
    Later,
}

/// Called for each key and value, in byte order of the keys; breaks off when it has enough.
pub(super) type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, Error>;

impl Store {
    pub(super) fn memory() -> Self {
        Self::Memory(Memory::default())
    }

    /// After everything was loaded.
    pub(super) fn begin(&self) -> Result<(), OpenError> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::Disk(disk) => disk.begin(),
        }
    }

    /// Whether what is written survives the process.
    pub(super) fn survives(&self) -> bool {
        matches!(self, Self::Disk(_))
    }

    /// Whether a commit waits for the disk, and so has to be kept off the threads that serve sockets.
    pub(super) fn blocks(&self) -> bool {
        match self {
            Self::Memory(_) => false,
            Self::Disk(disk) => disk.blocks(),
        }
    }

    pub(super) fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>, Error> {
        match self {
            Self::Memory(memory) => Ok(memory.space(space).read().get(key).cloned()),
            Self::Disk(disk) => disk.get(space, key),
        }
    }

    /// Keys that start with `prefix` and come after `after` (all, if that is `None`).
    pub(super) fn scan(
        &self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        visit: Visit<'_>,
    ) -> Result<(), Error> {
        // From whichever is later; a key after `after` may still lie before the prefix.
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        match self {
            Self::Memory(memory) => {
                let entries = memory.space(space).read();
                for (key, value) in entries.range::<[u8], _>((from, Bound::Unbounded)) {
                    if !key.starts_with(prefix) || visit(key, value)?.is_break() {
                        break;
                    }
                }
                Ok(())
            }
            Self::Disk(disk) => disk.scan(space, prefix, from, visit),
        }
    }

    /// All of `ops` or none. On an error it is not known which.
    pub(super) fn commit(&self, ops: Vec<Op>, safe: Safe) -> Result<(), Error> {
        match self {
            Self::Memory(memory) => {
                for op in ops {
                    let mut entries = memory.space(op.space).write();
                    match op.value {
                        Some(value) => entries.insert(op.key, value.into()),
                        None => entries.remove(&op.key),
                    };
                }
                Ok(())
            }
            Self::Disk(disk) => disk.commit(ops, safe),
        }
    }

    /// Gives the disk what the operating system still has. A moment's wait, for a thread of its own.
    pub(super) fn sync(&self) -> Result<(), Error> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::Disk(disk) => disk.sync(),
        }
    }
}

/// Logs keep their entries themselves, so only buckets are here. A commit is atomic for readers of one key, which
/// is what readers see of each other anyway; writers of one bucket are one at a time above this.
#[derive(Default)]
pub(super) struct Memory {
    values: RwLock<BTreeMap<Vec<u8>, Bytes>>,
    buckets: RwLock<BTreeMap<Vec<u8>, Bytes>>,
}

impl Memory {
    fn space(&self, space: Space) -> &RwLock<BTreeMap<Vec<u8>, Bytes>> {
        match space {
            Space::Values => &self.values,
            Space::Buckets => &self.buckets,
            Space::Logs | Space::Entries => unreachable!("a log in memory has no journal"),
        }
    }
}

/// `name` before whatever follows it, so that no other name and rest make the same bytes.
pub(super) fn named(name: &str, rest: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(2 + name.len() + rest.len());
    key.extend_from_slice(&(name.len() as u16).to_be_bytes());
    key.extend_from_slice(name.as_bytes());
    key.extend_from_slice(rest);
    key
}
