use std::{cell::Cell, convert::Infallible, net::IpAddr, rc::Rc, sync::Arc};

use futures_util::future::LocalBoxFuture;
use http::{HeaderValue, Method, Request, StatusCode, Version, header, uri::PathAndQuery};
use hyper::body::Incoming;
use session::{AppEntry, Handshake, Place, Protocol, Refusal};
use tokio::time::Instant;

use crate::{
    Peering, Site, WebSettings,
    accept::Lease,
    assets, client,
    cluster::{self, ASK_PATH, Outward, Sent, There, Unsealed, admit, drop_ours, unauthorised},
    cors::Cors,
    forwarded::Provenance,
    origin::Verdict,
    polling,
    request::{Asked, Intent, Query, handshake},
    respond::{Answer, answer, error, refuse, refuse_upgrade, without_body},
    route::{Endpoint, endpoint, locate},
    upgrade,
};

/// The other end of a connection, for as long as it speaks HTTP.
pub(crate) struct Client {
    pub(crate) site: Rc<Site>,
    side: Side,
    peer: IpAddr,
    tls: bool,
    pub(crate) lease: Arc<Lease>,
    in_flight: Cell<u32>,
    answered: Cell<Instant>,
}

/// Which listener a connection came to.
#[derive(Clone)]
pub(crate) enum Side {
    /// That for clients. `None`: there are no other nodes.
    Public(Option<Rc<Outward>>),
    /// That for other nodes, whose every request must be sealed.
    Cluster(Arc<Peering>),
}

/// Where an answer was made.
pub(crate) enum Reply {
    Own(Answer),
    /// On another node, which has seen to everything.
    Passed(Answer),
}

/// A request within an app.
pub(crate) struct Visit {
    pub(crate) client: Rc<Client>,
    pub(crate) app: Rc<AppEntry>,
    pub(crate) web: Rc<WebSettings>,
    pub(crate) at: Provenance,
    /// Another node has seen that the body is too large, and left it out.
    pub(crate) is_oversized: bool,
}

/// Answers one request. Never fails; a dropped future is a client that went.
pub(crate) async fn handle(client: Rc<Client>, request: Request<Incoming>) -> Result<Answer, Infallible> {
    let _busy = Busy::new(&client);
    let is_bare = *request.method() == Method::HEAD && request.version() == Version::HTTP_2;
    let mut answer = respond(Rc::clone(&client), request).await;
    if is_bare {
        without_body(&mut answer);
    }
    Ok(answer)
}

async fn respond(client: Rc<Client>, mut request: Request<Incoming>) -> Answer {
    let (at, sent) = match arrival(&client, &mut request) {
        Ok(arrival) => arrival,
        Err(why) => return unauthorised(why),
    };
    if let Some(sent) = &sent
        && request.uri().path() == ASK_PATH
    {
        return Box::pin(cluster::answer(&client, sent, request)).await;
    }
    let site = Rc::clone(&client.site);
    let target = request.uri().path_and_query().cloned();
    let path = target.as_ref().map_or("", PathAndQuery::path);
    let Some(found) = locate_app(&site, at.host.as_deref(), path) else {
        return nobody(path);
    };
    let Found {
        name,
        within,
        app,
        web,
    } = found;
    // Nodes that are configured differently must not mix up their apps.
    if sent.as_ref().is_some_and(|sent| sent.app != name) {
        return nobody(path);
    }
    if within.is_empty() {
        return to_slash(name, request.uri().query());
    }
    let place = endpoint(&web, within);
    let (method, headers) = (request.method(), request.headers());
    let protocol = match place {
        Endpoint::Client(name) => return client::serve(name, method, headers),
        Endpoint::Asset => return assets::serve(web.assets.as_deref(), within, method, headers).await,
        Endpoint::SocketIo => Protocol::SocketIo,
        Endpoint::EngineIo => Protocol::EngineIo,
        Endpoint::WebSocket => Protocol::WebSocket,
    };
    drop(target);
    let verdict = web.origins.judge(headers, &at);
    let cors = Cors::new(&web, &verdict);
    if let Some(preflight) = cors.preflight(method, headers, &verdict) {
        return preflight;
    }
    let is_oversized = sent.is_some_and(|sent| sent.is_oversized);
    let visit = Visit {
        client,
        app,
        web,
        at,
        is_oversized,
    };
    let reply = match protocol {
        Protocol::WebSocket => raw_websocket(visit, request, &verdict).await,
        Protocol::SocketIo | Protocol::EngineIo => engine(visit, request, protocol, &verdict).await,
    };
    match reply {
        Reply::Own(mut answer) => {
            cors.apply(answer.headers_mut());
            answer
        }
        Reply::Passed(answer) => answer,
    }
}

/// Whom a request is from, and what another node says of it if it came by one.
fn arrival<B>(client: &Client, request: &mut Request<B>) -> Result<(Provenance, Option<Sent>), Unsealed> {
    match &client.side {
        Side::Public(_) => {
            drop_ours(request.headers_mut());
            let authority = request.uri().authority().map(http::uri::Authority::as_str);
            let proxies = &client.site.config.trusted_proxies;
            let at = proxies.provenance(client.peer, client.tls, request.headers(), authority);
            Ok((at, None))
        }
        Side::Cluster(peering) => {
            let (method, uri) = (request.method().clone(), request.uri().clone());
            let target = uri.path_and_query().map_or("", |target| target.as_str());
            let (at, sent) = admit(peering, &method, target, request.headers_mut())?;
            Ok((at, Some(sent)))
        }
    }
}

/// A request to open a WebSocket here that nothing speaks against.
pub(crate) struct Wish {
    pub(crate) visit: Visit,
    pub(crate) protocol: Protocol,
    pub(crate) handshake: Handshake,
    pub(crate) cors: Cors,
}

/// `None` for every other request: [`handle`] has an answer to it, whatever it is.
pub(crate) fn wish(client: &Rc<Client>, request: &mut Request<()>) -> Option<Wish> {
    if !matches!(client.side, Side::Public(_)) || !hyper_tungstenite::is_upgrade_request(request) {
        return None;
    }
    let (at, _) = arrival(client, request).ok()?;
    let site = &client.site;
    let found = locate_app(site, at.host.as_deref(), request.uri().path())?;
    let Found { app, web, within, .. } = found;
    let query = Query::new(request.uri().query().unwrap_or_default());
    let protocol = match endpoint(&web, within) {
        Endpoint::SocketIo => Protocol::SocketIo,
        Endpoint::EngineIo => Protocol::EngineIo,
        Endpoint::WebSocket => Protocol::WebSocket,
        Endpoint::Client(_) | Endpoint::Asset => return None,
    };
    let verdict = web.origins.judge(request.headers(), &at);
    judged(&verdict).ok()?;
    if protocol != Protocol::WebSocket {
        let asked = query.transport(&app.settings.engine).ok()?;
        let intent = query.intent(asked, request.method(), true).ok()?;
        if (asked, intent) != (Asked::WebSocket, Intent::Open) {
            return None;
        }
    }
    if !site.hub.is_open_to(&app) {
        return None;
    }
    let cors = Cors::new(&web, &verdict);
    let handshake = handshake(query, request.headers(), &at);
    let visit = Visit {
        client: Rc::clone(client),
        app,
        web,
        at,
        is_oversized: false,
    };
    Some(Wish {
        visit,
        protocol,
        handshake,
        cors,
    })
}

/// The app that a request is for, and the path within it.
struct Found<'a> {
    name: &'a str,
    within: &'a str,
    app: Rc<AppEntry>,
    web: Rc<WebSettings>,
}

fn locate_app<'a>(site: &'a Site, host: Option<&'a str>, path: &'a str) -> Option<Found<'a>> {
    // What was asked for last is what was found, if anything was: it is not looked for twice.
    let mut last = None;
    let is_app = |name: &str| {
        last = site.apps.find(name);
        last.is_some()
    };
    let (name, within) = locate(host, path, site.config.default_app.as_deref(), is_app)?;
    let app = match last {
        Some(app) => app,
        None => site.apps.find(name)?,
    };
    let web = site.web.web(name)?;
    Some(Found {
        name,
        within,
        app,
        web,
    })
}

async fn engine(visit: Visit, request: Request<Incoming>, protocol: Protocol, verdict: &Verdict) -> Reply {
    let upgrade = hyper_tungstenite::is_upgrade_request(&request);
    let refuse = if upgrade { refuse_upgrade } else { refuse };
    let target = request.uri().path_and_query().cloned();
    let query = Query::new(target.as_ref().and_then(PathAndQuery::query).unwrap_or_default());
    let checked = query.transport(&visit.app.settings.engine).and_then(|asked| {
        judged(verdict)?;
        Ok((asked, query.intent(asked, request.method(), upgrade)?))
    });
    let (asked, intent) = match checked {
        Err(refusal) => return Reply::Own(refuse(refusal)),
        Ok(checked) => checked,
    };
    if let Some((outward, there)) = elsewhere(&visit, &intent).await {
        return send(visit, request, asked, upgrade, outward, there).await;
    }
    Reply::Own(match intent {
        Intent::Open if upgrade => upgrade::open(visit, request, query, protocol),
        Intent::Open => polling::open(&visit, &request, query, protocol),
        Intent::Session(sid) if upgrade => upgrade::attach(visit, request, asked, sid).await,
        Intent::Session(sid) => polling::carry(&visit, request, asked, &sid).await,
    })
}

/// The other node that is to answer. What came from one is never sent on: should the two not agree on who
/// has the session, nobody has.
async fn elsewhere(visit: &Visit, intent: &Intent) -> Option<(Rc<Outward>, There)> {
    let Side::Public(Some(outward)) = &visit.client.side else {
        return None;
    };
    let hub = &visit.client.site.hub;
    let (place, missed) = match intent {
        Intent::Open => (hub.place_new(&visit.app.name), Refusal::Unavailable),
        Intent::Session(sid) => (hub.place(sid).await, Refusal::SessionUnknown),
    };
    match place {
        Place::Node(node) => Some((Rc::clone(outward), There { node, missed })),
        // Nobody's session is refused as one that ended here.
        Place::Here | Place::Nowhere => None,
    }
}

/// Boxed: what is answered here, nearly all, need not make room for it.
fn send(
    visit: Visit,
    request: Request<Incoming>,
    asked: Asked,
    upgrade: bool,
    outward: Rc<Outward>,
    there: There,
) -> LocalBoxFuture<'static, Reply> {
    if upgrade {
        Box::pin(async move { cluster::carry(visit, &outward, request, there).await })
    } else {
        Box::pin(async move { cluster::forward(&visit, &outward, request, asked, &there).await })
    }
}

/// A plain WebSocket has no words for errors but HTTP's.
async fn raw_websocket(visit: Visit, request: Request<Incoming>, verdict: &Verdict) -> Reply {
    if !hyper_tungstenite::is_upgrade_request(&request) {
        let mut answer = error(
            StatusCode::UPGRADE_REQUIRED,
            "upgrade_required",
            "this path takes WebSockets only",
        );
        answer
            .headers_mut()
            .insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        return Reply::Own(answer);
    }
    if let Err(refusal) = judged(verdict) {
        return Reply::Own(refuse_upgrade(refusal));
    }
    if let Some((outward, there)) = elsewhere(&visit, &Intent::Open).await {
        return send(visit, request, Asked::WebSocket, true, outward, there).await;
    }
    let target = request.uri().path_and_query().cloned();
    let query = Query::new(target.as_ref().and_then(PathAndQuery::query).unwrap_or_default());
    Reply::Own(upgrade::open(visit, request, query, Protocol::WebSocket))
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
    pub(crate) fn new(site: Rc<Site>, side: Side, peer: IpAddr, tls: bool, lease: Arc<Lease>) -> Self {
        Self {
            site,
            side,
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

#[cfg(test)]
mod tests;
