//! The operators' and authors' listener: apps, versions, tokens, secrets, what a backend may do without a socket, health
//! and metrics. Plain HTTP/1.1, on an address that clients do not reach. What there is, and who may, stands in one table
//! (`routes.rs`), of which the description that is served is made, too.
mod routes;

mod access;
mod body;
mod damping;
mod reply;

mod apps;
mod audit;
pub(crate) mod emit;
mod health;
pub(crate) mod logs;
mod openapi;
pub(crate) mod push;
mod running;
mod secrets;
mod sockets;
mod tokens;
mod uploads;
mod usage;
mod versions;

use std::{
    convert::Infallible,
    net::{IpAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use http::{HeaderMap, Method, Request, StatusCode};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use platform::Identity;
use tokio::{net::TcpStream, sync::Semaphore};

use self::{
    access::Refusal,
    damping::Damping,
    reply::{Denied, Outcome, Reply, error},
    routes::{Access, Call, Found},
    uploads::Uploads,
};
use crate::{Handle, token::Token};

/// What the admin listener answers from.
pub(crate) struct Admin {
    handle: Handle,
    token: Token,
    node: String,
    damping: Damping,
    uploads: Uploads,
}

/// One request, from somebody who may ask it.
struct Asked<'a> {
    /// Empty where the path names none.
    app: &'a str,
    /// What the path names beneath the app: a secret's key, a token's id.
    item: &'a str,
    query: &'a str,
    /// `None`: the path is for everybody.
    who: Option<&'a Identity>,
    peer: IpAddr,
    headers: &'a HeaderMap,
    body: Incoming,
}

const CONNECTIONS_MAX: usize = 256;
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const HEADERS_MAX: usize = 64;
/// Of a request's line and headers together.
const HEAD_BYTES_MAX: usize = 32 * 1024;
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
            Ok((stream, peer)) => {
                let admin = Arc::clone(&admin);
                tokio::spawn(async move {
                    connection(stream, peer.ip(), admin).await;
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

async fn connection(stream: TcpStream, peer: IpAddr, admin: Arc<Admin>) {
    let service = service_fn(move |request| {
        let admin = Arc::clone(&admin);
        async move { Ok::<_, Infallible>(admin.answer(request, peer).await) }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX);
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "admin connection ended");
    }
}

impl Admin {
    pub(crate) fn new(handle: Handle, token: Token, node: String) -> Self {
        Self {
            handle,
            token,
            node,
            damping: Damping::default(),
            uploads: Uploads::default(),
        }
    }

    async fn answer(&self, request: Request<Incoming>, peer: IpAddr) -> Reply {
        let is_head = request.method() == Method::HEAD;
        let outcome = self.handle_request(request, peer).await;
        let mut reply = outcome.unwrap_or_else(Denied::into_reply);
        if is_head {
            // hyper leaves the body out; what a stream would be is not begun.
            *reply.body_mut() = reply::nothing();
        }
        reply
    }

    async fn handle_request(&self, request: Request<Incoming>, peer: IpAddr) -> Outcome {
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        let found = routes::find(path, &head.method);
        let access = found.as_ref().map_or(Access::AnyToken, Found::access);
        let who = self.identify(access, &head.headers, peer).await?;
        let found = match found {
            Some(Found::Route(found)) => found,
            Some(Found::Methods(allowed)) => return Err(reply::method_not_allowed(&allowed)),
            None => {
                let message = format!("there is nothing at {path}; GET /v1/openapi.json tells what there is");
                return Err(error(StatusCode::NOT_FOUND, "not_found", &message));
            }
        };
        access::check(found.route.access, who.as_deref(), &found.app)?;
        let asked = Asked {
            app: &found.app,
            item: &found.item,
            query: head.uri.query().unwrap_or_default(),
            who: who.as_deref(),
            peer,
            headers: &head.headers,
            body,
        };
        self.call(found.route.call, asked).await
    }

    /// Who asks. `None`: the path is for everybody, so nobody looked.
    async fn identify(
        &self,
        access: Access,
        headers: &HeaderMap,
        peer: IpAddr,
    ) -> Result<Option<Arc<Identity>>, Denied> {
        let bearer = access::bearer(headers);
        if access == Access::Everybody || (access == Access::Metrics && bearer.is_none()) {
            return Ok(None);
        }
        match self.authenticate(bearer, peer).await {
            Ok(who) => Ok(Some(who)),
            Err(Refusal::Nobody) => Err(reply::unauthorised()),
            Err(Refusal::TooOften) => Err(reply::too_many(
                "too many wrong tokens came from this address; wait a little",
            )),
            Err(Refusal::Unavailable(error)) => Err(error.into()),
        }
    }

    async fn call(&self, call: Call, asked: Asked<'_>) -> Outcome {
        match call {
            Call::Live => Ok(reply::text(StatusCode::OK, "ok\n")),
            Call::Ready => Ok(self.ready()),
            Call::Metrics => self.metrics(asked).await,
            Call::OpenApi => Ok(openapi::describe()),
            Call::WhoAmI => access::who_am_i(&asked),
            Call::Nodes => Ok(self.nodes()),
            Call::Apps => self.apps(asked).await,
            Call::PutApp => self.put_app(asked).await,
            Call::App => self.app(asked).await,
            Call::DeleteApp => self.delete_app(asked).await,
            Call::PutAssets => self.put_assets(asked).await,
            Call::DeleteAssets => self.delete_assets(asked).await,
            Call::AddVersion => self.add_version(asked).await,
            Call::Versions => self.versions(asked).await,
            Call::SetLive => self.set_live(asked).await,
            Call::Rollback => self.rollback(asked).await,
            Call::Emit => emit::emit(&self.handle, asked).await,
            Call::Push => push::push(&self.handle, asked).await,
            Call::Logs => logs::logs(&self.handle, &asked).await,
            Call::Sockets => self.sockets(asked).await,
            Call::Secrets => self.secrets(asked).await,
            Call::PutSecret => self.put_secret(asked).await,
            Call::DeleteSecret => self.delete_secret(asked).await,
            Call::Tokens => self.tokens(asked).await,
            Call::CreateToken => self.create_token(asked).await,
            Call::RevokeToken => self.revoke_token(asked).await,
            Call::Audit => self.audit(asked).await,
        }
    }
}

impl Asked<'_> {
    /// For the audit record.
    fn by(&self) -> String {
        self.who.map_or_else(|| "nobody".to_owned(), Identity::by)
    }

    /// The path's app; `None` where it names none, as operators' own paths do.
    fn app_if_any(&self) -> Option<&str> {
        (!self.app.is_empty()).then_some(self.app)
    }

    /// No parameters are known here.
    fn no_query(&self) -> Result<(), Denied> {
        self.parameters(&[]).map(drop)
    }

    fn parameters(&self, known: &[&str]) -> Result<Vec<(&str, String)>, Denied> {
        platform::requests::parse_query(self.query, known).map_err(|message| reply::invalid(&message))
    }
}

#[cfg(test)]
mod tests;
