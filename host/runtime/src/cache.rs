use std::{
    collections::HashMap,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use wasmtime::component::Component;

use crate::Digest;

/// Compiled code on disk: machine code that we run, so nobody else may write there (mode 0700).
///
/// A file's name says what it was compiled from, by which wasmtime and with which settings: others' are not seen.
pub(crate) struct Cache {
    dir: PathBuf,
    /// Of wasmtime's version and the engine's settings.
    compiler: String,
    /// Files found whole by this process; their sums are not computed again, so that mapping stays quick.
    whole: Mutex<HashMap<Digest, Whole>>,
}

#[derive(Clone, Copy)]
struct Whole {
    bytes: u64,
    /// When it was mapped last.
    mapped: Instant,
}

/// A file that was mapped so long ago may have left the system's memory.
const FRESH: Duration = Duration::from_mins(10);

/// Mapping a file of this size takes a fraction of a millisecond. Rust's components are a megabyte.
const QUICK_BYTES_MAX: u64 = 2 << 20;

impl Cache {
    pub(crate) fn open(dir: PathBuf, engine: &wasmtime::Engine) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        let mode = fs::metadata(&dir)?.permissions().mode();
        if mode & 0o077 != 0 {
            let text = format!(
                "its mode is {:o}; it must be 700, since code in it is run",
                mode & 0o777
            );
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let compiler = format!("wasmtime-{}-{:016x}", WASMTIME, hasher.finish());
        Ok(Self {
            dir,
            compiler,
            whole: Mutex::default(),
        })
    }

    /// Maps a component's code. `None` if it is not there; damaged files are removed.
    pub(crate) fn load(&self, engine: &wasmtime::Engine, digest: Digest) -> Option<Component> {
        let (code, sum) = self.paths(digest);
        if !code.exists() || !self.is_whole(digest, &code, &sum) {
            return None;
        }
        #[expect(
            unsafe_code,
            reason = "the file is ours: a private directory, and its sum is right"
        )]
        // SAFETY: `precompile_component` of a compatible engine wrote it, see `store`, `open` and `is_whole`.
        let component = unsafe { Component::deserialize_file(engine, &code) };
        if let Some(whole) = self.whole.lock().get_mut(&digest) {
            whole.mapped = Instant::now();
        }
        component
            .inspect_err(|error| tracing::warn!(%error, ?code, "compiled code refused"))
            .ok()
    }

    /// Whether a component's code is small, known to be whole, and was in memory a moment ago: mapping it reads no disk.
    pub(crate) fn is_quick(&self, digest: Digest) -> bool {
        let whole = self.whole.lock().get(&digest).copied();
        whole.is_some_and(|whole| whole.bytes <= QUICK_BYTES_MAX && whole.mapped.elapsed() < FRESH)
    }

    pub(crate) fn has(&self, digest: Digest) -> bool {
        self.paths(digest).0.exists()
    }

    /// Each file appears whole or not at all.
    pub(crate) fn store(&self, digest: Digest, code: &[u8]) -> io::Result<()> {
        let (code_path, sum_path) = self.paths(digest);
        self.whole.lock().remove(&digest);
        write_whole(&code_path, code)?;
        write_whole(&sum_path, Digest::of(code).to_string().as_bytes())
    }

    /// Of which components there is code, by their digests in hex.
    pub(crate) fn kept(&self) -> io::Result<Vec<String>> {
        let names = self.names()?;
        let code = names.iter().filter_map(|name| {
            let digest = name.strip_prefix(&*self.compiler)?.strip_prefix('-')?;
            digest.strip_suffix(".cwasm")
        });
        Ok(code.map(str::to_owned).collect())
    }

    /// Removes a component's code. Where it is mapped it stays until that ends.
    pub(crate) fn forget(&self, digest: Digest) -> io::Result<()> {
        let (code, sum) = self.paths(digest);
        self.whole.lock().remove(&digest);
        fs::remove_file(code)?;
        fs::remove_file(sum)
    }

    /// Removes what another version of wasmtime compiled, or other settings, and what was not written to its end.
    pub(crate) fn forget_strange(&self) -> io::Result<()> {
        for name in self.names()? {
            let ours = name.starts_with(&format!("{}-", self.compiler));
            let extension = Path::new(&name)
                .extension()
                .and_then(|extension| extension.to_str());
            let whole = matches!(extension, Some("cwasm" | "sha256"));
            if !ours || !whole {
                fs::remove_file(self.dir.join(name))?;
            }
        }
        Ok(())
    }

    /// Of all files.
    fn names(&self) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(&self.dir)?;
        let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.collect()
    }

    fn is_whole(&self, digest: Digest, code: &Path, sum: &Path) -> bool {
        if self.whole.lock().contains_key(&digest) {
            return true;
        }
        let read = fs::read_to_string(sum).and_then(|sum| Ok((sum, fs::read(code)?)));
        let right = read
            .ok()
            .filter(|(sum, code)| Digest::of(code).to_string() == *sum);
        if let Some((_, code)) = &right {
            let whole = Whole {
                bytes: code.len() as u64,
                mapped: Instant::now(),
            };
            self.whole.lock().insert(digest, whole);
        } else {
            tracing::warn!(?code, "compiled code is damaged: removed");
            let _ = fs::remove_file(code);
        }
        right.is_some()
    }

    fn paths(&self, digest: Digest) -> (PathBuf, PathBuf) {
        let name = format!("{}-{digest}", self.compiler);
        (
            self.dir.join(format!("{name}.cwasm")),
            self.dir.join(format!("{name}.sha256")),
        )
    }
}

/// The version that Cargo.toml asks for; wasmtime checks its own when it loads.
const WASMTIME: &str = "48";

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Two processes may write the same file: each writes its own first, and either is right.
    let temporary = path.with_extension(format!("tmp-{}", std::process::id()));
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}
