use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::Error;

/// A data directory: `state` says who wrote it and how it was left, `store/` is fjall's, `blobs/` has a file a blob.
pub(super) struct Directory {
    path: PathBuf,
    fsync: Fsync,
}

/// When writes reach the disk itself, beyond the operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fsync {
    /// Within about a second. A killed or crashed process loses nothing answered; a machine that goes down may lose
    /// its last second, and logs then get new epochs, so that no client takes what follows for what was lost.
    EverySecond,
    /// Before the answer. Costs a disk's round trip an append.
    Always,
}

/// Why a data directory was not opened. All of them are for whoever runs the program.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("data directory {} is in use by another process: stop that one, or use another directory", .0.display())]
    Locked(PathBuf),
    #[error("data directory {} is not writable: {source}", path.display())]
    NotWritable { path: PathBuf, source: io::Error },
    #[error("data directory {} has format {found}, and this version knows up to {FORMAT}: use the version that wrote it", path.display())]
    Newer { path: PathBuf, found: u32 },
    #[error("data directory {} is damaged ({reason}): restore it, or move it away and start empty; clients will then be told that nothing was recovered", path.display())]
    Damaged { path: PathBuf, reason: String },
}

/// The contents of `state`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    format: u32,
    /// Which run of the machine wrote last. Empty where the system does not tell.
    boot: String,
    closed: bool,
    /// [`Fsync::Always`] was in force.
    synced: bool,
    /// The store had at least this mark by then.
    mark: u64,
}

impl Directory {
    /// Makes the directory if there is none. Refuses what a newer version wrote, before anything touches it.
    pub(super) fn prepare(path: &Path, fsync: Fsync) -> Result<Self, OpenError> {
        let directory = Self {
            path: path.to_path_buf(),
            fsync,
        };
        fs::create_dir_all(path).map_err(|source| directory.not_writable(source))?;
        if let Some(state) = directory.read_state()?
            && state.format > FORMAT
        {
            return Err(OpenError::Newer {
                path: directory.path,
                found: state.format,
            });
        }
        Ok(directory)
    }

    pub(super) fn fsync(&self) -> Fsync {
        self.fsync
    }

    pub(super) fn store(&self) -> PathBuf {
        self.path.join("store")
    }

    pub(super) fn blobs(path: &Path) -> PathBuf {
        path.join("blobs")
    }

    /// Whether every answered write is there, by how the directory was left and how far the store's own mark is.
    /// Ask once it is locked.
    pub(super) fn intact(&self, mark: u64) -> Result<bool, OpenError> {
        let boot = boot_id();
        let Some(state) = self.read_state()? else {
            return Ok(mark == 0);
        };
        let rested = state.closed || state.synced || (!boot.is_empty() && state.boot == boot);
        Ok(rested && mark >= state.mark)
    }

    /// Marks the directory as in use. Everything in it is on disk by now, and what was not intact is dealt with:
    /// whoever opens it next sees only this mark.
    pub(super) fn begin(&self, mark: u64) -> Result<(), OpenError> {
        let synced = self.fsync == Fsync::Always;
        let state = State {
            format: FORMAT,
            boot: boot_id(),
            closed: false,
            synced,
            mark,
        };
        self.write_state(&state)
            .map_err(|source| self.not_writable(source))
    }

    /// Marks the directory as closed with everything on disk.
    pub(super) fn end(&self, mark: u64) -> Result<(), Error> {
        let state = State {
            format: FORMAT,
            boot: boot_id(),
            closed: true,
            synced: false,
            mark,
        };
        let written = self.write_state(&state);
        written.map_err(|error| Error::Unavailable(format!("{}: {error}", self.path.display())))
    }

    pub(super) fn explain(&self, error: fjall::Error) -> OpenError {
        match error {
            fjall::Error::Locked => OpenError::Locked(self.path.clone()),
            fjall::Error::Io(source) if refused(&source) => self.not_writable(source),
            other => OpenError::Damaged {
                path: self.path.clone(),
                reason: other.to_string(),
            },
        }
    }

    fn not_writable(&self, source: io::Error) -> OpenError {
        OpenError::NotWritable {
            path: self.path.clone(),
            source,
        }
    }

    fn read_state(&self) -> Result<Option<State>, OpenError> {
        let path = self.path.join("state");
        let damaged = |reason: &str| OpenError::Damaged {
            path: self.path.clone(),
            reason: format!("state: {reason}"),
        };
        match fs::read_to_string(&path) {
            Ok(text) => State::parse(&text).map(Some).ok_or_else(|| damaged("not ours")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if refused(&error) => Err(self.not_writable(error)),
            Err(error) => Err(damaged(&error.to_string())),
        }
    }

    /// Whole or not at all, and on disk.
    fn write_state(&self, state: &State) -> io::Result<()> {
        let temporary = self.path.join("state.new");
        let mut file = File::create(&temporary)?;
        file.write_all(state.format().as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, self.path.join("state"))?;
        File::open(&self.path)?.sync_all()
    }
}

impl State {
    fn format(&self) -> String {
        let Self {
            format,
            boot,
            closed,
            synced,
            mark,
        } = self;
        format!("wakeline data {format}\nboot {boot}\nclosed {closed}\nsynced {synced}\nmark {mark}\n")
    }

    /// Lines of a later format are its own business: only the first has to be understood for ever.
    fn parse(text: &str) -> Option<Self> {
        let format = text
            .lines()
            .next()?
            .strip_prefix("wakeline data ")?
            .parse()
            .ok()?;
        let field = |name: &str| {
            let value = text
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            value.unwrap_or_default().trim().to_owned()
        };
        Some(Self {
            format,
            boot: field("boot"),
            closed: field("closed") == "true",
            synced: field("synced") == "true",
            mark: field("mark").parse().unwrap_or(u64::MAX),
        })
    }
}

fn refused(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, PermissionDenied, ReadOnlyFilesystem, StorageFull};
    matches!(
        error.kind(),
        PermissionDenied | ReadOnlyFilesystem | NotADirectory | StorageFull
    )
}

/// Changes when the machine starts, and not when we do. Empty where there is no such file: then any end without
/// closing counts as the machine's.
fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// Of everything in the directory.
const FORMAT: u32 = 1;
