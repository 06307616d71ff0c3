use std::{
    fmt::{self, Write as _},
    fs,
    rc::Rc,
    time::Duration,
};

use crate::{figures, machine, node::Node};

/// Samples over time.
pub(super) struct Watch {
    node: Rc<Node>,
    samples: Vec<(Duration, Sample)>,
}

/// What a host holds at one moment.
#[derive(Clone, Default)]
pub(super) struct Sample {
    resident_bytes: u64,
    /// Of these, those of no file.
    anonymous_bytes: u64,
    /// But for the store's own files, of which it keeps a bounded number open.
    descriptors: usize,
    threads: usize,
    sessions: f64,
    sockets: f64,
    away: f64,
    instances: f64,
    /// Of the cores.
    tasks: f64,
    /// To topics and logs.
    subscriptions: f64,
}

/// Threads that serve blocking work come and go by tens of seconds.
const THREADS_SLACK: usize = 2;

impl Watch {
    pub(super) fn new(node: Rc<Node>) -> Self {
        Self {
            node,
            samples: Vec::new(),
        }
    }

    pub(super) async fn sample(&mut self, at: Duration) -> anyhow::Result<()> {
        self.samples.push((at, Sample::of(&self.node).await?));
        Ok(())
    }

    pub(super) fn last(&self) -> Sample {
        self.samples
            .last()
            .map(|(_, sample)| sample.clone())
            .unwrap_or_default()
    }

    /// The median of the samples of `window` before `at`.
    pub(super) fn resident_mib(&self, at: Duration, window: Duration) -> f64 {
        let within = self
            .samples
            .iter()
            .filter(|(time, _)| *time <= at + Duration::from_secs(2) && *time + window >= at);
        figures::median(within.map(|(_, sample)| mib(sample.resident_bytes)).collect())
    }

    /// Resident memory over time.
    pub(super) fn svg(&self) -> String {
        const WIDTH: f64 = 860.0;
        const HEIGHT: f64 = 300.0;
        let end = self
            .samples
            .last()
            .map_or(1.0, |(at, _)| at.as_secs_f64())
            .max(1.0);
        let most = self.samples.iter().map(|(_, sample)| mib(sample.resident_bytes));
        let most = most.fold(1.0, f64::max) * 1.15;
        let x = |seconds: f64| 60.0 + (WIDTH - 90.0) * seconds / end;
        let y = |mib: f64| HEIGHT - 40.0 - (HEIGHT - 100.0) * mib / most;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"Resident \
             memory during the soak\"><style>.panel{{fill:#fff;stroke:#d0d7de}}.title{{fill:#1f2328;font-weight:600;\
             font-size:16px}}.tick{{fill:#59636e;font-size:12px}}.grid{{stroke:#d0d7de}}.line{{fill:none;stroke:#0969da;\
             stroke-width:1.5}}text{{font-family:system-ui,sans-serif}}@media(prefers-color-scheme:dark){{.panel{{fill:#0d1117;\
             stroke:#30363d}}.title{{fill:#f0f6fc}}.tick{{fill:#9198a1}}.grid{{stroke:#30363d}}.line{{stroke:#4493f8}}}}</style>\
             <rect class=\"panel\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"8\"/><text class=\"title\" x=\"20\" \
             y=\"32\">Resident memory during the soak, MiB</text>",
            WIDTH - 1.0,
            HEIGHT - 1.0
        );
        for step in 0..=4 {
            let value = most * f64::from(step) / 4.0;
            let y = y(value);
            _ = write!(
                svg,
                r#"<line class="grid" x1="60" y1="{y:.1}" x2="{}" y2="{y:.1}"/><text class="tick" x="52" y="{:.1}" text-anchor="end">{value:.0}</text>"#,
                WIDTH - 30.0,
                y + 4.0
            );
            let seconds = end * f64::from(step) / 4.0;
            _ = write!(
                svg,
                r#"<text class="tick" x="{:.1}" y="{}" text-anchor="middle">{:.1} min</text>"#,
                x(seconds),
                HEIGHT - 16.0,
                seconds / 60.0
            );
        }
        svg.push_str(r#"<polyline class="line" points=""#);
        for (at, sample) in &self.samples {
            _ = write!(
                svg,
                "{:.1},{:.1} ",
                x(at.as_secs_f64()),
                y(mib(sample.resident_bytes))
            );
        }
        svg + "\"/></svg>\n"
    }
}

impl Sample {
    pub(super) async fn of(node: &Node) -> anyhow::Result<Self> {
        let pid = node.pid()?;
        let entries = |what: &str| fs::read_dir(format!("/proc/{pid}/{what}")).into_iter().flatten();
        let is_stores = |entry: &fs::DirEntry| {
            fs::read_link(entry.path()).is_ok_and(|file| file.to_string_lossy().contains("/store/"))
        };
        let mut sample = Self {
            resident_bytes: machine::resident_bytes(pid)?,
            anonymous_bytes: machine::anonymous_bytes(pid)?,
            descriptors: entries("fd").flatten().filter(|entry| !is_stores(entry)).count(),
            threads: entries("task").count(),
            ..Self::default()
        };
        // An app that is wholly asleep has no samples.
        let names = ["sessions{", "sockets{", "sockets_away{", "instances{"];
        let mut values = [0.0; 4];
        for (name, value) in names.iter().zip(&mut values) {
            *value = node
                .metric_with(&format!("wakeline_{name}"), "")
                .await
                .unwrap_or(0.0);
        }
        [sample.sessions, sample.sockets, sample.away, sample.instances] = values;
        sample.tasks = node.metric_with("wakeline_tasks", "").await?;
        sample.subscriptions = node.metric_with("wakeline_subscriptions", "").await?;
        Ok(sample)
    }

    /// Nobody is there, or awaited.
    pub(super) fn is_quiet(&self) -> bool {
        self.sessions + self.sockets + self.away + self.instances == 0.0
    }

    /// By how much of what can be counted this exceeds another.
    pub(super) fn more_than(&self, other: &Self) -> f64 {
        let people = |sample: &Self| sample.sessions + sample.sockets + sample.away + sample.instances;
        let counted = |sample: &Self| people(sample) + sample.tasks + sample.subscriptions;
        let descriptors = self.descriptors.saturating_sub(other.descriptors);
        let threads = self.threads.saturating_sub(other.threads + THREADS_SLACK);
        (counted(self) - counted(other)).max(0.0) + (descriptors + threads) as f64
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.1} MiB ({:.1} of no file), {} descriptors, {} threads, {} sessions, {} sockets, {} away, {} instances, {} tasks, {} subscriptions",
            mib(self.resident_bytes),
            mib(self.anonymous_bytes),
            self.descriptors,
            self.threads,
            self.sessions,
            self.sockets,
            self.away,
            self.instances,
            self.tasks,
            self.subscriptions
        )
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
