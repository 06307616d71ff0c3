use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
    thread,
    time::Duration,
};

use platform::Ceilings;

use crate::{OnLog, Strings};

/// What a node is told. Made once, by [`Config::from_layers`] or [`Config::dev`].
#[derive(Clone)]
pub struct Config {
    /// Where clients connect. Port 0: any free one.
    pub listen: SocketAddr,
    /// `None`: no admin listener.
    pub admin: Option<Admin>,
    /// `None`: everything is kept in memory and ends with the process.
    pub data: Option<PathBuf>,
    pub node: String,
    /// `None`: this node is alone, its backplane in its data folder.
    pub cluster: Option<Cluster>,
    pub tls: Option<TlsFiles>,
    /// Addresses and networks whose `X-Forwarded-*` are believed.
    pub trusted_proxies: Vec<String>,
    /// Folders of the apps.
    pub apps: Vec<PathBuf>,
    /// Whether the one app answers where neither host nor path names one.
    pub app_at_root: bool,
    /// Threads that serve.
    pub cores: NonZeroUsize,
    /// TCP connections at once.
    pub connections_max: usize,
    /// How long clients may take to move elsewhere once the node drains.
    pub drain: Duration,
    /// Where an app's clients find it, `{app}` for its name; `None`: below the address that listens.
    pub url: Option<String>,
    /// What apps' secrets are sealed with; the same on all nodes. `None`: made in the data folder of a node that is alone.
    pub secrets_key_file: Option<PathBuf>,
    /// Machine code kept in memory, of all apps.
    pub code_bytes_max: u64,
    /// Instances of all apps that may live at once. Each takes 8 GiB of address space, and memory for what it uses of that.
    pub instances_max: NonZeroU32,
    pub ceilings: Ceilings,
    /// Whether the process's own log is JSON lines. For whoever writes it; the server does not.
    pub log_json: bool,
    /// Whether calls are traced that no client or backend traces.
    pub trace: bool,
    pub on_log: Option<OnLog>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    pub listen: SocketAddr,
    /// `None`: the token is made in the data folder.
    pub token_file: Option<PathBuf>,
}

/// How this node meets the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Servers of NATS: one address or several, with commas between.
    pub nats: String,
    /// Credentials file of NATS.
    pub nats_credentials: Option<PathBuf>,
    /// First token of every subject and stream: several clusters may share a NATS account.
    pub nats_prefix: String,
    /// Copies of every stream; 0: three where there are three servers, else one.
    pub nats_replicas: u8,
    /// Where other nodes connect.
    pub listen: SocketAddr,
    /// What they are told to connect to; `None`: the address that leads to NATS, or `listen` if that names one.
    pub advertise: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// A setting that cannot be. The operator is at fault.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{place}: {problem}")]
pub struct ConfigError {
    /// As the operator wrote it: `--listen`, `WAKELINE_LISTEN`, `node.toml: listen`.
    pub place: String,
    pub problem: String,
}

/// Names of the settings in a file; options and variables are spelled after them.
pub(crate) const SETTINGS: &[&str] = &[
    "listen",
    "admin",
    "data",
    "node",
    "nats",
    "nats_credentials",
    "nats_prefix",
    "nats_replicas",
    "cluster_listen",
    "cluster_advertise",
    "tls_cert",
    "tls_key",
    "trusted_proxy",
    "admin_token_file",
    "cores",
    "connections",
    "drain_ms",
    "url",
    "secrets_key_file",
    "code_bytes",
    "instances",
    "log_format",
    "trace",
];

impl Config {
    /// A node that serves. The first layer that has a setting gives it.
    pub fn from_layers(layers: &[&dyn Strings], apps: &[PathBuf]) -> Result<Self, ConfigError> {
        let layers = Layers(layers);
        let tls = match (layers.path("tls_cert"), layers.path("tls_key")) {
            (Some(cert), Some(key)) => Some(TlsFiles { cert, key }),
            (None, None) => None,
            (Some(_), None) => return Err(layers.missing("tls_cert", "tls_key")),
            (None, Some(_)) => return Err(layers.missing("tls_key", "tls_cert")),
        };
        let admin = Admin {
            listen: layers
                .parse("admin", "an address and port such as 127.0.0.1:3001")?
                .unwrap_or(DEFAULT_ADMIN),
            token_file: layers.path("admin_token_file"),
        };
        let proxies = layers.text("trusted_proxy").unwrap_or_default();
        let drain_ms = layers
            .parse("drain_ms", "a number of milliseconds")?
            .unwrap_or(DEFAULT_DRAIN_MS);
        Ok(Self {
            listen: layers
                .parse("listen", "an address and port such as 127.0.0.1:3000")?
                .unwrap_or(DEFAULT_LISTEN),
            admin: Some(admin),
            data: Some(layers.path("data").unwrap_or_else(|| DEFAULT_DATA.into())),
            node: layers.text("node").unwrap_or_else(machine_name),
            cluster: layers.cluster()?,
            tls,
            trusted_proxies: list(&proxies),
            apps: apps.to_vec(),
            app_at_root: false,
            cores: layers
                .parse("cores", "a number of threads, at least 1")?
                .unwrap_or_else(all_cores),
            connections_max: layers
                .parse("connections", "a number of connections")?
                .unwrap_or_else(connections),
            drain: Duration::from_millis(drain_ms),
            url: layers.url()?,
            secrets_key_file: layers.path("secrets_key_file"),
            code_bytes_max: layers
                .parse("code_bytes", "a number of bytes")?
                .unwrap_or(DEFAULT_CODE_BYTES),
            instances_max: layers
                .parse("instances", "a number of instances, at least 1")?
                .unwrap_or(DEFAULT_INSTANCES),
            ceilings: Ceilings::none(),
            log_json: matches!(layers.parse("log_format", "text or json")?, Some(LogFormat::Json)),
            trace: layers.parse("trace", "true or false")?.unwrap_or(false),
            on_log: None,
        })
    }

    /// One app on an author's machine: no admin listener, in memory unless told otherwise, and nobody to drain for.
    pub fn dev(app: PathBuf, listen: SocketAddr, data: Option<PathBuf>) -> Self {
        Self {
            listen,
            admin: None,
            data,
            node: "dev".to_owned(),
            cluster: None,
            tls: None,
            trusted_proxies: Vec::new(),
            apps: vec![app],
            app_at_root: true,
            cores: all_cores(),
            connections_max: connections(),
            drain: Duration::ZERO,
            url: None,
            secrets_key_file: None,
            code_bytes_max: DEFAULT_CODE_BYTES,
            instances_max: DEFAULT_INSTANCES_DEV,
            ceilings: Ceilings::none(),
            log_json: false,
            trace: false,
            on_log: None,
        }
    }
}

const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 3000);
const DEFAULT_ADMIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 3001);
/// Every request there must carry the cluster's key.
const DEFAULT_CLUSTER_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 3002);
const DEFAULT_DATA: &str = "wakeline-data";
/// Below the 30 s after which orchestrators kill what they asked to end.
const DEFAULT_DRAIN_MS: u64 = 25_000;

/// Copies that JetStream can keep of a stream so that losing one server loses none of them, or 0.
struct Replicas(u8);

impl std::str::FromStr for Replicas {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.parse() {
            Ok(replicas @ (0 | 1 | 3)) => Ok(Self(replicas)),
            _ => Err(()),
        }
    }
}

/// Some hundreds of handlers in Rust, whose code is 1 to 4 MB.
/// Near what a Linux process can map.
const DEFAULT_INSTANCES: NonZeroU32 = match NonZeroU32::new(10_000) {
    Some(instances) => instances,
    None => unreachable!(),
};
/// Where an author works, whose machine may allow less address space.
const DEFAULT_INSTANCES_DEV: NonZeroU32 = match NonZeroU32::new(1_000) {
    Some(instances) => instances,
    None => unreachable!(),
};
const DEFAULT_CODE_BYTES: u64 = 1 << 30;
enum LogFormat {
    Text,
    Json,
}

impl std::str::FromStr for LogFormat {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(()),
        }
    }
}

struct Layers<'a>(&'a [&'a dyn Strings]);

impl Layers<'_> {
    fn find(&self, name: &str) -> Option<(String, String)> {
        debug_assert!(SETTINGS.contains(&name), "{name} is no setting");
        self.0
            .iter()
            .find_map(|layer| Some((layer.get(name)?, layer.spell(name))))
    }

    fn text(&self, name: &str) -> Option<String> {
        self.find(name).map(|(value, _)| value)
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.text(name).map(PathBuf::from)
    }

    fn parse<T: std::str::FromStr>(&self, name: &str, expected: &str) -> Result<Option<T>, ConfigError> {
        let Some((value, place)) = self.find(name) else {
            return Ok(None);
        };
        let wrong = |_| ConfigError {
            place,
            problem: format!("expected {expected}, found {value:?}"),
        };
        value.parse().map(Some).map_err(wrong)
    }

    fn url(&self) -> Result<Option<String>, ConfigError> {
        let Some((url, place)) = self.find("url") else {
            return Ok(None);
        };
        if !url.contains("{app}") || !url.starts_with("http") {
            let problem = format!(
                "expected an address with {{app}} in it, such as https://{{app}}.example.com/, found {url:?}"
            );
            return Err(ConfigError { place, problem });
        }
        Ok(Some(url))
    }

    fn cluster(&self) -> Result<Option<Cluster>, ConfigError> {
        let Some(nats) = self.text("nats") else {
            let of_no_use = [
                "cluster_listen",
                "cluster_advertise",
                "nats_credentials",
                "nats_prefix",
                "nats_replicas",
            ];
            return match of_no_use.into_iter().find(|name| self.find(name).is_some()) {
                Some(given) => Err(self.missing(given, "nats")),
                None => Ok(None),
            };
        };
        Ok(Some(Cluster {
            nats,
            nats_credentials: self.path("nats_credentials"),
            nats_prefix: self.text("nats_prefix").unwrap_or_else(|| "wakeline".to_owned()),
            nats_replicas: self
                .parse("nats_replicas", "1 or 3 copies, or 0 for as many as there can be")?
                .map_or(0, |Replicas(replicas)| replicas),
            listen: self
                .parse("cluster_listen", "an address and port such as 10.0.0.5:3002")?
                .unwrap_or(DEFAULT_CLUSTER_LISTEN),
            advertise: self.text("cluster_advertise"),
        }))
    }

    fn missing(&self, given: &str, missing: &str) -> ConfigError {
        let place = self.find(given).map(|(_, place)| place).unwrap_or_default();
        let missing = self
            .0
            .first()
            .map(|layer| layer.spell(missing))
            .unwrap_or_default();
        ConfigError {
            place,
            problem: format!("is of no use without {missing}"),
        }
    }
}

fn list(text: &str) -> Vec<String> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect()
}

/// As many as this process may use: what `cores` is where nobody sets it.
#[must_use]
pub fn all_cores() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

fn machine_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() {
        "node".to_owned()
    } else {
        name.to_owned()
    }
}

/// As many as the process may open files, less what the node itself needs (listeners, stores, components, backends).
fn connections() -> usize {
    const OWN_FILES: usize = 256;
    const WHERE_UNKNOWN: usize = 16_384;
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let soft: Option<usize> = line
        .and_then(|line| line.split_whitespace().next())
        .and_then(|soft| soft.parse().ok());
    soft.map_or(WHERE_UNKNOWN, |soft| soft.saturating_sub(OWN_FILES).max(16))
}
