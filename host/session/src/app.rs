use std::{rc::Rc, sync::Arc, time::Duration};

use backplane::Window;
use futures_util::future::LocalBoxFuture;
use router::{Call, Effect, Failure};

use crate::{AuthSettings, Quota, Rates, TokenPlace};

/// An app's code, as a session sees it: implemented by the server with the Wasm runtime, by tests with closures.
/// One instance a core; never called from another thread.
pub trait App: 'static {
    /// Runs one call to its end. Key-value writes of the call are stored when this answers; the effects are
    /// the session's to carry out. A dropped future aborts the call.
    fn call(&self, call: Call) -> LocalBoxFuture<'static, Result<Vec<Effect>, Failure>>;
}

/// Finds apps by name. One instance a core.
pub trait Apps: 'static {
    /// `None` if there is no such app.
    fn find(&self, name: &str) -> Option<Rc<AppEntry>>;
}

/// An app on this core: its settings may be replaced (a new entry), its code is.
pub struct AppEntry {
    pub name: Arc<str>,
    pub settings: Arc<AppSettings>,
    pub code: Rc<dyn App>,
    /// The app's on this node, whatever its settings.
    pub quota: Arc<Quota>,
}

/// What a session needs of an app's manifest.
#[derive(Clone, Debug)]
pub struct AppSettings {
    pub engine: Arc<engineio::Settings>,
    /// Namespaces that clients may join. Others get `Invalid namespace`.
    pub namespaces: Vec<Arc<str>>,
    /// A connection that joined no namespace for this long is closed.
    pub connect_timeout: Duration,
    /// `None`: no recovery, no `pid`, no offsets.
    pub recovery: Option<RecoverySettings>,
    /// How clients that know nothing of recovery are known again; of use with `recovery` only.
    pub token: Option<TokenPlace>,
    /// `None`: clients are not asked who they are.
    pub auth: Option<AuthSettings>,
    /// Bytes that may wait for one slow client; beyond, its connection is closed (it recovers).
    pub queue_bytes_max: usize,
    pub rooms_per_socket_max: usize,
    /// Events of one socket that may wait for its handler; beyond, the connection is no longer read.
    pub events_queued_max: usize,
    /// Sessions of this app on this node.
    pub sessions_max: usize,
    pub rates: Rates,
}

impl AppSettings {
    /// How much of the app's log is to be kept. Its age is more than the recovery window: a client that comes back at the
    /// window's end goes on from where its record says, and that is from before it was lost.
    pub(crate) fn log_window(&self) -> Window {
        let Some(recovery) = self.recovery else {
            return Window {
                age: Duration::ZERO,
                packets_max: 0,
                bytes_max: 0,
            };
        };
        let (interval, timeout) = (self.engine.ping_interval, self.engine.ping_timeout);
        // A record's position is renewed by the first heartbeat that finds it old, and says what its client had at the
        // pong before that.
        let written = recovery.window / RENEWED + interval;
        let confirmed = interval + timeout;
        Window {
            age: recovery.window + written + confirmed + SLACK,
            packets_max: recovery.packets_max,
            bytes_max: recovery.bytes_max,
        }
    }
}

/// The share of the recovery window, or of its packets, after which a living socket's record is renewed.
pub(crate) const RENEWED: u32 = 4;
/// For nodes that read late, and writes that are tried again.
const SLACK: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecoverySettings {
    pub window: Duration,
    pub packets_max: u64,
    pub bytes_max: u64,
}
