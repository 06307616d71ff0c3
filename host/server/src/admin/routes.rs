use http::Method;
use platform::Scope;

/// One thing that can be asked of the listener.
pub(super) struct Route {
    pub(super) method: Method,
    /// `{app}`, `{key}` and `{id}` stand for one segment each.
    pub(super) path: &'static str,
    pub(super) access: Access,
    pub(super) call: Call,
    /// For the description: what it does, in a line.
    pub(super) summary: &'static str,
    /// Parameters of the query.
    pub(super) query: &'static [&'static str],
    pub(super) body: Body,
    /// The answers that are no errors: status and schema.
    pub(super) answers: &'static [(u16, &'static str)],
}

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Everybody,
    /// With a token, or without one from this machine.
    Metrics,
    /// Whoever has a valid token.
    AnyToken,
    Operator,
    /// Operators, and tokens of the path's app that have the scope.
    App(Scope),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    None,
    /// JSON of this schema.
    Json(&'static str),
    /// Something else: a type of content.
    Bytes(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Live,
    Ready,
    Metrics,
    OpenApi,
    WhoAmI,
    Nodes,
    Apps,
    PutApp,
    App,
    DeleteApp,
    PutAssets,
    DeleteAssets,
    AddVersion,
    Versions,
    SetLive,
    Rollback,
    Emit,
    Push,
    Logs,
    Sockets,
    Secrets,
    PutSecret,
    DeleteSecret,
    Tokens,
    CreateToken,
    RevokeToken,
    Audit,
}

/// What is at a path.
pub(super) enum Found {
    Route(FoundRoute),
    /// Not what was asked, but these methods.
    Methods(String),
}

pub(super) struct FoundRoute {
    pub(super) route: &'static Route,
    /// Empty where the path names none.
    pub(super) app: String,
    pub(super) item: String,
}

impl Found {
    /// What has to be known of whoever asks before anything is answered.
    pub(super) fn access(&self) -> Access {
        match self {
            Self::Route(found) => found.route.access,
            Self::Methods(_) => Access::AnyToken,
        }
    }
}

/// HEAD is asked as GET is. `None`: there is nothing at the path.
pub(super) fn find(path: &str, method: &Method) -> Option<Found> {
    let method = if *method == Method::HEAD {
        &Method::GET
    } else {
        method
    };
    let mut allowed = Vec::new();
    for route in ROUTES {
        let Some((app, item)) = matched(route.path, path) else {
            continue;
        };
        if route.method == *method {
            return Some(Found::Route(FoundRoute { route, app, item }));
        }
        allowed.push(route.method.as_str());
    }
    (!allowed.is_empty()).then(|| Found::Methods(allowed.join(", ")))
}

fn matched(pattern: &str, path: &str) -> Option<(String, String)> {
    let (mut app, mut item) = (String::new(), String::new());
    let mut parts = path.split('/');
    for wanted in pattern.split('/') {
        let part = parts.next()?;
        match wanted {
            "{app}" => app = named(part)?,
            "{key}" | "{id}" => item = named(part)?,
            wanted if wanted == part => {}
            _ => return None,
        }
    }
    parts.next().is_none().then_some((app, item))
}

fn named(part: &str) -> Option<String> {
    platform::requests::percent_decode(part).filter(|name| !name.is_empty())
}

const NONE: &[&str] = &[];
const fn app(scope: Scope) -> Access {
    Access::App(scope)
}

/// All of them. What is not here is not served.
#[rustfmt::skip]
pub(super) static ROUTES: &[Route] = &[
    Route { method: Method::GET, path: "/livez", access: Access::Everybody, call: Call::Live,
        summary: "Whether the process runs.", query: NONE, body: Body::None, answers: &[(200, "Text")] },
    Route { method: Method::GET, path: "/readyz", access: Access::Everybody, call: Call::Ready,
        summary: "Whether a balancer should send new clients here; else 503.", query: NONE, body: Body::None, answers: &[(200, "Text")] },
    Route { method: Method::GET, path: "/metrics", access: Access::Metrics, call: Call::Metrics,
        summary: "Numbers, as Prometheus reads them. A token of an app: that app's.", query: NONE, body: Body::None, answers: &[(200, "Text")] },
    Route { method: Method::GET, path: "/v1/openapi.json", access: Access::Everybody, call: Call::OpenApi,
        summary: "This description.", query: NONE, body: Body::None, answers: &[(200, "Any")] },
    Route { method: Method::GET, path: "/v1/whoami", access: Access::AnyToken, call: Call::WhoAmI,
        summary: "Whose the token is and what it allows.", query: NONE, body: Body::None, answers: &[(200, "WhoAmI")] },
    Route { method: Method::GET, path: "/v1/nodes", access: Access::Operator, call: Call::Nodes,
        summary: "The nodes that live.", query: NONE, body: Body::None, answers: &[(200, "Nodes")] },

    Route { method: Method::GET, path: "/v1/apps", access: Access::AnyToken, call: Call::Apps,
        summary: "Apps in the order of their names, a page at a time. A token of an app: that app.", query: &["after", "limit"], body: Body::None, answers: &[(200, "Apps")] },
    Route { method: Method::PUT, path: "/v1/apps/{app}", access: app(Scope::Deploy), call: Call::PutApp,
        summary: "Makes the app (operators) or replaces its manifest, which the next version takes.", query: NONE, body: Body::Bytes("application/toml"), answers: &[(200, "Put"), (201, "Put")] },
    Route { method: Method::GET, path: "/v1/apps/{app}", access: app(Scope::Read), call: Call::App,
        summary: "What the app runs, where, its limits and what it uses of them.", query: NONE, body: Body::None, answers: &[(200, "App")] },
    Route { method: Method::DELETE, path: "/v1/apps/{app}", access: app(Scope::Admin), call: Call::DeleteApp,
        summary: "Ends the app's sockets and removes all that is stored for it.", query: NONE, body: Body::None, answers: &[(200, "Nothing")] },
    Route { method: Method::PUT, path: "/v1/apps/{app}/assets", access: app(Scope::Deploy), call: Call::PutAssets,
        summary: "Files, as tar or tar.gz, which the next version takes.", query: NONE, body: Body::Bytes("application/x-tar"), answers: &[(200, "Assets")] },
    Route { method: Method::DELETE, path: "/v1/apps/{app}/assets", access: app(Scope::Deploy), call: Call::DeleteAssets,
        summary: "The next version has no files.", query: NONE, body: Body::None, answers: &[(200, "Nothing")] },
    Route { method: Method::POST, path: "/v1/apps/{app}/versions", access: app(Scope::Deploy), call: Call::AddVersion,
        summary: "Compiles a component, checks it and keeps it as a version; 200 if it was one already.", query: NONE, body: Body::Bytes("application/wasm"), answers: &[(200, "Added"), (201, "Added")] },
    Route { method: Method::GET, path: "/v1/apps/{app}/versions", access: app(Scope::Read), call: Call::Versions,
        summary: "Versions, the newest first.", query: NONE, body: Body::None, answers: &[(200, "Versions")] },
    Route { method: Method::POST, path: "/v1/apps/{app}/live", access: app(Scope::Deploy), call: Call::SetLive,
        summary: "Gives a version some or all of the app's sockets, and waits until the nodes have it.", query: NONE, body: Body::Json("SetLive"), answers: &[(200, "Rollout")] },
    Route { method: Method::POST, path: "/v1/apps/{app}/rollback", access: app(Scope::Deploy), call: Call::Rollback,
        summary: "Ends a canary, or makes live what was so before, or the version that is named.", query: NONE, body: Body::Json("Rollback"), answers: &[(200, "Rollout")] },
    Route { method: Method::POST, path: "/v1/apps/{app}/emit", access: app(Scope::Emit), call: Call::Emit,
        summary: "Sends an event to the app's clients.", query: NONE, body: Body::Json("Emit"), answers: &[(200, "Emitted")] },
    Route { method: Method::POST, path: "/v1/apps/{app}/push", access: app(Scope::Emit), call: Call::Push,
        summary: "Talks to the app itself: runs its handle-push.", query: NONE, body: Body::Json("Push"), answers: &[(200, "Pushed")] },
    Route { method: Method::GET, path: "/v1/apps/{app}/logs", access: app(Scope::Logs), call: Call::Logs,
        summary: "The app's log, from all nodes, as server-sent events; with follow=1 for as long as it is read.", query: &["follow", "socket", "level", "origin", "tail"], body: Body::None, answers: &[(200, "Events")] },
    Route { method: Method::GET, path: "/v1/apps/{app}/sockets", access: app(Scope::Read), call: Call::Sockets,
        summary: "Connected sockets and their rooms, on all nodes.", query: &["namespace", "room", "cursor"], body: Body::None, answers: &[(200, "Sockets")] },
    Route { method: Method::GET, path: "/v1/apps/{app}/secrets", access: app(Scope::Secrets), call: Call::Secrets,
        summary: "Names of the secrets. Values are never told.", query: NONE, body: Body::None, answers: &[(200, "Secrets")] },
    Route { method: Method::PUT, path: "/v1/apps/{app}/secrets/{key}", access: app(Scope::Secrets), call: Call::PutSecret,
        summary: "Sets a secret: text of at most 65,536 bytes.", query: NONE, body: Body::Bytes("application/octet-stream"), answers: &[(200, "Nothing")] },
    Route { method: Method::DELETE, path: "/v1/apps/{app}/secrets/{key}", access: app(Scope::Secrets), call: Call::DeleteSecret,
        summary: "Removes a secret.", query: NONE, body: Body::None, answers: &[(200, "Nothing")] },
    Route { method: Method::GET, path: "/v1/apps/{app}/tokens", access: app(Scope::Admin), call: Call::Tokens,
        summary: "The app's tokens, without what they look like.", query: NONE, body: Body::None, answers: &[(200, "Tokens")] },
    Route { method: Method::POST, path: "/v1/apps/{app}/tokens", access: app(Scope::Admin), call: Call::CreateToken,
        summary: "Makes a token of the app; it is shown once.", query: NONE, body: Body::Json("NewToken"), answers: &[(201, "CreatedToken")] },
    Route { method: Method::DELETE, path: "/v1/apps/{app}/tokens/{id}", access: app(Scope::Admin), call: Call::RevokeToken,
        summary: "Ends a token, on all nodes within 5 s.", query: NONE, body: Body::None, answers: &[(200, "Nothing")] },
    Route { method: Method::GET, path: "/v1/apps/{app}/audit", access: app(Scope::Admin), call: Call::Audit,
        summary: "Who changed what of the app, the newest first.", query: &["limit"], body: Body::None, answers: &[(200, "Audit")] },

    Route { method: Method::GET, path: "/v1/tokens", access: Access::Operator, call: Call::Tokens,
        summary: "Operators' tokens, without what they look like.", query: NONE, body: Body::None, answers: &[(200, "Tokens")] },
    Route { method: Method::POST, path: "/v1/tokens", access: Access::Operator, call: Call::CreateToken,
        summary: "Makes an operator's token, without scopes: it allows everything. It is shown once.", query: NONE, body: Body::Json("NewToken"), answers: &[(201, "CreatedToken")] },
    Route { method: Method::DELETE, path: "/v1/tokens/{id}", access: Access::Operator, call: Call::RevokeToken,
        summary: "Ends an operator's token, on all nodes within 5 s.", query: NONE, body: Body::None, answers: &[(200, "Nothing")] },
    Route { method: Method::GET, path: "/v1/audit", access: Access::Operator, call: Call::Audit,
        summary: "Who changed what, the newest first.", query: &["app", "limit"], body: Body::None, answers: &[(200, "Audit")] },
];
