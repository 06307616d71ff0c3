use std::{collections::BTreeMap, time::Duration};

use crate::{
    Auth, Ceilings, ManifestErrors, Problem, checks,
    keys::{KEYS, Kind},
    read::{self, Values},
};

/// An app's manifest, checked, defaults filled in. `docs()` has what every key means. Paths are as the author wrote
/// them, relative to the manifest; [`crate::AppDir`] resolves them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    pub name: String,
    pub component: String,
    pub build_command: String,
    pub build_watch: Vec<String>,
    pub assets_dir: Option<String>,
    pub engine: Engine,
    pub socketio: SocketIo,
    pub raw: Raw,
    /// `None`: off.
    pub recovery: Option<Recovery>,
    pub origins_allow: Vec<String>,
    /// `None`: clients are not asked who they are.
    pub auth: Option<Auth>,
    pub limits: Limits,
    pub http: Http,
    pub config: BTreeMap<String, String>,
    pub sleep: Sleep,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    pub ping_interval: Duration,
    pub ping_timeout: Duration,
    pub upgrade_timeout: Duration,
    pub max_payload_bytes: usize,
    pub polling: bool,
    pub websocket: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketIo {
    pub namespaces: Vec<String>,
    pub connect_timeout: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw {
    pub websocket: Option<String>,
    pub engineio: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    pub window: Duration,
    pub packets_max: u64,
    pub bytes_max: u64,
    /// `auth.FIELD` or `cookie.NAME`.
    pub token: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    pub cpu_per_call: Duration,
    pub cpu_ms_per_second: u32,
    pub wall_per_call: Duration,
    pub memory_bytes: usize,
    pub instances: usize,
    pub connections: usize,
    pub sockets: usize,
    pub events_per_second: u64,
    pub bytes_per_second: u64,
    pub app_events_per_second: u64,
    pub app_bytes_per_second: u64,
    pub app_bytes_out_per_second: u64,
    pub events_queued: usize,
    pub rooms_per_socket: usize,
    pub queue_bytes: usize,
    pub effects_per_call: usize,
    pub effect_bytes_per_call: usize,
    pub fan_out_per_call: usize,
    pub reads_per_call: usize,
    pub kv_writes_per_call: usize,
    pub kv_value_bytes: usize,
    pub kv_bytes: u64,
    pub kv_keys: u64,
    pub host_bytes_per_call: usize,
    pub log_lines_per_call: usize,
    pub log_lines_per_second: u32,
    pub http_requests_per_call: usize,
    pub http_requests_per_second: u32,
    pub timers: usize,
    pub component_bytes: usize,
    pub compile: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    pub allow: Vec<String>,
    pub allow_private: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sleep {
    pub idle: Duration,
    pub code: Duration,
    pub calls: u64,
}

impl Manifest {
    /// Reads a manifest. `file` is its name in errors; `folder` the app's name where the text gives none.
    pub fn parse(
        source: &str,
        file: &str,
        folder: &str,
        ceilings: &Ceilings,
    ) -> Result<Self, ManifestErrors> {
        let errors = |problems| ManifestErrors {
            file: file.to_owned(),
            problems,
        };
        let values = read::read(source, ceilings).map_err(errors)?;
        let name = values.text("name").unwrap_or_else(|| folder.to_owned());
        if let Err(expected) = checks::app_name(&name) {
            let message = format!("expected {expected}, found the folder's name {name:?}");
            let problem = Problem::new(source, 0..0, "name", message).help("give the app a `name`");
            return Err(errors(vec![problem]));
        }
        Ok(Self::assemble(name, &values))
    }

    /// The numbers of `[limits]` as they hold for an app, defaults and ceilings included, by their names there.
    pub fn limits_of(source: &str, ceilings: &Ceilings) -> Vec<(&'static str, u64)> {
        let Ok(values) = read::read(source, ceilings) else {
            return Vec::new();
        };
        let numbers = KEYS.iter().filter(|key| matches!(key.kind, Kind::Integer { .. }));
        let limits = numbers.filter_map(|key| Some((key.path.strip_prefix("limits.")?, key.path)));
        limits.map(|(name, path)| (name, values.integer(path))).collect()
    }

    fn assemble(name: String, values: &Values) -> Self {
        let default_component = || format!("target/wasm32-wasip2/release/{}.wasm", name.replace('-', "_"));
        let transports = values.texts("engine.transports");
        let window = millis(values, "recovery.window_ms");
        Self {
            component: values.text("component").unwrap_or_else(default_component),
            name,
            build_command: values.text("build.command").unwrap_or_default(),
            build_watch: values.texts("build.watch"),
            assets_dir: values.text("assets.dir"),
            engine: Engine {
                ping_interval: millis(values, "engine.ping_interval_ms"),
                ping_timeout: millis(values, "engine.ping_timeout_ms"),
                upgrade_timeout: millis(values, "engine.upgrade_timeout_ms"),
                max_payload_bytes: size(values, "engine.max_payload_bytes"),
                polling: transports.iter().any(|transport| transport == "polling"),
                websocket: transports.iter().any(|transport| transport == "websocket"),
            },
            socketio: SocketIo {
                namespaces: values.texts("socketio.namespaces"),
                connect_timeout: millis(values, "socketio.connect_timeout_ms"),
            },
            raw: Raw {
                websocket: values.text("raw.websocket"),
                engineio: values.text("raw.engineio"),
            },
            recovery: (!window.is_zero()).then(|| Recovery {
                window,
                packets_max: values.integer("recovery.max_packets"),
                bytes_max: values.integer("recovery.max_bytes"),
                token: values.text("recovery.token"),
            }),
            origins_allow: values.texts("origins.allow"),
            auth: Auth::assemble(values),
            limits: Limits::assemble(values),
            http: Http {
                allow: values.texts("http.allow"),
                allow_private: values.flag("http.allow_private"),
            },
            config: values.map("config.*"),
            sleep: Sleep {
                idle: millis(values, "sleep.idle_ms"),
                code: millis(values, "sleep.code_ms"),
                calls: values.integer("sleep.calls"),
            },
        }
    }
}

impl Limits {
    fn assemble(values: &Values) -> Self {
        Self {
            cpu_per_call: millis(values, "limits.cpu_ms_per_call"),
            cpu_ms_per_second: rate(values, "limits.cpu_ms_per_second"),
            wall_per_call: millis(values, "limits.wall_ms_per_call"),
            memory_bytes: size(values, "limits.memory_bytes"),
            instances: size(values, "limits.instances"),
            connections: size(values, "limits.connections"),
            sockets: size(values, "limits.sockets"),
            events_per_second: values.integer("limits.events_per_second"),
            bytes_per_second: values.integer("limits.bytes_per_second"),
            app_events_per_second: values.integer("limits.app_events_per_second"),
            app_bytes_per_second: values.integer("limits.app_bytes_per_second"),
            app_bytes_out_per_second: values.integer("limits.app_bytes_out_per_second"),
            events_queued: size(values, "limits.events_queued"),
            rooms_per_socket: size(values, "limits.rooms_per_socket"),
            queue_bytes: size(values, "limits.queue_bytes"),
            effects_per_call: size(values, "limits.effects_per_call"),
            effect_bytes_per_call: size(values, "limits.effect_bytes_per_call"),
            fan_out_per_call: size(values, "limits.fan_out_per_call"),
            reads_per_call: size(values, "limits.reads_per_call"),
            kv_writes_per_call: size(values, "limits.kv_writes_per_call"),
            kv_value_bytes: size(values, "limits.kv_value_bytes"),
            kv_bytes: values.integer("limits.kv_bytes"),
            kv_keys: values.integer("limits.kv_keys"),
            host_bytes_per_call: size(values, "limits.host_bytes_per_call"),
            log_lines_per_call: size(values, "limits.log_lines_per_call"),
            log_lines_per_second: rate(values, "limits.log_lines_per_second"),
            http_requests_per_call: size(values, "limits.http_requests_per_call"),
            http_requests_per_second: rate(values, "limits.http_requests_per_second"),
            timers: size(values, "limits.timers"),
            component_bytes: size(values, "limits.component_bytes"),
            compile: millis(values, "limits.compile_ms"),
        }
    }
}

pub(crate) fn millis(values: &Values, path: &'static str) -> Duration {
    Duration::from_millis(values.integer(path))
}

fn rate(values: &Values, path: &'static str) -> u32 {
    u32::try_from(values.integer(path)).unwrap_or(u32::MAX)
}

fn size(values: &Values, path: &'static str) -> usize {
    usize::try_from(values.integer(path)).unwrap_or(usize::MAX)
}
