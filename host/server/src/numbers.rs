//! What of a node is countable: gathered when it is asked for.
use std::{collections::HashMap, sync::Arc};

use futures_util::future::join_all;

use crate::{
    Handle,
    core::{Command, CoreStats},
    handle::Readiness,
    metrics::{AppNumbers, NodeNumber, NodeNumbers},
};

impl Handle {
    /// What is countable, by app, over all cores.
    pub(crate) async fn numbers(&self) -> Vec<(String, AppNumbers)> {
        let asked = self.ask_cores(Command::Stats);
        let mut by_app: HashMap<Arc<str>, Vec<CoreStats>> = HashMap::new();
        for stats in join_all(asked).await.into_iter().flatten().flatten() {
            by_app.entry(Arc::clone(&stats.app)).or_default().push(stats);
        }
        let mut all = Vec::new();
        for tenant in self.tenants().all_awake() {
            let sessions = self.sessions(&tenant.name).await;
            let of_app = by_app.get(&tenant.name).into_iter().flatten();
            all.push((
                tenant.name.to_string(),
                AppNumbers::sum(&sessions, of_app, tenant.timers.len()).with_hits(&tenant.quotas),
            ));
        }
        all
    }

    pub(crate) async fn node_numbers(&self) -> NodeNumbers {
        NodeNumbers {
            ready: self.readiness() == Readiness::Ready,
            own: self.own_numbers(self.shards().tasks().await),
            cluster: self.0.joined.as_ref().map(|joined| joined.numbers(self.nodes())),
        }
    }

    fn own_numbers(&self, tasks: usize) -> Vec<NodeNumber> {
        let (code, tenants) = (self.shelf().stats(), self.tenants());
        let known = self.catalogue().len() + tenants.fixed().len();
        let connections = self.0.connections_max - self.0.connections.available_permits();
        vec![
            (
                "connections",
                "gauge",
                "TCP connections of clients.",
                connections as u64,
            ),
            (
                "tasks",
                "gauge",
                "Tasks of the cores: a WebSocket has one, and so has a connection that is asked something.",
                tasks as u64,
            ),
            (
                "subscriptions",
                "gauge",
                "Topics and logs that this node listens to; two for each core's line to an app.",
                self.0.subscriptions.count() as u64,
            ),
            (
                "apps",
                "gauge",
                "Apps that can run here, asleep or not.",
                known as u64,
            ),
            (
                "apps_loaded",
                "gauge",
                "Apps whose settings are in memory.",
                tenants.all_awake().len() as u64,
            ),
            (
                "catalogue",
                "counter",
                "Changes of apps that this node has taken in; less than on the others: it is behind.",
                self.catalogue().applied(),
            ),
            (
                "code_components",
                "gauge",
                "Components whose machine code is in memory.",
                code.components,
            ),
            ("code_bytes", "gauge", "Bytes of that code.", code.bytes),
            (
                "code_evictions_total",
                "counter",
                "Components that left memory for others.",
                code.evictions,
            ),
            (
                "log_bytes",
                "gauge",
                "Bytes of the last lines of apps' logs.",
                self.logs().bytes() as u64,
            ),
            (
                "log_followers",
                "gauge",
                "Who follows an app's log on this node, other nodes included.",
                self.logs().followers() as u64,
            ),
        ]
    }
}
