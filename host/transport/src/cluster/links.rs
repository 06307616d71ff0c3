use std::{collections::HashMap, io, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parking_lot::Mutex;
use session::Node;
use tokio::{
    net::TcpStream,
    runtime::{Handle, Id},
    sync::Semaphore,
    time::timeout,
};

/// HTTP/2 connections to other nodes, opened when first needed. One a runtime and node: it is driven by the runtime that
/// uses it, so no answer waits for another core's thread, and none is lost when that thread ends.
#[derive(Default)]
pub(super) struct Links(Mutex<HashMap<(Id, u64), Opening>>);

/// Why there is no answer from another node.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Missed {
    #[error("its address is none ({0})")]
    Nowhere(String),
    #[error("no connection ({0})")]
    Connect(Arc<io::Error>),
    #[error("the connection broke ({0})")]
    Broken(Arc<hyper::Error>),
    #[error("it took too long")]
    Late,
    #[error("its answer is too large")]
    TooLarge,
    /// The operator's doing. Its answer must not reach a client.
    #[error(
        "it does not believe this node: all need the same cluster key, and clocks within a minute of each other"
    )]
    Refused,
    /// Ours: nothing was sent.
    #[error("{STREAMS_MAX} requests for it are in flight already")]
    Busy,
}

/// Those who come while it opens wait for the same connection, or the same failure.
type Opening = Shared<BoxFuture<'static, Result<Link, Missed>>>;

#[derive(Clone)]
struct Link {
    sender: SendRequest<Full<Bytes>>,
    /// A permit a request in flight.
    streams: Arc<Semaphore>,
}

impl Links {
    /// Sends a request and reads its answer, of at most `bytes_max`, to the end. Dropped in mid-way, the request is reset.
    pub(super) async fn exchange(
        &self,
        node: &Node,
        mut request: Request<Full<Bytes>>,
        bytes_max: usize,
    ) -> Result<Response<Bytes>, Missed> {
        let mut is_second = false;
        loop {
            let mut link = self.link(node).await?;
            let _stream = link.streams.try_acquire().map_err(|_| Missed::Busy)?;
            let unsent = match link.sender.try_send_request(request).await {
                Ok(response) if response.status() == StatusCode::UNAUTHORIZED => return Err(Missed::Refused),
                Ok(response) => {
                    let (head, body) = response.into_parts();
                    let body = Limited::new(body, bytes_max).collect().await;
                    let body = body.map_err(Missed::from_body)?;
                    return Ok(Response::from_parts(head, body.to_bytes()));
                }
                Err(mut error) => match error.take_message() {
                    // The connection was about to end; nothing of the request has left.
                    Some(unsent) if !is_second => unsent,
                    _ => return Err(Missed::Broken(Arc::new(error.into_error()))),
                },
            };
            request = unsent;
            is_second = true;
        }
    }

    async fn link(&self, node: &Node) -> Result<Link, Missed> {
        let key = (Handle::current().id(), node.incarnation);
        let opening = {
            let mut links = self.0.lock();
            match links.get(&key) {
                Some(opening) if opening.is_usable() => opening.clone(),
                _ => {
                    links.retain(|_, opening| opening.is_usable());
                    let opening = open(node.address.clone()).boxed().shared();
                    links.insert(key, opening.clone());
                    opening
                }
            }
        };
        opening.await
    }
}

trait Usable {
    fn is_usable(&self) -> bool;
}

impl Usable for Opening {
    /// Open or opening.
    fn is_usable(&self) -> bool {
        match self.peek() {
            None => true,
            Some(Ok(link)) => !link.sender.is_closed(),
            Some(Err(_)) => false,
        }
    }
}

impl Missed {
    pub(super) fn from_body(error: Box<dyn std::error::Error + Send + Sync>) -> Self {
        match error.downcast::<hyper::Error>() {
            Ok(error) => Self::Broken(Arc::new(*error)),
            Err(error) => {
                assert!(
                    error.is::<LengthLimitError>(),
                    "the only other that `Limited` gives"
                );
                Self::TooLarge
            }
        }
    }
}

async fn open(address: String) -> Result<Link, Missed> {
    let tcp = dial(&address).await?;
    let (sender, connection) = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        // Only while a request is in flight: a node that went without a word must not hold polls for ever.
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(SEND_BYTES_MAX)
        .handshake(TokioIo::new(tcp))
        .await
        .map_err(|error| Missed::Broken(Arc::new(error)))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, address, "a connection to another node broke");
        }
    });
    Ok(Link {
        sender,
        streams: Arc::new(Semaphore::new(STREAMS_MAX)),
    })
}

/// A connection to another node's listener.
pub(super) async fn dial(address: &str) -> Result<TcpStream, Missed> {
    let connected = timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await;
    let tcp = connected.map_err(|_| Missed::Late)?;
    let tcp = tcp.map_err(|error| Missed::Connect(Arc::new(error)))?;
    if let Err(error) = tcp.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    Ok(tcp)
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const PING_INTERVAL: Duration = Duration::from_secs(5);
const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// Requests in flight, a runtime and node; most are polls that wait. Below what the other node's listener allows.
const STREAMS_MAX: usize = 8192;
/// Answers are read as they come, whoever reads slowly behind: the windows bound nothing but bursts.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;
/// For one stream's body, beyond what flow control lets go.
const SEND_BYTES_MAX: usize = 64 * 1024;
