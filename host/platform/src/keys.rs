use crate::{auth, checks};

/// One key of the manifest. [`KEYS`] holds all of them.
pub(crate) struct Key {
    /// `section.key`, or `key` for those above all sections. `section.*` for a section of free keys.
    pub(crate) path: &'static str,
    pub(crate) kind: Kind,
    pub(crate) default: Default,
    /// What a number counts; empty for others.
    pub(crate) unit: &'static str,
    pub(crate) docs: &'static str,
}

pub(crate) enum Kind {
    Flag,
    /// Both bounds are allowed values.
    Integer {
        min: u64,
        max: u64,
    },
    Text(Check),
    /// A list of at least `min` strings.
    Texts {
        min: usize,
        check: Check,
    },
    /// Free keys with strings for values.
    Map,
}

/// `Err` says what was expected instead.
pub(crate) type Check = fn(&str) -> Result<(), &'static str>;

pub(crate) enum Default {
    /// The value as TOML.
    Toml(&'static str),
    /// Absent, which means what the text says.
    Absent(&'static str),
}

use Default::{Absent, Toml};
use Kind::{Flag, Integer, Map, Text, Texts};

const fn key(
    path: &'static str,
    kind: Kind,
    default: Default,
    unit: &'static str,
    docs: &'static str,
) -> Key {
    Key {
        path,
        kind,
        default,
        unit,
        docs,
    }
}

const fn number(
    path: &'static str,
    bounds: (u64, u64),
    default: &'static str,
    unit: &'static str,
    docs: &'static str,
) -> Key {
    Key {
        path,
        kind: Integer {
            min: bounds.0,
            max: bounds.1,
        },
        default: Toml(default),
        unit,
        docs,
    }
}

const MIB: u64 = 1024 * 1024;
const HOUR_MS: u64 = 3_600_000;

/// Sections, in the order of the reference, with their headlines.
pub(crate) const SECTIONS: &[(&str, &str)] = &[
    ("", "The app."),
    (
        "build",
        "How `wakeline dev` and `wakeline build` make the component.",
    ),
    ("assets", "Files that the host serves beside the app's sockets."),
    ("engine", "Engine.IO: heartbeats, transports, sizes."),
    ("socketio", "Socket.IO."),
    (
        "raw",
        "Clients that do not speak Socket.IO. Their messages are events named `message`.",
    ),
    (
        "recovery",
        "What a client that lost its connection gets back. The window ends with the first limit reached.",
    ),
    ("origins", "Which pages may connect."),
    (
        "auth",
        "JSON Web Tokens that the host checks before the handler is called. With this section, `algorithms` and one of `jwks`, `public_key`, `hs256_secret` must be given.",
    ),
    (
        "limits",
        "What the app may use. An operator's ceilings may be lower than the bounds given here.",
    ),
    ("http", "Outgoing HTTP of the handler."),
    ("config", "What the handler reads through `wasi:config`."),
    ("sleep", "How long an instance is kept once nobody speaks."),
];

/// The table. Reading, errors, defaults and the reference are made from it.
#[rustfmt::skip]
pub(crate) const KEYS: &[Key] = &[
    key("name", Text(checks::app_name), Absent("the folder's name"), "",
        "The app's name: a DNS label, since the app answers at `http://NAME.<domain>/`."),
    key("component", Text(checks::file), Absent("`target/wasm32-wasip2/release/NAME.wasm`, with `-` in the name as `_`"), "",
        "The WebAssembly component, relative to the manifest."),

    key("build.command", Text(checks::non_empty), Toml(r#""cargo build --release --target wasm32-wasip2""#), "",
        "Run by the shell in the manifest's folder; must leave the component in its place."),
    key("build.watch", Texts { min: 0, check: checks::file }, Toml(r#"["src", "Cargo.toml"]"#), "",
        "Files and folders, relative to the manifest, whose change makes `wakeline dev` build again. The manifest is always watched."),

    key("assets.dir", Text(checks::file), Absent("no files are served"), "",
        "Folder of files, relative to the manifest, served at the app's root. Changes need no build and no deploy in `wakeline dev`."),

    number("engine.ping_interval_ms", (100, HOUR_MS), "25000", "milliseconds",
        "From one heartbeat to the next. With the time-out it must stay below the read time-outs of proxies on the way."),
    number("engine.ping_timeout_ms", (50, HOUR_MS), "20000", "milliseconds",
        "How long a client may take to answer a heartbeat before its connection counts as lost."),
    number("engine.upgrade_timeout_ms", (100, HOUR_MS), "10000", "milliseconds",
        "How long an upgrade from polling to WebSocket may take; polling goes on if it fails."),
    number("engine.max_payload_bytes", (1024, 64 * MIB), "1000000", "bytes",
        "Largest message, largest body of a POST; told to clients as `maxPayload`."),
    key("engine.transports", Texts { min: 1, check: checks::transport }, Toml(r#"["polling", "websocket"]"#), "",
        "Ways in for Engine.IO clients: `polling`, `websocket`."),

    key("socketio.namespaces", Texts { min: 1, check: checks::namespace }, Toml(r#"["/"]"#), "",
        "Namespaces that clients may join; others are answered `Invalid namespace`."),
    number("socketio.connect_timeout_ms", (100, HOUR_MS), "45000", "milliseconds",
        "A connection that joined no namespace for this long is closed."),

    key("raw.websocket", Text(checks::url_path), Absent("no plain WebSockets"), "",
        "Path for plain WebSockets, such as `/ws`."),
    key("raw.engineio", Text(checks::url_folder), Absent("no bare Engine.IO"), "",
        "Path for bare Engine.IO clients, such as `/engine.io/`."),

    number("recovery.window_ms", (0, 24 * HOUR_MS), "120000", "milliseconds",
        "How long a client may be away. 0 turns recovery off."),
    number("recovery.max_packets", (1, 1_000_000), "10000", "packets",
        "Packets of the app that are kept."),
    number("recovery.max_bytes", (1024, 1024 * MIB), "16777216", "bytes",
        "Bytes of packets of the app that are kept."),
    key("recovery.token", Text(checks::token_place), Absent("only clients that know recovery are recovered"), "",
        "Where clients whose library knows nothing of recovery carry a secret of their own, 16 to 256 bytes, the same after a reconnect: `auth.FIELD` of the payload they connect with, or `cookie.NAME`. Two connections that show one token are one socket; the later one has it. Such a client is sent again what followed its last pong, unless it sends the offset it came to (the last argument of events) as `auth.offset`."),

    key("origins.allow", Texts { min: 0, check: checks::origin }, Toml("[]"), "",
        "Origins besides the app's own whose pages may connect, such as `https://chat.example.com` or `https://*.example.com`; `*` allows all. Checked for polling and WebSocket alike; clients that send no `Origin` are no pages and pass."),

    key("auth.algorithms", Texts { min: 1, check: auth::algorithm }, Absent("no tokens are checked"), "",
        "Algorithms that tokens may be signed by: `RS256`, `ES256`, `EdDSA`; `HS256` with `hs256_secret`, and only with it."),
    key("auth.jwks", Text(auth::jwks), Absent("keys are given here"), "",
        "URL of the issuer's public keys (a JWKS). `https`, or `http` with `http.allow_private`, which also lets it be at a private address. Fetched when needed, again after 10 minutes and for keys it did not have (every 10 s at most); used for up to an hour while it cannot be fetched."),
    key("auth.public_key", Text(auth::public_key), Absent("keys are elsewhere"), "",
        "The issuer's public key, as PEM."),
    key("auth.hs256_secret", Text(auth::secret_name), Absent("keys are public"), "",
        "Name of the app's secret that tokens are signed with; the secret has at least 32 bytes."),
    key("auth.issuer", Text(checks::non_empty), Absent("`iss` is not looked at"), "",
        "What `iss` of a token must be."),
    key("auth.audience", Text(checks::non_empty), Absent("tokens must have no `aud`"), "",
        "What `aud` of a token must be, or have among others."),
    key("auth.token", Texts { min: 1, check: auth::place }, Toml(r#"["auth.token"]"#), "",
        "Where clients show their token; the first place that has one counts. `auth.FIELD` of the payload they connect with; `query.NAME`, `cookie.NAME` or `header` (`Authorization: Bearer`) of the connection's first request, which is all that raw clients have. A query may be kept by proxies on the way."),
    key("auth.required", Flag, Toml("true"), "",
        "Whether clients without a token are refused. A token that is shown must be good in any case."),
    number("auth.leeway_ms", (0, 300_000), "5000", "milliseconds",
        "How far the issuer's clock may be from this one's: tokens are taken that long after `exp` and before `nbf`."),
    number("auth.expiry_grace_ms", (0, HOUR_MS), "30000", "milliseconds",
        "How long a client whose token has expired stays connected, its events refused, until it is disconnected. It may show a new token of the same `sub` as the argument of the event `wakeline:auth`."),

    number("limits.cpu_ms_per_call", (1, 60_000), "50", "milliseconds",
        "Time on a processor that one call of the handler may take."),
    number("limits.cpu_ms_per_second", (1, 1_000_000), "1000", "milliseconds",
        "Time on processors that all calls together may take in a second on a node; a second's worth may be taken at once. Calls beyond wait, and fail if that takes longer than `wall_ms_per_call`."),
    number("limits.wall_ms_per_call", (1, 600_000), "10000", "milliseconds",
        "Time that one call may take altogether, waiting for the host included."),
    number("limits.memory_bytes", (MIB, 4096 * MIB), "67108864", "bytes",
        "Linear memory of one instance."),
    number("limits.instances", (1, 10_000), "64", "instances",
        "Instances of the handler that may live on a node at once, shared out among its cores (at least one each); more calls wait."),
    number("limits.connections", (1, 10_000_000), "10000", "connections",
        "Connections on a node; more are answered 503."),
    number("limits.sockets", (1, 10_000_000), "100000", "sockets",
        "Namespaces joined on a node, by all connections together; those that are away and may recover count. A client beyond gets a CONNECT_ERROR with `{\"code\":\"limit\",\"limit\":\"sockets\"}`."),
    number("limits.events_per_second", (1, 1_000_000), "1000", "events",
        "What one connection may send in a second: frames, or packets of a POST. A second's worth may come at once; beyond, the connection is read no faster than this. Nothing is lost, but its heartbeats wait as well."),
    number("limits.bytes_per_second", (1024, 16_384 * MIB), "4194304", "bytes",
        "Bytes that one connection may send in a second; beyond, it is read no faster."),
    number("limits.app_events_per_second", (1, 100_000_000), "100000", "events",
        "The same for all connections on a node together, shared out among its cores, and for what backends emit: those are answered 429."),
    number("limits.app_bytes_per_second", (1024, 65_536 * MIB), "67108864", "bytes",
        "Bytes that all connections on a node may send in a second together, shared out among its cores."),
    number("limits.app_bytes_out_per_second", (1024, 65_536 * MIB), "134217728", "bytes",
        "Bytes that a node may send to the app's clients in a second. Beyond, what calls emit waits, volatile events are dropped, and emits of backends are answered 429."),
    number("limits.events_queued", (1, 100_000), "256", "events",
        "Events of one client that may wait for the handler; beyond, its connection is read no further until some are done."),
    number("limits.rooms_per_socket", (1, 100_000), "1000", "rooms",
        "Rooms that one socket may be in; a call that would exceed it fails."),
    number("limits.queue_bytes", (4096, 256 * MIB), "1048576", "bytes",
        "Bytes that may wait for one slow client; beyond, its connection is closed, from which it recovers."),
    number("limits.effects_per_call", (1, 4096), "1000", "effects",
        "Emits, joins, leaves, timers and the like of one call; beyond, the call fails."),
    number("limits.effect_bytes_per_call", (1024, 1024 * MIB), "8388608", "bytes",
        "Bytes of arguments, attachments, rooms, state and timers of one call; beyond, the call fails."),
    number("limits.fan_out_per_call", (1, 100_000_000), "100000", "deliveries",
        "Sockets on the node that the emits of one call may reach, counted by the sizes of their rooms on the core that runs the call; an emit beyond fails, and with it the call unless it goes on without."),
    number("limits.reads_per_call", (1, 1_000_000), "1000", "reads",
        "Reads and listings of the key-value store, and `fetch-sockets`, of one call; beyond, the call fails."),
    number("limits.kv_writes_per_call", (1, 1000), "500", "keys",
        "Keys that one call may write or delete; beyond, the call fails."),
    number("limits.kv_value_bytes", (1, 500_000), "65536", "bytes",
        "Largest value in the key-value store; a call that writes a larger one fails."),
    number("limits.kv_bytes", (0, 1_048_576 * MIB), "268435456", "bytes",
        "Bytes of all keys and values in the key-value store; a call whose writes would exceed it fails and stores nothing. Deleting is always allowed. With several nodes, others' writes are taken into account within ten minutes."),
    number("limits.kv_keys", (0, 100_000_000), "100000", "keys",
        "Keys in the key-value store, as for `kv_bytes`."),
    number("limits.host_bytes_per_call", (1024, 1024 * MIB), "33554432", "bytes",
        "Bytes that one call may read from and write to the key-value store; also the most that a single host call passes."),
    number("limits.log_lines_per_call", (0, 1_000_000), "100", "lines",
        "Log lines of one call; more are dropped, and counted in a last line."),
    number("limits.log_lines_per_second", (1, 1_000_000), "1000", "lines",
        "Log lines of the app on a node in a second; more are dropped, and counted in the next line that is not."),
    number("limits.http_requests_per_call", (0, 100_000), "10", "requests",
        "HTTP requests of one call; beyond, the call fails."),
    number("limits.http_requests_per_second", (1, 100_000), "50", "requests",
        "HTTP requests of the app on a node in a second; more are refused with `connection-limit-reached`."),
    number("limits.timers", (0, 1_000_000), "1000", "timers",
        "Timers of the app that may wait at once; beyond, a call that sets one fails."),
    number("limits.component_bytes", (1024, 256 * MIB), "67108864", "bytes",
        "Size of the component; a larger one is refused before it is compiled."),
    number("limits.compile_ms", (10, 600_000), "120000", "milliseconds",
        "Time that compiling the component may take; one that takes longer is refused."),

    key("http.allow", Texts { min: 0, check: checks::http_host }, Toml("[]"), "",
        "Hosts that the handler may call: `api.example.com`, `api.example.com:8443`, `*.example.com`. Without a port: 443 and 80."),
    key("http.allow_private", Flag, Toml("false"), "",
        "Whether those hosts may be at loopback, private or link-local addresses."),

    key("config.*", Map, Toml("{}"), "",
        "Free keys with strings for values. No place for secrets: what is here is shown."),

    number("sleep.idle_ms", (0, HOUR_MS), "1000", "milliseconds",
        "An instance that has not been called for this long is dropped. 0: after every call."),
    number("sleep.code_ms", (0, 24 * HOUR_MS), "60000", "milliseconds",
        "Compiled code that nobody has called for this long leaves memory; the next call maps it again from disk, in less than a millisecond. It may leave sooner where memory is short."),
    number("sleep.calls", (1, 1_000_000_000), "10000", "calls",
        "Calls after which an instance is dropped, however busy."),
];

/// The section and the key's own name.
pub(crate) fn split(path: &'static str) -> (&'static str, &'static str) {
    path.split_once('.').unwrap_or(("", path))
}
