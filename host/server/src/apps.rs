//! Apps as they are loaded: manifest, compiled code, and what the rooms need to know of both.
use std::{
    collections::BTreeMap,
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use parking_lot::RwLock;
use platform::{AppDir, Ceilings, Live, Manifest};
use runtime::{Component, Digest};
use session::AppSettings;
use transport::{Origins, WebSettings};

use crate::{
    ConfigError,
    auth::Guard,
    logs::{Logs, now_ms},
    quota::Quotas,
    shelf::{Origin, Shelf, Wanted},
    store::Store,
    timers::Timers,
    token::TokenError,
    translate,
    trial::Trial,
};

/// Why a server cannot be built, or an app not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The app's author is at fault, or whoever named its folder.
    #[error(transparent)]
    App(#[from] platform::LoadError),
    #[error("two apps are called {name:?}: {} and {}", first.display(), second.display())]
    TwoApps {
        name: String,
        first: PathBuf,
        second: PathBuf,
    },
    #[error("{app}: there is no component {}: {source}", path.display())]
    NoComponent {
        app: String,
        path: PathBuf,
        source: io::Error,
    },
    /// The author is at fault: the text says what the component lacks.
    #[error("{app}: {} cannot be run: {reason}", path.display())]
    Component {
        app: String,
        path: PathBuf,
        reason: String,
    },
    /// The operator is at fault.
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    Tls(#[from] transport::TlsError),
    /// The address is taken, forbidden or not this machine's.
    #[error("cannot listen on {addr}: {}", listen_reason(source))]
    Listen { addr: SocketAddr, source: io::Error },
    /// The folder is in use, full, or not ours.
    #[error("cannot use the data folder {}: {reason}", path.display())]
    Data { path: PathBuf, reason: String },
    /// The machine refuses threads, memory or signals.
    #[error("cannot start: {0}")]
    Start(String),
}

/// The common reasons in plain words.
fn listen_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "the port is taken".to_owned(),
        io::ErrorKind::AddrNotAvailable => "the address is not this machine's".to_owned(),
        io::ErrorKind::PermissionDenied => "this user may not".to_owned(),
        _ => error.to_string(),
    }
}

/// One app on this node: what stays when its version changes. Shared by all cores; made when somebody speaks to the app,
/// dropped when nobody has for a while.
pub(crate) struct Tenant {
    pub(crate) name: Arc<str>,
    pub(crate) logs: Arc<Logs>,
    pub(crate) store: Store,
    pub(crate) timers: Arc<Timers>,
    pub(crate) quotas: Quotas,
    /// The app's secrets; `None` until they were read. Held only to clone.
    secrets: RwLock<Option<Arc<BTreeMap<String, String>>>>,
    /// Replaced by a deploy. Held only to clone.
    live: RwLock<Arc<Running>>,
}

/// What an app runs now.
#[derive(Clone)]
pub(crate) struct Running {
    pub(crate) stable: Arc<Version>,
    pub(crate) canary: Option<Canary>,
}

/// A version that some sockets get first.
#[derive(Clone)]
pub(crate) struct Canary {
    pub(crate) version: Arc<Version>,
    /// Of all sockets, by their ids.
    pub(crate) percent: u8,
}

/// What an app runs and how: never changes.
pub(crate) struct Version {
    /// As the catalogue counts them; 0 for an app's folder.
    pub(crate) number: u32,
    pub(crate) manifest: Manifest,
    pub(crate) digest: Digest,
    pub(crate) origin: Origin,
    pub(crate) settings: Arc<AppSettings>,
    pub(crate) web: WebSettings,
    pub(crate) config: Arc<BTreeMap<String, String>>,
    pub(crate) limits: runtime::Limits,
    pub(crate) trial: Trial,
    /// `None`: clients are not asked who they are.
    pub(crate) guard: Option<Guard>,
}

impl Tenant {
    pub(crate) fn new(running: Running, store: Store, timers: Arc<Timers>, logs: Arc<Logs>) -> Self {
        Self {
            name: running.stable.manifest.name.as_str().into(),
            logs,
            timers,
            quotas: Quotas::default(),
            store,
            secrets: RwLock::default(),
            live: RwLock::new(Arc::new(running)),
        }
    }

    pub(crate) fn running(&self) -> Arc<Running> {
        Arc::clone(&self.live.read())
    }

    /// The version whose settings hold.
    pub(crate) fn version(&self) -> Arc<Version> {
        Arc::clone(&self.live.read().stable)
    }

    /// Of the component that is live.
    pub(crate) fn digest(&self) -> String {
        self.version().digest.to_string()
    }

    pub(crate) fn replace(&self, running: Running) {
        *self.live.write() = Arc::new(running);
    }

    pub(crate) fn secrets(&self) -> Option<Arc<BTreeMap<String, String>>> {
        self.secrets.read().clone()
    }

    pub(crate) fn set_secrets(&self, secrets: BTreeMap<String, String>) {
        *self.secrets.write() = Some(Arc::new(secrets));
    }
}

impl Running {
    pub(crate) fn only(version: Version) -> Self {
        Self {
            stable: Arc::new(version),
            canary: None,
        }
    }
}

/// Whether a socket is among the `percent` of all that get a version first: the same on every node, and after a recovery.
pub(crate) fn is_among(socket: &str, percent: u8) -> bool {
    // FNV-1a, its high half: ids are random, so any spread will do.
    let hash = socket.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash >> 32) % 100 < u64::from(percent)
}

impl Version {
    /// Compiles the component of an app's folder, on another thread. Reads its file: blocks for a moment.
    pub(crate) async fn load(app: &AppDir, shelf: &Shelf, cores: usize) -> Result<Self, BuildError> {
        let component = compile(app, shelf).await?;
        let origin = Origin::File(app.component.clone());
        let made = Self::assemble(
            0,
            app.manifest.clone(),
            component.digest(),
            origin,
            app.assets.clone(),
            cores,
        );
        let version = made.map_err(|problem| ConfigError {
            place: app.manifest_path.display().to_string(),
            problem,
        })?;
        shelf.put(&component, version.keep());
        Ok(version)
    }

    /// A version that was uploaded. Its manifest was checked then; an operator may have lowered ceilings since.
    pub(crate) fn uploaded(
        name: &str,
        live: &Live,
        ceilings: &Ceilings,
        assets: &Path,
        cores: usize,
    ) -> Result<Self, String> {
        let manifest = Manifest::parse(&live.manifest, "wakeline.toml", name, ceilings);
        let manifest = manifest.map_err(|errors| errors.to_string())?;
        let dir = live.assets.map(|digest| assets.join(Digest(digest).to_string()));
        let digest = Digest(live.component);
        let version = Self::assemble(live.version, manifest, digest, Origin::Blob, dir, cores)?;
        Ok(Self {
            trial: Trial::since(live.since_ms, now_ms()),
            ..version
        })
    }

    fn assemble(
        number: u32,
        manifest: Manifest,
        digest: Digest,
        origin: Origin,
        assets: Option<PathBuf>,
        cores: usize,
    ) -> Result<Self, String> {
        let origins = Origins::parse(&manifest.origins_allow);
        let origins = origins.map_err(|error| format!("origins.allow: {error}"))?;
        Ok(Self {
            number,
            digest,
            origin,
            settings: Arc::new(translate::settings(&manifest)),
            web: WebSettings {
                raw_websocket: manifest.raw.websocket.clone(),
                raw_engineio: manifest.raw.engineio.clone(),
                assets,
                origins,
                credentials: true,
                compression: true,
                cookie: None,
            },
            config: Arc::new(manifest.config.clone()),
            limits: translate::limits(&manifest, cores),
            trial: Trial::over(),
            guard: Guard::new(&manifest)?,
            manifest,
        })
    }

    /// How long its code stays in memory once nobody calls it.
    pub(crate) fn keep(&self) -> Duration {
        self.manifest.sleep.code
    }

    pub(crate) fn wanted(&self) -> Wanted<'_> {
        Wanted {
            digest: self.digest,
            origin: &self.origin,
            limits: translate::compile_limits(&self.manifest),
            keep: self.keep(),
        }
    }
}

/// Compiles an app's component without serving it; answers its digest. Blocking.
pub fn check_component(app: &AppDir) -> Result<String, BuildError> {
    let shelf = crate::rooms::checking_shelf()?;
    let component = crate::rooms::small_runtime()?.block_on(compile(app, &shelf))?;
    Ok(component.digest().to_string())
}

async fn compile(app: &AppDir, shelf: &Shelf) -> Result<Component, BuildError> {
    let name = || app.manifest.name.clone();
    let path = app.component.clone();
    let bytes = fs::read(&path).map_err(|source| BuildError::NoComponent {
        app: name(),
        path: path.clone(),
        source,
    })?;
    let compiled = shelf
        .compile(bytes.into(), translate::compile_limits(&app.manifest))
        .await;
    compiled.map_err(|error| BuildError::Component {
        app: name(),
        path,
        reason: error.to_string(),
    })
}
