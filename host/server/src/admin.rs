//! The operators' listener: health, metrics, and what a backend may do without a socket. Plain HTTP/1.1, on an address
//! that clients do not reach; everything below `/v1/` needs the token.
pub(crate) mod emit;
pub(crate) mod logs;
pub(crate) mod push;
mod reply;

use std::{convert::Infallible, net::TcpListener, sync::Arc, time::Duration};

use http::{Method, Request, StatusCode};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::{net::TcpStream, sync::Semaphore};

use self::reply::{Reply, error, json, text};
use crate::{Handle, cluster, handle::Readiness, metrics, token::Token};

/// What the admin listener answers from.
pub(crate) struct Admin {
    pub(crate) handle: Handle,
    pub(crate) token: Token,
    pub(crate) node: String,
}

const CONNECTIONS_MAX: usize = 256;
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until dropped.
pub(crate) async fn serve(listener: TcpListener, admin: Arc<Admin>) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else {
            return Ok(());
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let admin = Arc::clone(&admin);
                tokio::spawn(async move {
                    connection(stream, admin).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the admin listener cannot accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, admin: Arc<Admin>) {
    let service = service_fn(move |request| {
        let admin = Arc::clone(&admin);
        async move { Ok::<_, Infallible>(admin.answer(request).await) }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT);
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "admin connection ended");
    }
}

impl Admin {
    async fn answer(&self, request: Request<Incoming>) -> Reply {
        let path = request.uri().path().to_owned();
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        match *segments.as_slice() {
            ["livez"] => get(&request, || text(StatusCode::OK, "ok\n")),
            ["readyz"] => get(&request, || self.ready()),
            ["metrics"] => match *request.method() {
                Method::GET => self.metrics().await,
                _ => reply::method_not_allowed("GET"),
            },
            ["v1", ..] if !self.is_operator(&request) => reply::unauthorised(),
            ["v1", "nodes"] => get(&request, || self.nodes()),
            ["v1", "apps"] => get(&request, || self.apps()),
            ["v1", "apps", name] => match *request.method() {
                Method::GET => self.app(name).await,
                _ => reply::method_not_allowed("GET"),
            },
            ["v1", "apps", name, "emit"] => match *request.method() {
                Method::POST => emit::emit(&self.handle, name, request).await,
                _ => reply::method_not_allowed("POST"),
            },
            ["v1", "apps", name, "push"] => match *request.method() {
                Method::POST => push::push(&self.handle, name, request).await,
                _ => reply::method_not_allowed("POST"),
            },
            ["v1", "apps", name, "logs"] => match *request.method() {
                Method::GET => logs::logs(&self.handle, name, request.uri().query()).await,
                _ => reply::method_not_allowed("GET"),
            },
            _ => error(
                StatusCode::NOT_FOUND,
                "not_found",
                &format!("there is nothing at {path}"),
            ),
        }
    }

    fn is_operator(&self, request: &Request<Incoming>) -> bool {
        let authorization = request.headers().get(http::header::AUTHORIZATION);
        self.token
            .admits(authorization.and_then(|value| value.to_str().ok()))
    }

    fn ready(&self) -> Reply {
        match self.handle.readiness() {
            Readiness::Ready => text(StatusCode::OK, "ready\n"),
            Readiness::CutOff => text(StatusCode::SERVICE_UNAVAILABLE, "cut off from NATS\n"),
            Readiness::Ending => text(StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        }
    }

    async fn metrics(&self) -> Reply {
        let apps = self.handle.numbers().await;
        reply::metrics(metrics::render(&apps, &self.handle.node_numbers()))
    }

    /// The nodes that live, as this one sees them, and where they run another version of an app than this one.
    fn nodes(&self) -> Reply {
        let nodes = self.handle.nodes();
        let own = nodes.own();
        let mut all = vec![own.clone()];
        all.extend(nodes.others().iter().map(|node| (**node).clone()));
        let nodes: Vec<_> = all
            .iter()
            .map(|node| {
                json!({
                    "name": node.name,
                    "address": node.address,
                    "draining": node.draining,
                    "apps": node.apps,
                    "differs": cluster::differences(&own, node),
                })
            })
            .collect();
        json(StatusCode::OK, &json!({ "node": self.node, "nodes": nodes }))
    }

    fn apps(&self) -> Reply {
        let apps: Vec<_> = self
            .handle
            .tenants()
            .all_awake()
            .iter()
            .map(|tenant| {
                let version = tenant.version();
                json!({ "name": &*tenant.name, "digest": version.digest.to_string() })
            })
            .collect();
        json(StatusCode::OK, &json!({ "node": self.node, "apps": apps }))
    }

    async fn app(&self, name: &str) -> Reply {
        let Some(tenant) = self.handle.tenant(name) else {
            return reply::no_app(name);
        };
        let version = tenant.version();
        let stats = self.handle.sessions(&tenant.name).await;
        json(
            StatusCode::OK,
            &json!({
                "name": name,
                "node": self.node,
                "digest": version.digest.to_string(),
                "namespaces": version.manifest.socketio.namespaces,
                "sessions": stats.sessions,
                "sockets": stats.sockets,
                "away": stats.away,
                "timers": tenant.timers.len(),
            }),
        )
    }
}

fn get(request: &Request<Incoming>, answer: impl FnOnce() -> Reply) -> Reply {
    match *request.method() {
        Method::GET | Method::HEAD => answer(),
        _ => reply::method_not_allowed("GET"),
    }
}
