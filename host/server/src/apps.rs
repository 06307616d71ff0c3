//! Apps as they are loaded: manifest, compiled code, and what the rooms need to know of both.
use std::{collections::BTreeMap, fs, io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use backplane::Backplane;
use parking_lot::RwLock;
use platform::{AppDir, Manifest};
use runtime::{CompileLimits, Component, Digest, Engine};
use session::AppSettings;
use transport::{Origins, WebSettings};

use crate::{ConfigError, logs::Logs, store::Store, timers::Timers, token::TokenError, translate};

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

/// One app on this node: what stays when its version changes. Shared by all cores.
pub(crate) struct Tenant {
    pub(crate) name: Arc<str>,
    pub(crate) logs: Arc<Logs>,
    pub(crate) store: Store,
    pub(crate) timers: Timers,
    /// Replaced by a reload. Held only to clone.
    version: RwLock<Arc<Version>>,
}

/// What an app runs and how: replaced as a whole.
pub(crate) struct Version {
    pub(crate) manifest: Manifest,
    pub(crate) component: Component,
    pub(crate) settings: Arc<AppSettings>,
    pub(crate) web: WebSettings,
    pub(crate) config: Arc<BTreeMap<String, String>>,
    pub(crate) limits: runtime::Limits,
}

impl Tenant {
    pub(crate) async fn new(
        version: Version,
        backplane: Arc<dyn Backplane>,
        logs: Arc<Logs>,
    ) -> Result<Self, backplane::Error> {
        let store = Store::new(backplane, &version.manifest.name);
        Ok(Self {
            name: version.manifest.name.as_str().into(),
            logs,
            timers: Timers::load(&store).await?,
            store,
            version: RwLock::new(Arc::new(version)),
        })
    }

    pub(crate) fn version(&self) -> Arc<Version> {
        Arc::clone(&self.version.read())
    }

    /// Of the component that is live.
    pub(crate) fn digest(&self) -> String {
        self.version().component.digest().to_string()
    }

    pub(crate) fn replace(&self, version: Arc<Version>) {
        *self.version.write() = version;
    }
}

impl Version {
    /// Compiles the component, on another thread, and translates the manifest. Reads its file: blocks for a moment.
    pub(crate) async fn load(app: &AppDir, engine: &Engine, cores: usize) -> Result<Self, BuildError> {
        let manifest = app.manifest.clone();
        let component = compile(app, engine).await?;
        let origins = Origins::parse(&manifest.origins_allow).map_err(|error| {
            let place = format!("{}: origins.allow", app.manifest_path.display());
            ConfigError {
                place,
                problem: error.to_string(),
            }
        })?;
        Ok(Self {
            component,
            settings: Arc::new(translate::settings(&manifest)),
            web: WebSettings {
                raw_websocket: manifest.raw.websocket.clone(),
                raw_engineio: manifest.raw.engineio.clone(),
                assets: app.assets.clone(),
                origins,
                credentials: true,
                compression: true,
                cookie: None,
            },
            config: Arc::new(manifest.config.clone()),
            limits: translate::limits(&manifest, cores),
            manifest,
        })
    }
}

/// Compiles an app's component without serving it; answers its digest. Blocking.
pub fn check_component(app: &AppDir) -> Result<String, BuildError> {
    let engine = crate::rooms::checking_engine()?;
    let component = crate::rooms::small_runtime()?.block_on(compile(app, &engine))?;
    Ok(component.digest().to_string())
}

async fn compile(app: &AppDir, engine: &Engine) -> Result<Component, BuildError> {
    let name = || app.manifest.name.clone();
    let path = app.component.clone();
    let bytes = fs::read(&path).map_err(|source| BuildError::NoComponent {
        app: name(),
        path: path.clone(),
        source,
    })?;
    if let Some(component) = engine.load(Digest::of(&bytes)) {
        return Ok(component);
    }
    let compiled = engine.compile(bytes.into(), COMPILE_LIMITS).await;
    compiled.map_err(|error| BuildError::Component {
        app: name(),
        path,
        reason: error.to_string(),
    })
}

const COMPILE_LIMITS: CompileLimits = CompileLimits {
    wasm_bytes_max: 64 * 1024 * 1024,
    time_max: Duration::from_secs(120),
};
