//! Each room of the house as the configuration wants it.
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use backplane::{Backplane, Embedded};
use platform::{AppDir, SecretsKey};
use runtime::{Engine, EngineConfig};
use tokio::sync::Semaphore;
use transport::{TransportConfig, TrustedProxies};

use crate::{BuildError, Config, ConfigError, listen, shelf::Shelf};

/// Nodes whose connections this one takes all of.
const CLUSTER_NODES: usize = 16;
const COMPILE_QUEUE_MAX: usize = 1_024;
/// A slow peer may take this long over a request's head, its body, or a frame.
const SLOW_PEER: Duration = Duration::from_secs(30);

/// The engine, with its cache of compiled code in the data folder.
pub(crate) fn engine(config: &Config) -> Result<Engine, BuildError> {
    let engine = start_engine(
        config.instances_max.get(),
        config.data.as_deref(),
        config.cores.get(),
    )?;
    if let Err(error) = engine.forget_strange() {
        tracing::warn!(%error, "code that another version compiled stays in the data folder");
    }
    Ok(engine)
}

/// Each core's part of the instances that may live at once: what the engine holds is never short, and nothing is shared.
pub(crate) fn instances_per_core(config: &Config) -> usize {
    (config.instances_max.get() as usize / config.cores.get()).max(1)
}

/// A shelf that compiles and checks, and keeps nothing.
pub(crate) fn checking_shelf() -> Result<Shelf, BuildError> {
    let engine = start_engine(1, None, 1)?;
    Ok(Shelf::new(engine, Arc::new(Embedded::in_memory()), 0))
}

/// What secrets are sealed with: a file of the operator's, or for a node alone one made in its data folder. Nodes of a
/// cluster that are given none refuse secrets.
pub(crate) fn secrets_key(config: &Config) -> Result<Option<SecretsKey>, BuildError> {
    let key = match (&config.secrets_key_file, &config.data, &config.cluster) {
        (Some(file), ..) => SecretsKey::read(file),
        (None, Some(data), None) => SecretsKey::read_or_make(data),
        (None, ..) => return Ok(None),
    };
    let key = key.map_err(|error| ConfigError {
        place: "secrets_key_file".to_owned(),
        problem: error.to_string(),
    })?;
    Ok(Some(key))
}

/// Where bundles of files are unpacked.
pub(crate) fn assets_dir(config: &Config) -> PathBuf {
    let data = config.data.clone().unwrap_or_else(std::env::temp_dir);
    data.join("assets")
}

/// Where apps' clients find them, `{app}` for the app's name.
pub(crate) fn url(config: &Config, listen: SocketAddr) -> String {
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let host = match listen.ip() {
        ip if ip.is_unspecified() => format!("{}:{}", config.node, listen.port()),
        _ => listen.to_string(),
    };
    config
        .url
        .clone()
        .unwrap_or_else(|| format!("{scheme}://{host}/{{app}}/"))
}

fn start_engine(instances_max: u32, data: Option<&Path>, threads: usize) -> Result<Engine, BuildError> {
    let config = EngineConfig {
        instances_max,
        calls_max: instances_max,
        // What wasm32 can address: how much an app may have is its limit's to say.
        memory_bytes_max: 4 << 30,
        cache_dir: data.map(|data| data.join("compiled")),
        compile_threads: threads,
        compile_queue_max: COMPILE_QUEUE_MAX,
    };
    Engine::new(config).map_err(|error| BuildError::Start(error.to_string()))
}

pub(crate) fn small_runtime() -> Result<tokio::runtime::Runtime, BuildError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| BuildError::Start(error.to_string()))
}

pub(crate) fn load_dirs(config: &Config) -> Result<Vec<AppDir>, BuildError> {
    let mut dirs: Vec<AppDir> = Vec::new();
    for path in &config.apps {
        let dir = AppDir::load(path, &config.ceilings)?;
        if let Some(first) = dirs.iter().find(|first| first.manifest.name == dir.manifest.name) {
            return Err(BuildError::TwoApps {
                name: dir.manifest.name,
                first: first.dir.clone(),
                second: dir.dir,
            });
        }
        dirs.push(dir);
    }
    Ok(dirs)
}

pub(crate) fn transport_config(
    config: &Config,
) -> Result<Arc<dyn Fn() -> TransportConfig + Send + Sync>, BuildError> {
    let trusted_proxies = TrustedProxies::parse(&config.trusted_proxies).map_err(|error| ConfigError {
        place: "trusted_proxy".to_owned(),
        problem: error.to_string(),
    })?;
    let tls = config
        .tls
        .as_ref()
        .map(|files| transport::tls_config(&files.cert, &files.key))
        .transpose()?;
    let connections = permits(config.connections_max);
    // As many as all other nodes of a large cluster may carry here together.
    let cluster_connections = permits(config.connections_max.saturating_mul(CLUSTER_NODES));
    let default_app = config.app_at_root.then(|| config.apps.first().cloned()).flatten();
    let default_app = default_app
        .map(|dir| AppDir::load(&dir, &config.ceilings))
        .transpose()?;
    let default_app = default_app.map(|app| app.manifest.name);
    Ok(Arc::new(move || TransportConfig {
        default_app: default_app.clone(),
        trusted_proxies: trusted_proxies.clone(),
        tls: tls.clone(),
        cluster: None,
        cluster_connections: Arc::clone(&cluster_connections),
        connections: Arc::clone(&connections),
        header_read_timeout: SLOW_PEER,
        keep_alive_timeout: Duration::from_secs(75),
        body_read_timeout: SLOW_PEER,
        write_timeout: SLOW_PEER,
        close_timeout: Duration::from_secs(5),
        headers_max: 100,
        head_bytes_max: 16 * 1024,
    }))
}

/// An operator may mean "no limit" by any number, where a semaphore panics above what it can count.
fn permits(count: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)))
}

/// Finds out whether a node could listen there, so that nobody waits for a build first. Another program may take the
/// port until it does.
pub fn check_listen(addr: SocketAddr) -> Result<(), BuildError> {
    bind(addr, 1).map(|_| ())
}

pub(crate) fn bind(
    addr: SocketAddr,
    listeners: usize,
) -> Result<(Vec<std::net::TcpListener>, SocketAddr), BuildError> {
    let wrong = |source| BuildError::Listen { addr, source };
    let listeners = listen::bind(addr, listeners).map_err(wrong)?;
    let bound = listeners
        .first()
        .map(std::net::TcpListener::local_addr)
        .transpose()
        .map_err(wrong)?;
    Ok((listeners, bound.unwrap_or(addr)))
}

pub(crate) fn open_backplane(data: Option<&Path>) -> Result<Arc<dyn Backplane>, BuildError> {
    let Some(data) = data else {
        return Ok(Arc::new(Embedded::in_memory()));
    };
    let opened = Embedded::open(data.join("store"));
    let opened = opened.map_err(|error| BuildError::Data {
        path: data.to_owned(),
        reason: error.to_string(),
    })?;
    Ok(Arc::new(opened))
}
