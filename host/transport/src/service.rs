use std::{cell::Cell, convert::Infallible, net::IpAddr, rc::Rc, sync::Arc};

use http::{HeaderValue, Request, StatusCode, header};
use hyper::body::Incoming;
use session::{AppEntry, Protocol, Refusal};
use tokio::time::Instant;

use crate::{
    Site, WebSettings,
    accept::Lease,
    assets, client,
    cors::Cors,
    forwarded::Provenance,
    origin::Verdict,
    polling,
    request::{Intent, Query},
    respond::{Answer, answer, error, refuse, refuse_upgrade},
    route::{Endpoint, endpoint, locate},
    upgrade,
};

/// The other end of a connection, for as long as it speaks HTTP.
pub(crate) struct Client {
    pub(crate) site: Rc<Site>,
    peer: IpAddr,
    tls: bool,
    pub(crate) lease: Arc<Lease>,
    in_flight: Cell<u32>,
    answered: Cell<Instant>,
}

/// A request within an app.
pub(crate) struct Visit {
    pub(crate) client: Rc<Client>,
    pub(crate) app: Rc<AppEntry>,
    pub(crate) web: Rc<WebSettings>,
    pub(crate) at: Provenance,
}

/// Answers one request. Never fails; a dropped future is a client that went.
pub(crate) async fn handle(client: Rc<Client>, request: Request<Incoming>) -> Result<Answer, Infallible> {
    let _busy = Busy::new(&client);
    Ok(respond(Rc::clone(&client), request).await)
}

async fn respond(client: Rc<Client>, request: Request<Incoming>) -> Answer {
    let site = Rc::clone(&client.site);
    let authority = request
        .uri()
        .authority()
        .map(|authority| authority.as_str().to_owned());
    let at = site.config.trusted_proxies.provenance(
        client.peer,
        client.tls,
        request.headers(),
        authority.as_deref(),
    );
    let path = request.uri().path().to_owned();
    let host = at.host.clone();
    let is_app = |name: &str| site.apps.find(name).is_some();
    let place = locate(host.as_deref(), &path, site.config.default_app.as_deref(), is_app);
    let Some((name, within)) = place else {
        return nobody(&path);
    };
    let (Some(app), Some(web)) = (site.apps.find(name), site.web.web(name)) else {
        return nobody(&path);
    };
    if within.is_empty() {
        return to_slash(name, request.uri().query());
    }
    let place = endpoint(&web, within);
    let (method, headers) = (request.method(), request.headers());
    let protocol = match place {
        Endpoint::Client(name) => return client::serve(site.config.client.as_deref(), name, method, headers),
        Endpoint::Asset => return assets::serve(web.assets.as_deref(), within, method, headers).await,
        Endpoint::SocketIo => Protocol::SocketIo,
        Endpoint::EngineIo => Protocol::EngineIo,
        Endpoint::WebSocket => Protocol::WebSocket,
    };
    let verdict = web.origins.judge(headers, &at);
    let cors = Cors::new(&web, &verdict);
    if let Some(preflight) = cors.preflight(method, headers, &verdict) {
        return preflight;
    }
    let visit = Visit { client, app, web, at };
    let mut answer = match protocol {
        Protocol::WebSocket => raw_websocket(visit, request, &verdict),
        Protocol::SocketIo | Protocol::EngineIo => engine(visit, request, protocol, &verdict).await,
    };
    cors.apply(answer.headers_mut());
    answer
}

async fn engine(visit: Visit, request: Request<Incoming>, protocol: Protocol, verdict: &Verdict) -> Answer {
    let upgrade = hyper_tungstenite::is_upgrade_request(&request);
    let refuse = if upgrade { refuse_upgrade } else { refuse };
    let query = Query::parse(request.uri().query().unwrap_or_default());
    let checked = query.transport(&visit.app.settings.engine).and_then(|asked| {
        judged(verdict)?;
        Ok((asked, query.intent(asked, request.method(), upgrade)?))
    });
    match checked {
        Err(refusal) => refuse(refusal),
        Ok((_, Intent::Open)) if upgrade => upgrade::open(visit, request, query, protocol),
        Ok((_, Intent::Open)) => polling::open(&visit, &request, query, protocol),
        Ok((asked, Intent::Session(sid))) if upgrade => upgrade::attach(visit, request, asked, sid).await,
        Ok((asked, Intent::Session(sid))) => polling::carry(&visit, request, asked, &sid).await,
    }
}

/// A plain WebSocket has no words for errors but HTTP's.
fn raw_websocket(visit: Visit, request: Request<Incoming>, verdict: &Verdict) -> Answer {
    if !hyper_tungstenite::is_upgrade_request(&request) {
        let mut answer = error(
            StatusCode::UPGRADE_REQUIRED,
            "upgrade_required",
            "this path takes WebSockets only",
        );
        answer
            .headers_mut()
            .insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        return answer;
    }
    if let Err(refusal) = judged(verdict) {
        return refuse_upgrade(refusal);
    }
    let query = Query::parse(request.uri().query().unwrap_or_default());
    upgrade::open(visit, request, query, Protocol::WebSocket)
}

fn judged(verdict: &Verdict) -> Result<(), Refusal> {
    match verdict {
        Verdict::Own | Verdict::Allowed(_) => Ok(()),
        Verdict::Foreign => Err(Refusal::Forbidden),
        Verdict::Malformed => Err(Refusal::BadRequest),
    }
}

fn nobody(path: &str) -> Answer {
    // Apps are not listed: who asks need not know of other tenants.
    let path: String = path.chars().take(64).collect();
    let message = format!(
        "no app answers for this host and {path}; an app answers at http://NAME.this-host/ and at /NAME/"
    );
    error(StatusCode::NOT_FOUND, "unknown_app", &message)
}

/// `/NAME` → `/NAME/`: links in the app's page are relative to the latter.
fn to_slash(name: &str, query: Option<&str>) -> Answer {
    let mut location = format!("{name}/");
    if let Some(query) = query {
        location.push('?');
        location.push_str(query);
    }
    let mut answer = answer(StatusCode::MOVED_PERMANENTLY, "");
    if let Ok(location) = HeaderValue::from_str(&location) {
        answer.headers_mut().insert(header::LOCATION, location);
    }
    answer
}

impl Client {
    pub(crate) fn new(site: Rc<Site>, peer: IpAddr, tls: bool, lease: Arc<Lease>) -> Self {
        Self {
            site,
            peer,
            tls,
            lease,
            in_flight: Cell::new(0),
            answered: Cell::new(Instant::now()),
        }
    }

    /// When the last answer was given; `None` while one is being made.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        (self.in_flight.get() == 0).then(|| self.answered.get())
    }
}

/// Counts a request while it is in flight, aborted or not.
struct Busy<'a>(&'a Client);

impl<'a> Busy<'a> {
    fn new(client: &'a Client) -> Self {
        client.in_flight.set(client.in_flight.get() + 1);
        Self(client)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.in_flight.set(self.0.in_flight.get() - 1);
        self.0.answered.set(Instant::now());
    }
}
