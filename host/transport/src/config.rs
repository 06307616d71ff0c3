use std::{path::PathBuf, rc::Rc, sync::Arc, time::Duration};

use tokio::sync::Semaphore;

use crate::{Origins, Peering, TrustedProxies};

/// What one listener is told. The same values for every core of a node.
pub struct TransportConfig {
    /// The app that answers where neither host nor path names one (`wakeline dev`).
    pub default_app: Option<String>,
    /// Peers whose `X-Forwarded-*` headers are believed.
    pub trusted_proxies: TrustedProxies,
    /// Offers h2 and HTTP/1.1 over TLS. `None`: plain text, both protocols by their first bytes.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// One permit a TCP connection, as HTTP or as a WebSocket. Shared by all cores: descriptors are the process's.
    pub connections: Arc<Semaphore>,
    /// The other nodes, whose sessions' requests are sent there. `None`: this node is alone.
    pub cluster: Option<Arc<Peering>>,
    /// One permit a TCP connection that other nodes open here: one a core of theirs, and one a WebSocket of this node's
    /// sessions whose client is connected there. Apart from `connections`, so that neither starves the other; no fewer
    /// than those.
    pub cluster_connections: Arc<Semaphore>,
    /// A request's head must be complete this long after the connection began to wait for it. Bounds the wait
    /// between two requests of an HTTP/1.1 connection too.
    pub header_read_timeout: Duration,
    /// A connection without a request in flight is closed after this.
    pub keep_alive_timeout: Duration,
    /// A request's body must be complete this long after its head.
    pub body_read_timeout: Duration,
    /// A WebSocket whose peer takes no byte for this long is cut.
    pub write_timeout: Duration,
    /// How long a WebSocket's peer may take to end the connection after a close frame was sent.
    pub close_timeout: Duration,
    /// Header lines of a request. Above: 431.
    pub headers_max: usize,
    /// Bytes of a request's head, at least 8,192. Above: 431.
    pub head_bytes_max: usize,
}

/// Finds an app's web settings. One instance a core.
pub trait Web: 'static {
    /// `None` if there is no such app.
    fn web(&self, app: &str) -> Option<Rc<WebSettings>>;
}

/// What the web sees of an app beside its sessions: the manifest's `[raw]`, `[assets]` and `[origins]`.
#[derive(Clone, Debug, Default)]
pub struct WebSettings {
    /// Path for a plain WebSocket, as `/ws`; matched whole.
    pub raw_websocket: Option<String>,
    /// Path of bare Engine.IO, as `/engine.io/`; matched as a prefix, its last slash included.
    pub raw_engineio: Option<String>,
    /// Directory of the app's files.
    pub assets: Option<PathBuf>,
    /// Other origins whose pages may connect. The app's own may always.
    pub origins: Origins,
    /// Whether allowed origins may send cookies (`Access-Control-Allow-Credentials`); never for `*`.
    pub credentials: bool,
    /// Whether answers to polls are compressed, from 1,024 bytes.
    pub compression: bool,
    /// A cookie that names the session, set on the handshake of a polling client.
    pub cookie: Option<Cookie>,
}

/// `Set-Cookie: {name}={sid}; Path=/; HttpOnly; SameSite=Lax`, for load balancers that route by cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// A token of RFC 6265, "io" by custom.
    pub name: String,
    pub secure: bool,
}
