//! An app's code on one core: a worker of the runtime, behind what a session and the runtime ask for.
use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc, time::Instant};

use bytes::Bytes;
use futures_util::future::{BoxFuture, LocalBoxFuture};
use router::{Call, Effect, Failure, Target};
use runtime::{Commit, CommitError, Host, LogLevel, Page, SocketInfo, Worker};
use session::Shards;

use crate::{
    apps::{Tenant, Version},
    logs::Origin,
    metrics::{Calls, Kind},
    store::Store,
};

/// Implements [`session::App`].
pub(crate) struct Code(Rc<Inner>);

struct Inner {
    tenant: Arc<Tenant>,
    host: Arc<AppHost>,
    /// Replaced with the app's version. Calls hold the one that they began with. Borrowed only to clone.
    worker: RefCell<Rc<Worker>>,
    calls: RefCell<Calls>,
}

impl Code {
    pub(crate) fn new(tenant: Arc<Tenant>, shards: Shards) -> Self {
        let host = Arc::new(AppHost {
            tenant: Arc::clone(&tenant),
            shards,
        });
        let worker = RefCell::new(new_worker(&tenant.version(), &host));
        Self(Rc::new(Inner {
            tenant,
            host,
            worker,
            calls: RefCell::default(),
        }))
    }

    /// Calls that have begun end with the code that they began with.
    pub(crate) fn replace(&self, version: &Version) {
        self.0.worker.replace(new_worker(version, &self.0.host));
    }

    pub(crate) fn worker(&self) -> Rc<Worker> {
        Rc::clone(&self.0.worker.borrow())
    }

    pub(crate) fn calls(&self) -> Calls {
        self.0.calls.borrow().clone()
    }
}

fn new_worker(version: &Version, host: &Arc<AppHost>) -> Rc<Worker> {
    let host = Arc::clone(host) as Arc<dyn Host>;
    Rc::new(Worker::new(
        Rc::new(version.component.clone()),
        host,
        version.limits.clone(),
    ))
}

impl session::App for Code {
    fn call(&self, call: Call) -> LocalBoxFuture<'static, Result<Vec<Effect>, Failure>> {
        let inner = Rc::clone(&self.0);
        Box::pin(async move { inner.call(call).await })
    }
}

impl Inner {
    async fn call(&self, call: Call) -> Result<Vec<Effect>, Failure> {
        let kind = Kind::of(&call.kind);
        let socket = call.socket.as_ref().map(|socket| Arc::clone(&socket.id));
        let started = Instant::now();
        let worker = Rc::clone(&self.worker.borrow());
        let outcome = worker.call(call).await;
        self.calls.borrow_mut().record(kind, &outcome, started.elapsed());
        match &outcome {
            Ok(_) | Err(Failure::Refused(_)) => {}
            Err(failure) => {
                let level = match failure {
                    Failure::Returned(_) => LogLevel::Warn,
                    _ => LogLevel::Error,
                };
                let message = format!("handle-{}: {failure}", kind.name());
                self.tenant
                    .logs
                    .push(Origin::Host, level, kind.name(), &message, socket.as_deref());
            }
        }
        outcome
    }
}

/// What the app's code reaches outside of itself.
struct AppHost {
    tenant: Arc<Tenant>,
    shards: Shards,
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
            let timers_max = tenant.version().manifest.limits.timers;
            let changes = Store::kv_changes(commit.kv)?;
            tenant
                .timers
                .commit(&tenant.store, changes, commit.timers, timers_max)
                .await
        })
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

    fn log(&self, level: LogLevel, context: &str, message: &str, socket: Option<&str>) {
        self.tenant
            .logs
            .push(Origin::Guest, level, context, message, socket);
    }

    fn config(&self) -> Arc<BTreeMap<String, String>> {
        Arc::clone(&self.tenant.version().config)
    }

    fn http_allowed(&self, authority: &str) -> bool {
        let version = self.tenant.version();
        version
            .manifest
            .http
            .allow
            .iter()
            .any(|entry| allows(entry, authority))
    }

    fn http_private_allowed(&self) -> bool {
        self.tenant.version().manifest.http.allow_private
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
