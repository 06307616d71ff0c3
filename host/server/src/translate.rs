//! From the manifest's words to what the session and the runtime ask for.
use std::{sync::Arc, time::Duration};

use platform::Manifest;
use runtime::CompileLimits;
use session::{AppSettings, Rates, RecoverySettings, TokenPlace};

use crate::quota::Most;

use crate::auth;

pub(crate) fn settings(manifest: &Manifest) -> AppSettings {
    let engine = &manifest.engine;
    AppSettings {
        engine: Arc::new(engineio::Settings {
            ping_interval: engine.ping_interval,
            ping_timeout: engine.ping_timeout,
            upgrade_timeout: engine.upgrade_timeout,
            max_payload_bytes: engine.max_payload_bytes,
            polling: engine.polling,
            websocket: engine.websocket,
            queue_bytes_max: manifest.limits.queue_bytes,
        }),
        namespaces: manifest
            .socketio
            .namespaces
            .iter()
            .map(|namespace| namespace.as_str().into())
            .collect(),
        connect_timeout: manifest.socketio.connect_timeout,
        recovery: manifest.recovery.as_ref().map(|recovery| RecoverySettings {
            window: recovery.window,
            packets_max: recovery.packets_max,
            bytes_max: recovery.bytes_max,
        }),
        token: manifest.recovery.as_ref().and_then(token_place),
        auth: manifest.auth.as_ref().map(auth::closed),
        queue_bytes_max: manifest.limits.queue_bytes,
        rooms_per_socket_max: manifest.limits.rooms_per_socket,
        events_queued_max: manifest.limits.events_queued,
        sessions_max: manifest.limits.connections,
        rates: Rates {
            events_per_second: manifest.limits.events_per_second,
            bytes_per_second: manifest.limits.bytes_per_second,
            app_events_per_second: manifest.limits.app_events_per_second,
            app_bytes_per_second: manifest.limits.app_bytes_per_second,
            app_bytes_out_per_second: manifest.limits.app_bytes_out_per_second,
            sockets_max: manifest.limits.sockets,
        },
    }
}

/// The manifest has checked the form.
fn token_place(recovery: &platform::Recovery) -> Option<TokenPlace> {
    let (place, name) = recovery.token.as_deref()?.split_once('.')?;
    Some(match place {
        "auth" => TokenPlace::Auth(name.into()),
        _ => TokenPlace::Cookie(name.into()),
    })
}

/// What compiling an app's component may take.
pub(crate) fn compile_limits(manifest: &Manifest) -> CompileLimits {
    CompileLimits {
        wasm_bytes_max: manifest.limits.component_bytes,
        time_max: manifest.limits.compile,
    }
}

/// What an app may keep.
pub(crate) fn most_kept(manifest: &Manifest) -> Most {
    Most {
        keys: manifest.limits.kv_keys,
        bytes: manifest.limits.kv_bytes,
    }
}

/// The manifest's limits are a node's, a worker's are a core's.
pub(crate) fn limits(manifest: &Manifest, cores: usize) -> runtime::Limits {
    let limits = &manifest.limits;
    let whole_ms = |duration: Duration| u32::try_from(duration.as_millis()).unwrap_or(u32::MAX);
    runtime::Limits {
        cpu_ms_per_call: whole_ms(limits.cpu_per_call),
        cpu_ms_per_second: limits.cpu_ms_per_second,
        wall_ms_per_call: whole_ms(limits.wall_per_call),
        memory_bytes: limits.memory_bytes,
        instances: limits.instances.div_ceil(cores),
        calls_per_instance: u32::try_from(manifest.sleep.calls).unwrap_or(u32::MAX),
        idle_ms: whole_ms(manifest.sleep.idle),
        effects_per_call: limits.effects_per_call,
        effect_bytes_per_call: limits.effect_bytes_per_call,
        fan_out_per_call: limits.fan_out_per_call,
        rooms_per_socket: limits.rooms_per_socket,
        reads_per_call: limits.reads_per_call,
        kv_writes_per_call: limits.kv_writes_per_call,
        kv_value_bytes: limits.kv_value_bytes,
        host_bytes_per_call: limits.host_bytes_per_call,
        log_lines_per_call: limits.log_lines_per_call,
        log_lines_per_second: limits.log_lines_per_second,
        http_requests_per_call: limits.http_requests_per_call,
        http_requests_per_second: limits.http_requests_per_second,
    }
}
