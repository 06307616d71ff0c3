//! Where figures are made, and what processes take of it.
use std::{
    collections::BTreeMap,
    fs,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

/// Whether this process keeps to a core of its own, so that servers keep to theirs.
static PINNED: AtomicBool = AtomicBool::new(false);

/// One line that says where figures were made.
pub(crate) fn describe() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or(": unknown processor");
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{} cores, {}, Linux {}",
        cores(),
        model.trim_start_matches(['\t', ' ', ':']),
        kernel.trim()
    )
}

pub(crate) fn cores() -> usize {
    // Not `available_parallelism`, which tells what this process may use.
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    cpu.lines()
        .filter(|line| line.starts_with("processor"))
        .count()
        .max(1)
}

/// Keeps this process on one core; answers whether it could. What it starts afterwards stays there too, unless it is told
/// otherwise.
pub(crate) fn pin(core: usize) -> bool {
    let pinned = taskset(&core.to_string());
    PINNED.store(pinned, Ordering::Relaxed);
    pinned
}

/// On all cores again.
pub(crate) fn unpin() {
    if PINNED.swap(false, Ordering::Relaxed) {
        taskset(&format!("0-{}", cores() - 1));
    }
}

fn taskset(cores: &str) -> bool {
    let pid = std::process::id().to_string();
    let output = Command::new("taskset").args(["-acp", cores, &pid]).output();
    output.is_ok_and(|output| output.status.success())
}

pub(crate) fn is_pinned() -> bool {
    PINNED.load(Ordering::Relaxed)
}

/// Resident bytes of a process.
pub(crate) fn resident_bytes(pid: u32) -> anyhow::Result<u64> {
    status_bytes(pid, "VmRSS:")
}

/// What of it belongs to no file: neither the program's text nor compiled code.
pub(crate) fn anonymous_bytes(pid: u32) -> anyhow::Result<u64> {
    status_bytes(pid, "RssAnon:")
}

/// The most that a process ever had resident.
pub(crate) fn peak_bytes(pid: u32) -> anyhow::Result<u64> {
    status_bytes(pid, "VmHWM:")
}

fn status_bytes(pid: u32, key: &str) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let kib: u64 = line
        .and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok())
        .ok_or_else(|| anyhow::anyhow!("no {key} in /proc/{pid}/status"))?;
    Ok(kib * 1024)
}

/// These processes and all that they have started.
pub(crate) fn tree(roots: &[u32]) -> Vec<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        // The parent is field 4 (proc(5)).
        if let Some(parent) = stat(pid).and_then(|fields| fields.get(1)?.parse().ok()) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let (mut found, mut next) = (Vec::new(), roots.to_vec());
    while let Some(pid) = next.pop() {
        found.push(pid);
        next.extend(children.get(&pid).into_iter().flatten());
    }
    found
}

/// Processor time that processes have used, all their threads.
#[derive(Clone, Copy, Default)]
pub(crate) struct Used {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
    /// Both, to the nanosecond where the kernel tells; threads that have ended are in the other two only.
    exact: Duration,
}

impl Used {
    pub(crate) fn by(pids: &[u32]) -> Self {
        let mut sum = Self::default();
        for pid in pids {
            // Fields 14 and 15, of which the first two are not here.
            let fields = stat(*pid).unwrap_or_default();
            let time = |place: usize| {
                let ticks = fields.get(place).and_then(|field| field.parse::<u64>().ok());
                Duration::from_millis(ticks.unwrap_or(0) * TICK_MS)
            };
            sum.user += time(11);
            sum.system += time(12);
            let threads = fs::read_dir(format!("/proc/{pid}/task"))
                .into_iter()
                .flatten()
                .flatten();
            for thread in threads {
                let told = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
                let nanos = told.split(' ').next().and_then(|first| first.parse().ok());
                sum.exact += Duration::from_nanos(nanos.unwrap_or(0));
            }
        }
        sum
    }

    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            user: self.user.saturating_sub(before.user),
            system: self.system.saturating_sub(before.system),
            exact: self.exact.saturating_sub(before.exact),
        }
    }

    pub(crate) fn total(self) -> Duration {
        let coarse = self.user + self.system;
        if self.exact + Duration::from_millis(2 * TICK_MS) < coarse {
            coarse
        } else {
            self.exact
        }
    }

    /// The kernel's part of it.
    pub(crate) fn system_share(self) -> f64 {
        let both = (self.user + self.system).as_secs_f64();
        if both == 0.0 {
            return 0.0;
        }
        self.system.as_secs_f64() / both
    }
}

/// Processor time that a process has used, user and system, all its threads.
pub(crate) fn cpu_time(pid: u32) -> anyhow::Result<Duration> {
    fs::metadata(format!("/proc/{pid}"))?;
    let used = Used::by(&[pid]);
    Ok(used.user + used.system)
}

/// What follows the second field, the program's name in parentheses, which may have spaces.
fn stat(pid: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    Some(fields.split(' ').map(str::to_owned).collect())
}

/// Processor time that the whole machine has used.
pub(crate) fn busy() -> Duration {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    // user, nice, system, idle, iowait, irq, softirq, …
    let ticks = line.split_whitespace().skip(1).enumerate();
    let busy = ticks.filter(|(place, _)| !matches!(place, 3 | 4));
    let busy: u64 = busy.filter_map(|(_, ticks)| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(busy * TICK_MS)
}

/// USER_HZ is 100 wherever Linux runs this.
const TICK_MS: u64 = 10;
