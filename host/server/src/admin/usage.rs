//! What an app uses, beside its limits: what this node knows of it without asking anybody.
use std::sync::Arc;

use serde_json::{Map, Value, json};
use session::AppStats;

use super::apps::set;
use crate::{Handle, apps::Tenant};

pub(super) struct Used {
    pub(super) sessions: AppStats,
    pub(super) instances: usize,
    calls: u64,
    /// Of all nodes.
    pub(super) timers: usize,
    /// `None`: the app sleeps here, and what it had counted is forgotten.
    tenant: Option<Arc<Tenant>>,
}

impl Used {
    pub(super) async fn look(handle: &Handle, app: &Arc<str>) -> Self {
        let cores = handle.on_cores(app).await;
        Self {
            sessions: handle.sessions(app).await,
            instances: cores.iter().map(|core| core.worker.instances).sum(),
            calls: cores.iter().map(|core| core.calls.count()).sum(),
            timers: handle.book().find(app).map_or(0, |timers| timers.len()),
            tenant: handle.tenants().awake(app),
        }
    }

    /// By the names of the limits.
    pub(super) fn now(&self) -> Value {
        let mut usage = json!({
            "connections": self.sessions.sessions,
            // Those that may come back are held against the limit, too.
            "sockets": self.sessions.sockets + self.sessions.away,
            "instances": self.instances,
            "timers": self.timers,
        });
        let held = self.tenant.as_ref().and_then(|tenant| tenant.quotas.held());
        set(&mut usage, "kv_keys", held.map(|(keys, _)| keys));
        set(&mut usage, "kv_bytes", held.map(|(_, bytes)| bytes));
        usage
    }

    /// What the limits by the second are about, added up.
    pub(super) fn totals(&self) -> Value {
        let code = self.tenant.as_ref().map(|tenant| tenant.quotas.code.spent());
        let code = code.unwrap_or_default();
        json!({
            "calls": self.calls,
            "cpu_ms": u64::try_from(code.cpu.as_millis()).unwrap_or(u64::MAX),
            "events": self.sessions.events,
            "deliveries": self.sessions.deliveries,
            "bytes_in": self.sessions.bytes_in,
            "bytes_out": self.sessions.bytes_out,
            "log_lines": code.log_lines,
            "http_requests": code.http_requests,
        })
    }

    /// How often the app came to each of its limits; those that it never came to are left out.
    pub(super) fn limit_hits(&self) -> Map<String, Value> {
        let hits = self.tenant.iter().flat_map(|tenant| tenant.quotas.hits().all());
        hits.filter(|(_, count)| *count > 0)
            .map(|(limit, count)| (limit.to_owned(), json!(count)))
            .collect()
    }
}
