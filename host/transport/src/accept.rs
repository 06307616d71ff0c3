use std::{
    future::poll_fn,
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr},
    pin::pin,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::Either;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use session::{Apps, Hub, spawn_local};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch},
    time::{Instant, sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    TransportConfig, Web,
    cluster::Outward,
    direct,
    front::Front,
    service::{Client, Side, handle},
    stream::Stream,
    websocket::poll_read_some,
};

/// What a core's listener serves. Everything but the configuration is this core's own.
pub struct Site {
    pub hub: Hub,
    pub apps: Rc<dyn Apps>,
    pub web: Rc<dyn Web>,
    pub config: Rc<TransportConfig>,
}

/// Held by a connection for its life, as HTTP and as WebSocket, on whatever core.
pub(crate) struct Lease {
    _permit: OwnedSemaphorePermit,
    /// [`serve`] ends when the last of these is dropped.
    _alive: mpsc::Sender<()>,
}

/// Accepts and serves connections on this thread until `shutdown`, then lets them end: idle ones at once, others
/// after the answer they wait for, a WebSocket when the hub closes it. Ends when the last one has; drop the future
/// to stop waiting. Must run within a `LocalSet`.
pub async fn serve(listener: TcpListener, site: Site, shutdown: impl Future<Output = ()>) {
    let (drain, draining) = watch::channel(());
    let outward = site.config.cluster.as_ref().map(|peering| {
        Rc::new(Outward {
            peering: Arc::clone(peering),
            stopping: draining.clone(),
        })
    });
    let permits = Arc::clone(&site.config.connections);
    let door = Door {
        builder: builder(&site.config, &Room::PUBLIC),
        side: Side::Public(outward),
        tls: site.config.tls.clone(),
        permits,
        draining,
    };
    admit(listener, site, door, drain, shutdown).await;
}

/// As [`serve`], for the other nodes of the cluster: requests for this node's sessions, and questions. Plain text; every
/// request must be sealed with the cluster's key, and is answered as if its client had come here itself.
/// `site.config.cluster` must be there.
pub async fn serve_cluster(listener: TcpListener, site: Site, shutdown: impl Future<Output = ()>) {
    let Some(peering) = site.config.cluster.clone() else {
        unreachable!("a listener for other nodes, and no key to know them by");
    };
    let (drain, draining) = watch::channel(());
    let door = Door {
        builder: builder(&site.config, &Room::CLUSTER),
        side: Side::Cluster(peering),
        tls: None,
        permits: Arc::clone(&site.config.cluster_connections),
        draining,
    };
    admit(listener, site, door, drain, shutdown).await;
}

/// What one listener's connections have in common.
struct Door {
    builder: Builder<LocalExec>,
    side: Side,
    tls: Option<Arc<rustls::ServerConfig>>,
    permits: Arc<Semaphore>,
    /// Ends with the listener.
    draining: watch::Receiver<()>,
}

async fn admit(
    listener: TcpListener,
    site: Site,
    door: Door,
    drain: watch::Sender<()>,
    shutdown: impl Future<Output = ()>,
) {
    let (site, door) = (Rc::new(site), Rc::new(door));
    let (alive, mut over) = mpsc::channel(1);
    let mut shutdown = pin!(shutdown);
    loop {
        let (tcp, peer) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accept(&listener) => accepted,
        };
        let Ok(permit) = Arc::clone(&door.permits).try_acquire_owned() else {
            turn_away(&tcp);
            continue;
        };
        let lease = Arc::new(Lease {
            _permit: permit,
            _alive: alive.clone(),
        });
        spawn_local(connection(
            tcp,
            peer.ip(),
            lease,
            Rc::clone(&site),
            Rc::clone(&door),
        ));
    }
    drop(listener);
    drop(drain);
    drop(alive);
    // Nothing is ever sent: this is `None` when no lease is left.
    let _none: Option<()> = over.recv().await;
}

/// Never fails: what can go wrong is the next client's, or passes when descriptors are given back.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(e) if is_the_peers(&e) => tracing::debug!(error = %e, "a client left before it was accepted"),
            Err(e) => {
                tracing::error!(error = %e, "cannot accept connections; trying again in {ACCEPT_PAUSE:?}");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_the_peers(e: &io::Error) -> bool {
    use ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(e.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// The node has all the connections it may. What fits in the socket's buffer is said, nothing is waited for.
fn turn_away(tcp: &TcpStream) {
    tracing::warn!("connection turned away: the node has as many as it may");
    let words: &[u8] =
        b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    if let Err(e) = tcp.try_write(words) {
        tracing::debug!(error = %e, "could not even be told");
    }
}

async fn connection(tcp: TcpStream, peer: IpAddr, lease: Arc<Lease>, site: Rc<Site>, door: Rc<Door>) {
    // Small frames and answers are whole: waiting for more of them gains nothing.
    if let Err(e) = tcp.set_nodelay(true) {
        tracing::debug!(error = %e, "no TCP_NODELAY");
    }
    let tls = door.tls.clone();
    let client = Client::new(Rc::clone(&site), door.side.clone(), peer, tls.is_some(), lease);
    let client = Rc::new(client);
    let mut stream = match tls {
        None => Stream::Plain(tcp),
        Some(config) => {
            let accepting = TlsAcceptor::from(config).accept(tcp);
            match timeout(site.config.header_read_timeout, accepting).await {
                Ok(Ok(tls)) => Stream::Tls(Box::new(tls)),
                Ok(Err(e)) => return tracing::debug!(error = %e, "no TLS"),
                Err(_) => return tracing::debug!("TLS handshake too slow"),
            }
        }
    };
    let patience = site.config.keep_alive_timeout;
    let Some(early) = first_bytes(&mut stream, patience, door.draining.clone()).await else {
        return tracing::debug!("connection ended before it said anything");
    };
    if let Err(front) = direct::open(&client, stream, early) {
        // Boxed: a connection that becomes a WebSocket at once need not make room for it.
        Box::pin(speak(front, client, &door.builder, door.draining.clone())).await;
    }
}

/// What a connection begins with. `None`: nothing came, for too long, to the end, or until the listener closed.
async fn first_bytes(
    stream: &mut Stream,
    patience: Duration,
    draining: watch::Receiver<()>,
) -> Option<Bytes> {
    tokio::select! {
        biased;
        read = poll_fn(|cx| poll_read_some(stream, cx)) => read.ok().filter(|bytes| !bytes.is_empty()),
        () = drained(draining) => None,
        () = sleep(patience) => None,
    }
}

/// Speaks HTTP until the connection ends, is upgraded, or has been idle for too long.
async fn speak(
    front: Front,
    client: Rc<Client>,
    builder: &Builder<LocalExec>,
    draining: watch::Receiver<()>,
) {
    let keep_alive = client.site.config.keep_alive_timeout;
    let service = {
        let client = Rc::clone(&client);
        hyper::service::service_fn(move |request| handle(Rc::clone(&client), request))
    };
    let mut http = pin!(builder.serve_connection_with_upgrades(TokioIo::new(front), service));
    let mut idle = pin!(sleep(keep_alive));
    let mut draining = pin!(drained(draining));
    let mut ending = false;
    loop {
        tokio::select! {
            // What has come already counts, even if nobody looked at it in time.
            biased;
            ended = &mut http => {
                if let Err(e) = ended {
                    // The peer's doing, always: resets, nonsense, silence.
                    tracing::debug!(error = %e, "connection ended");
                }
                return;
            }
            () = if ending { Either::Left(std::future::pending()) } else { Either::Right(&mut draining) } => {
                ending = true;
                http.as_mut().graceful_shutdown();
            }
            () = &mut idle => {
                let idle_since = client.idle_since();
                let until = idle_since.map_or_else(|| Instant::now() + keep_alive, |since| since + keep_alive);
                if until > Instant::now() {
                    idle.as_mut().reset(until);
                } else if ending {
                    // An HTTP/2 peer that was told to go and does not.
                    return;
                } else {
                    ending = true;
                    http.as_mut().graceful_shutdown();
                    idle.as_mut().reset(Instant::now() + GOODBYE);
                }
            }
        }
    }
}

/// Ends when the sender is dropped.
async fn drained(mut draining: watch::Receiver<()>) {
    while draining.changed().await.is_ok() {}
}

/// What the two kinds of listener allow a connection.
struct Room {
    /// Of HTTP/2, at once.
    streams_max: u32,
    /// Of those, reset by the peer before they were looked at.
    resets_max: usize,
    /// Beyond what clients may send.
    more_headers: usize,
    more_head_bytes: usize,
}

impl Room {
    /// A client has one poll and one post at once; a proxy may carry many clients. Resets: as the library has it.
    const PUBLIC: Self = Self {
        streams_max: 200,
        resets_max: 20,
        more_headers: 0,
        more_head_bytes: 0,
    };
    /// A node carries many clients, who may all go at once. It adds its own headers to the client's, and HTTP/2
    /// counts 32 bytes more for each header line than HTTP/1.1.
    const CLUSTER: Self = Self {
        streams_max: 16 * 1024,
        resets_max: 16 * 1024,
        more_headers: 16,
        more_head_bytes: 8 * 1024,
    };
}

fn builder(config: &TransportConfig, room: &Room) -> Builder<LocalExec> {
    let head_bytes_max = config.head_bytes_max + room.more_head_bytes;
    let mut builder = Builder::new(LocalExec);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(config.header_read_timeout)
        .max_headers(config.headers_max + room.more_headers)
        .max_buf_size(head_bytes_max.max(HEAD_BYTES_MIN));
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(config.keep_alive_timeout))
        .max_concurrent_streams(room.streams_max)
        .max_pending_accept_reset_streams(room.resets_max)
        .max_header_list_size(u32::try_from(head_bytes_max).unwrap_or(u32::MAX))
        .max_send_buf_size(HTTP2_SEND_BYTES_MAX);
    builder
}

/// Spawns on this thread: sessions and their services are not `Send`.
#[derive(Clone, Copy)]
struct LocalExec;

impl<F: Future + 'static> hyper::rt::Executor<F> for LocalExec {
    fn execute(&self, future: F) {
        spawn_local(async move {
            future.await;
        });
    }
}

/// Out of descriptors, mostly: others must end first.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// For a peer to end a connection that it was told to end.
const GOODBYE: Duration = Duration::from_secs(5);
/// hyper takes no less.
const HEAD_BYTES_MIN: usize = 8 * 1024;
/// For one stream's answer, beyond what flow control lets go.
const HTTP2_SEND_BYTES_MAX: usize = 64 * 1024;
