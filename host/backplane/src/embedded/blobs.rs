use std::{
    collections::HashMap,
    fmt::Write as _,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use parking_lot::RwLock;
use sha2::{Digest, Sha256};

use crate::{Error, limits};

/// Bytes under their digest: one file each, since 256 MiB would go through fjall's journal and memory twice.
pub(super) enum Blobs {
    Memory(RwLock<HashMap<String, Bytes>>),
    Files { folder: PathBuf, written: AtomicU64 },
}

impl Blobs {
    pub(super) fn memory() -> Self {
        Self::Memory(RwLock::default())
    }

    /// In a directory that is locked by now: what an interrupted write left is removed.
    pub(super) fn files(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        for file in fs::read_dir(&folder)? {
            let path = file?.path();
            if path.extension().is_some_and(|extension| extension == "part") {
                fs::remove_file(path)?;
            }
        }
        Ok(Self::Files {
            folder,
            written: AtomicU64::new(0),
        })
    }

    /// On disk before it answers, whatever the policy: uploads are rare. Replaces a damaged copy.
    pub(super) fn put(&self, blob: &Bytes) -> Result<String, Error> {
        limits::check_blob(blob)?;
        let digest = digest(blob);
        match self {
            Self::Memory(blobs) => {
                blobs.write().insert(digest.clone(), blob.clone());
            }
            Self::Files { folder, written } => {
                let part = folder.join(format!("{}.part", written.fetch_add(1, Ordering::Relaxed)));
                let stored = write(&part, blob).and_then(|()| {
                    fs::rename(&part, folder.join(&digest))?;
                    File::open(folder)?.sync_all()
                });
                if let Err(error) = stored {
                    // What cannot be removed now is removed at the next start.
                    let _ = fs::remove_file(&part);
                    return Err(unavailable(&digest, &error));
                }
            }
        }
        Ok(digest)
    }

    pub(super) fn get(&self, name: &str) -> Result<Option<Bytes>, Error> {
        limits::check_digest(name)?;
        let blob = match self {
            Self::Memory(blobs) => return Ok(blobs.read().get(name).cloned()),
            Self::Files { folder, .. } => match fs::read(folder.join(name)) {
                Ok(blob) => Bytes::from(blob),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(unavailable(name, &error)),
            },
        };
        if digest(&blob) == name {
            return Ok(Some(blob));
        }
        Err(Error::Unavailable(format!(
            "blob {name} is damaged on disk: store it again"
        )))
    }

    /// Of a blob that is not there: nothing to do.
    pub(super) fn delete(&self, name: &str) -> Result<(), Error> {
        limits::check_digest(name)?;
        match self {
            Self::Memory(blobs) => {
                blobs.write().remove(name);
                Ok(())
            }
            Self::Files { folder, .. } => match fs::remove_file(folder.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unavailable(name, &error)),
                _ => Ok(()),
            },
        }
    }
}

fn write(path: &Path, blob: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(blob)?;
    file.sync_all()
}

fn digest(blob: &[u8]) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(blob) {
        // A String takes whatever is written.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

fn unavailable(digest: &str, error: &io::Error) -> Error {
    Error::Unavailable(format!("blob {digest}: {error}"))
}
