//! What an app's code reaches outside of itself, behind what the runtime asks for.
use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use router::{Target, Trace};
use runtime::{Commit, CommitError, Host, LineOf, LogLevel, Page, SocketInfo};
use session::Shards;

use crate::{
    apps::{Tenant, Version},
    code::merged,
    logs::{Origin, Said},
    quota,
    store::Store,
    translate,
};

/// What the app's code reaches outside of itself.
pub(crate) struct AppHost {
    pub(crate) tenant: Arc<Tenant>,
    pub(crate) version: Arc<Version>,
    pub(crate) shards: Shards,
}

impl Host for AppHost {
    fn kv_get<'a>(
        &'a self,
        bucket: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<(Bytes, u64)>, String>> {
        Box::pin(self.tenant.store.get(bucket, key))
    }

    fn kv_keys<'a>(
        &'a self,
        bucket: &'a str,
        after: Option<&'a str>,
        keys_max: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, String>> {
        Box::pin(self.tenant.store.keys(bucket, after, keys_max))
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<(), CommitError>> {
        Box::pin(async move {
            let tenant = &self.tenant;
            let timers_max = self.version.manifest.limits.timers;
            let most = translate::most_kept(&self.version.manifest);
            let is_cluster = self.shards.nodes().is_cluster();
            let store = |writes| async {
                let changes = Store::kv_changes(writes)?;
                let timers = commit.timers.clone();
                if changes.is_empty() && timers.is_empty() {
                    return Ok(());
                }
                tenant
                    .timers
                    .commit(&tenant.store, changes, timers, timers_max)
                    .await
            };
            let kept = &tenant.quotas.kept;
            kept.commit(&tenant.store, commit.kv, most, is_cluster, store)
                .await
        })
    }

    fn reach(&self, target: &Target) -> usize {
        quota::reach(&self.tenant.name, target)
    }

    fn fetch_sockets(&self, target: Target, cursor: Option<String>) -> BoxFuture<'_, Result<Page, String>> {
        Box::pin(async move {
            let page = self
                .shards
                .fetch_sockets(Arc::clone(&self.tenant.name), target, cursor)
                .await;
            let info = |socket: session::SocketInfo| SocketInfo {
                id: socket.id,
                rooms: socket.rooms,
                state: socket.state,
            };
            Ok(Page {
                sockets: page.sockets.into_iter().map(info).collect(),
                cursor: page.cursor,
                partial: page.partial,
            })
        })
    }

    fn log(&self, level: LogLevel, context: &str, message: &str, of: LineOf<'_>) {
        self.tenant.logs.say(Said {
            origin: Origin::Guest,
            level,
            context,
            message,
            socket: of.socket,
            trace: of.trace.map(Trace::id_text).as_deref(),
        });
    }

    fn config(&self) -> Arc<BTreeMap<String, String>> {
        merged(&self.version.config, self.tenant.secrets().as_ref())
    }

    fn http_allowed(&self, authority: &str) -> bool {
        self.version
            .manifest
            .http
            .allow
            .iter()
            .any(|entry| allows(entry, authority))
    }

    fn http_private_allowed(&self) -> bool {
        self.version.manifest.http.allow_private
    }
}

/// `entry` is the manifest's: `host`, `host:port` or `*.host`; `authority` has a port.
pub(crate) fn allows(entry: &str, authority: &str) -> bool {
    let Some((host, port)) = authority.rsplit_once(':') else {
        return false;
    };
    let (wanted, ports) = match entry.rsplit_once(':') {
        Some((wanted, wanted_port)) if !wanted_port.ends_with(']') => (wanted, Some(wanted_port)),
        _ => (entry, None),
    };
    let port_allowed = ports.map_or(matches!(port, "80" | "443"), |ports| ports == port);
    let host_allowed = match wanted.strip_prefix("*.") {
        // One label or more, never the domain itself.
        Some(domain) => host
            .strip_suffix(domain)
            .is_some_and(|labels| labels.len() > 1 && labels.ends_with('.')),
        None => wanted == host,
    };
    port_allowed && host_allowed
}
