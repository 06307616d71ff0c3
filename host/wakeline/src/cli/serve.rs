use std::path::PathBuf;

use clap::Args;
use server::Strings;

/// Every option can come from a variable (`WAKELINE_LISTEN` for `--listen`) or from the file of `--config`
/// (`listen = "…"`). Options win over variables, variables over the file.
#[derive(Args)]
pub(crate) struct Serve {
    /// Folders of apps to serve beside those that are deployed here
    #[arg(value_name = "APP_DIR")]
    pub(crate) apps: Vec<PathBuf>,
    /// Where clients connect; port 0 picks a free one [default: 127.0.0.1:3000]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Where operators connect [default: 127.0.0.1:3001]
    #[arg(long, value_name = "ADDR")]
    admin: Option<String>,
    /// Where sessions, state, messages and the admin token are kept [default: wakeline-data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// This node's name [default: the machine's]
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// Servers of NATS, commas between: makes this one of several nodes [default: alone, without NATS]
    #[arg(long, value_name = "URL")]
    nats: Option<String>,
    /// Where other nodes connect [default: 0.0.0.0:3002]; with --nats
    #[arg(long, value_name = "ADDR")]
    cluster_listen: Option<String>,
    /// What other nodes connect to, if it is not that [default: found out]
    #[arg(long, value_name = "HOST:PORT")]
    cluster_advertise: Option<String>,
    /// Credentials file of NATS
    #[arg(long, value_name = "FILE")]
    nats_credentials: Option<String>,
    /// First part of all NATS subjects and streams [default: wakeline]
    #[arg(long, value_name = "WORD")]
    nats_prefix: Option<String>,
    /// Copies of each JetStream stream [default: 3 where there are 3 servers, else 1]
    #[arg(long, value_name = "N")]
    nats_replicas: Option<String>,
    /// Certificates in PEM; with --tls-key
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<String>,
    /// The certificate's private key in PEM
    #[arg(long, value_name = "FILE")]
    tls_key: Option<String>,
    /// Proxies whose X-Forwarded-* headers are believed; may be repeated
    #[arg(long, value_name = "CIDR")]
    trusted_proxy: Vec<String>,
    /// Operators' token: at least 32 characters [default: made in the data folder]
    #[arg(long, value_name = "FILE")]
    admin_token_file: Option<String>,
    /// Threads that serve, one to a core [default: all cores]
    #[arg(long, value_name = "N")]
    cores: Option<String>,
    /// Connections at once [default: as many as the process may open files]
    #[arg(long, value_name = "N")]
    connections: Option<String>,
    /// How long clients may take to move elsewhere after SIGTERM [default: 25000]
    #[arg(long, value_name = "MS")]
    drain_ms: Option<String>,
    /// How the log on stderr is written: text or json; what is in it: WAKELINE_LOG [default: text]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// Trace every call, not only those whose client or backend does
    #[arg(long)]
    trace: bool,
    /// Where apps' clients find them, {app} for the name [default: LISTEN/{app}/]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// What apps' secrets are sealed with, the same on all nodes [default: made in the data folder]
    #[arg(long, value_name = "FILE")]
    secrets_key_file: Option<String>,
    /// Machine code of apps that is kept in memory [default: 1073741824]
    #[arg(long, value_name = "BYTES")]
    code_bytes: Option<String>,
    /// Instances of all apps that may live at once, each with 8 GiB of address space [default: 10000]
    #[arg(long, value_name = "N")]
    instances: Option<String>,
    /// More settings, and [ceilings] over what apps may ask for, in TOML
    #[arg(long, value_name = "FILE", env = "WAKELINE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
}

/// The options as the topmost layer of settings.
impl Strings for Serve {
    fn get(&self, name: &str) -> Option<String> {
        match name {
            "listen" => self.listen.clone(),
            "admin" => self.admin.clone(),
            "data" => self.data.clone(),
            "node" => self.node.clone(),
            "nats" => self.nats.clone(),
            "nats_credentials" => self.nats_credentials.clone(),
            "nats_prefix" => self.nats_prefix.clone(),
            "nats_replicas" => self.nats_replicas.clone(),
            "cluster_listen" => self.cluster_listen.clone(),
            "cluster_advertise" => self.cluster_advertise.clone(),
            "tls_cert" => self.tls_cert.clone(),
            "tls_key" => self.tls_key.clone(),
            "trusted_proxy" => (!self.trusted_proxy.is_empty()).then(|| self.trusted_proxy.join(",")),
            "admin_token_file" => self.admin_token_file.clone(),
            "cores" => self.cores.clone(),
            "connections" => self.connections.clone(),
            "drain_ms" => self.drain_ms.clone(),
            "log_format" => self.log_format.clone(),
            "trace" => self.trace.then(|| "true".to_owned()),
            "url" => self.url.clone(),
            "secrets_key_file" => self.secrets_key_file.clone(),
            "code_bytes" => self.code_bytes.clone(),
            "instances" => self.instances.clone(),
            _ => None,
        }
    }

    fn spell(&self, name: &str) -> String {
        format!("--{}", name.replace('_', "-"))
    }
}
