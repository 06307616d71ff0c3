//! An app's files, as they are uploaded and kept: one tar, read with suspicion.
use std::{
    cell::Cell,
    collections::BTreeMap,
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use tar::{Archive, Builder, EntryType, Header};

use crate::Digest;

/// An app's files, checked, in the one form they are kept in: the same files give the same digest, whoever packed them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// Sorted by path; no owner, no times, nothing but regular files.
    pub tar: Bytes,
    pub digest: Digest,
    pub files: usize,
    /// Of the files' contents.
    pub bytes: u64,
}

/// Why an archive is not taken. Whoever packed it is at fault.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    #[error("the archive is neither tar nor tar.gz, or it ends early: {0}")]
    Malformed(io::Error),
    #[error("the archive has no files")]
    Empty,
    #[error("the archive unpacks to more than {ASSETS_BYTES_MAX} bytes")]
    TooLarge,
    #[error("the archive has more than {ASSETS_FILES_MAX} files")]
    TooMany,
    #[error("{path:?} is no file: links, devices and the like are not taken")]
    NotAFile { path: String },
    #[error("{path:?}: {reason}")]
    Path { path: String, reason: &'static str },
}

/// Bytes of an app's files together.
pub const ASSETS_BYTES_MAX: usize = 64 << 20;
pub const ASSETS_FILES_MAX: usize = 5_000;
/// Of a path within the bundle.
const PATH_BYTES_MAX: usize = 512;
/// Of one name in a path: what file systems take.
const NAME_BYTES_MAX: usize = 255;
/// What an entry costs in a tar beside its bytes: a header, a long name's two, padding. Folders count.
const OVERHEAD_BYTES_MAX: usize = ASSETS_FILES_MAX * 2 * 2_048;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

type Files = BTreeMap<String, Vec<u8>>;

/// Reads a tar, compressed with gzip or not. Blocking.
pub fn read_bundle(archive: &[u8]) -> Result<Bundle, BundleError> {
    let files = read_files(archive)?;
    let tar = write_tar(&files).map_err(BundleError::Malformed)?;
    Ok(Bundle {
        digest: Digest::of(&tar),
        tar: tar.into(),
        files: files.len(),
        bytes: files.values().map(|file| file.len() as u64).sum(),
    })
}

/// Unpacks a bundle's blob into a folder of its own within `dir`, by its digest, and answers that. Whoever finds the
/// folder finds it whole. Blocking.
pub fn unpack_assets(blob: &[u8], dir: &Path) -> io::Result<PathBuf> {
    let files = read_files(blob).map_err(io::Error::other)?;
    let digest = Digest::of(blob);
    let target = dir.join(digest.to_string());
    if is_whole(&target, &files) {
        return Ok(target);
    }
    fs::create_dir_all(dir)?;
    let random = getrandom::u64().map_err(|error| io::Error::other(error.to_string()))?;
    let scratch = dir.join(format!(".new-{digest}-{random:x}"));
    let unpacked = write_files(&scratch, &files).and_then(|()| place(&scratch, &target, &files));
    if unpacked.is_err() {
        // What is left over has a name that nobody looks for.
        _ = fs::remove_dir_all(&scratch);
    }
    unpacked.map(|()| target)
}

fn read_files(archive: &[u8]) -> Result<Files, BundleError> {
    let exceeded = Cell::new(false);
    let unpacked: Box<dyn Read + '_> = if archive.starts_with(&GZIP_MAGIC) {
        Box::new(MultiGzDecoder::new(archive))
    } else {
        Box::new(archive)
    };
    let bounded = Bounded {
        inner: unpacked,
        left: ASSETS_BYTES_MAX + OVERHEAD_BYTES_MAX,
        exceeded: &exceeded,
    };
    let files = read_entries(bounded).map_err(|error| match error {
        BundleError::Malformed(_) if exceeded.get() => BundleError::TooLarge,
        error => error,
    })?;
    if files.is_empty() {
        return Err(BundleError::Empty);
    }
    check_folders(&files)?;
    Ok(files)
}

fn read_entries(unpacked: impl Read) -> Result<Files, BundleError> {
    let mut files = Files::new();
    let mut bytes: usize = 0;
    let mut archive = Archive::new(unpacked);
    for entry in archive.entries().map_err(BundleError::Malformed)? {
        let mut entry = entry.map_err(BundleError::Malformed)?;
        let raw = entry.path_bytes().into_owned();
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => {}
            EntryType::Directory | EntryType::XGlobalHeader => continue,
            _ => {
                let path = shown(&raw);
                return Err(BundleError::NotAFile { path });
            }
        }
        let path = checked(&raw)?;
        if files.len() == ASSETS_FILES_MAX {
            return Err(BundleError::TooMany);
        }
        let size = usize::try_from(entry.size()).unwrap_or(usize::MAX);
        bytes = bytes.saturating_add(size);
        if bytes > ASSETS_BYTES_MAX {
            return Err(BundleError::TooLarge);
        }
        let mut file = Vec::new();
        entry.read_to_end(&mut file).map_err(BundleError::Malformed)?;
        if file.len() != size {
            return Err(BundleError::Malformed(io::ErrorKind::UnexpectedEof.into()));
        }
        if let Some(twice) = files.insert(path, file).map(|_| shown(&raw)) {
            return Err(refused(twice, "it is in the archive twice"));
        }
    }
    Ok(files)
}

/// Paths are relative to the bundle's root, and can be nothing else on any file system.
fn checked(raw: &[u8]) -> Result<String, BundleError> {
    let refused = |reason| Err(refused(shown(raw), reason));
    let Ok(path) = std::str::from_utf8(raw) else {
        return refused("a path is UTF-8");
    };
    // As `tar -C dir .` writes them.
    let path = path.strip_prefix("./").unwrap_or(path);
    if path.len() > PATH_BYTES_MAX {
        return refused("a path has at most 512 bytes");
    }
    if path.starts_with('/') {
        return refused("a path is relative");
    }
    if path.contains('\\') || path.chars().any(char::is_control) {
        return refused("a path has no backslash and no control characters");
    }
    for name in path.split('/') {
        match name {
            "" | "." => return refused("a path has no empty parts"),
            ".." => return refused("a path does not lead upwards"),
            name if name.len() > NAME_BYTES_MAX => return refused("a name has at most 255 bytes"),
            _ => {}
        }
    }
    Ok(path.to_owned())
}

/// A file cannot be another one's folder.
fn check_folders(files: &Files) -> Result<(), BundleError> {
    for path in files.keys() {
        let folders = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
        for folder in folders {
            if files.contains_key(folder) {
                return Err(refused(folder.to_owned(), "it is a file and a folder"));
            }
        }
    }
    Ok(())
}

fn refused(path: String, reason: &'static str) -> BundleError {
    BundleError::Path { path, reason }
}

fn shown(raw: &[u8]) -> String {
    let start = raw.get(..PATH_BYTES_MAX).unwrap_or(raw);
    String::from_utf8_lossy(start).into_owned()
}

fn write_tar(files: &Files) -> io::Result<Vec<u8>> {
    let mut tar = Builder::new(Vec::new());
    for (path, file) in files {
        let mut header = Header::new_gnu();
        header.set_size(file.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, file.as_slice())?;
    }
    tar.into_inner()
}

fn write_files(scratch: &Path, files: &Files) -> io::Result<()> {
    for (path, file) in files {
        let path = scratch.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::File::create_new(path)?.write_all(file)?;
    }
    Ok(())
}

/// Another thread may be first with the same, and a crash of the machine may have left half of it.
fn place(scratch: &Path, target: &Path, files: &Files) -> io::Result<()> {
    match fs::rename(scratch, target) {
        Ok(()) => Ok(()),
        Err(_) if is_whole(target, files) => fs::remove_dir_all(scratch),
        Err(_) => {
            fs::remove_dir_all(target)?;
            fs::rename(scratch, target)
        }
    }
}

fn is_whole(target: &Path, files: &Files) -> bool {
    let has = |(path, file): (&String, &Vec<u8>)| {
        fs::metadata(target.join(path)).is_ok_and(|found| found.len() == file.len() as u64)
    };
    target.is_dir() && files.iter().all(has)
}

/// However small the archive, this is as much as comes out of it.
struct Bounded<'a, R> {
    inner: R,
    left: usize,
    exceeded: &'a Cell<bool>,
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            self.exceeded.set(true);
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let room = into.len().min(self.left);
        let read = self.inner.read(into.get_mut(..room).unwrap_or_default())?;
        self.left -= read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
