//! Counts what a server does, by valgrind's callgrind, which is told when over the pipe that valgrind has for debuggers.
use std::{
    collections::HashMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::Context as _;

use super::ratchet::{Cost, Measured};
use crate::peers::Running;

/// A server under callgrind.
pub(super) struct Counter {
    /// As text, for `vgdb`.
    pid: String,
    directory: PathBuf,
    /// So many were written: callgrind numbers its files.
    dumps: u32,
}

/// In a span, or by what was done in it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Counts {
    /// Of user space, all threads; the kernel's are not seen.
    pub(super) instructions: f64,
    /// Calls to the allocator for new memory or more of it.
    pub(super) allocations: f64,
}

const OUT: &str = "callgrind.out";
const PIPES: &str = "vgdb-pipe";
/// The allocator's functions that give memory.
const ALLOCATORS: [&str; 6] = [
    "malloc",
    "calloc",
    "realloc",
    "posix_memalign",
    "aligned_alloc",
    "memalign",
];

/// What a server is started with, before its own words. `directory` is the server's.
pub(crate) fn valgrind(directory: &Path) -> Vec<OsString> {
    let own = |option: &str, name: &str| {
        let mut word = OsString::from(option);
        word.push(directory.join(name));
        word
    };
    vec![
        "--tool=callgrind".into(),
        // Compiled guests are code that no file has.
        "--smc-check=all-non-file".into(),
        "--instr-atstart=no".into(),
        own("--callgrind-out-file=", OUT),
        own("--vgdb-prefix=", PIPES),
    ]
}

/// Why nothing can be counted here.
pub(super) fn missing() -> Option<&'static str> {
    if !cfg!(target_arch = "x86_64") {
        return Some("the ratchet is for x86_64");
    }
    let there = ["valgrind", "vgdb"].into_iter().all(|program| {
        let mut command = Command::new(program);
        command.arg("--help").stdin(Stdio::null());
        command.output().is_ok_and(|output| output.status.success())
    });
    (!there).then_some("valgrind is missing (on Debian: apt-get install valgrind)")
}

impl Counter {
    /// Counts from now on.
    pub(super) fn start(server: &Running) -> anyhow::Result<Self> {
        let counter = Self {
            pid: server.main_pid()?.to_string(),
            directory: server.directory().to_owned(),
            dumps: 0,
        };
        counter.tell(&["instrumentation", "on"])?;
        Ok(counter)
    }

    /// What happened before this does not count.
    pub(super) fn forget(&mut self) -> anyhow::Result<()> {
        self.tell(&["zero"])
    }

    /// What happened since it was told to forget, or since it was read.
    pub(super) fn read(&mut self) -> anyhow::Result<Counts> {
        self.tell(&["dump"])?;
        self.dumps += 1;
        let file = self.directory.join(format!("{OUT}.{}", self.dumps));
        let dump = fs::read_to_string(&file).with_context(|| format!("no {}", file.display()))?;
        fs::remove_file(&file)?;
        counts(&dump).with_context(|| format!("{} is not understood", file.display()))
    }

    fn tell(&self, words: &[&str]) -> anyhow::Result<()> {
        let mut vgdb = Command::new("vgdb");
        let mut prefix = OsString::from("--vgdb-prefix=");
        prefix.push(self.directory.join(PIPES));
        let pid = format!("--pid={}", self.pid);
        vgdb.arg(prefix).args(["--wait=10", &pid]).args(words);
        let output = vgdb.stdin(Stdio::null()).output().context("cannot start vgdb")?;
        anyhow::ensure!(
            output.status.success(),
            "vgdb {}: {}",
            words.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }
}

impl Counts {
    /// For each of so many.
    pub(super) fn by(self, count: usize) -> Self {
        Self {
            instructions: self.instructions / count as f64,
            allocations: self.allocations / count as f64,
        }
    }

    pub(super) fn less(self, other: Self) -> Self {
        Self {
            instructions: self.instructions - other.instructions,
            allocations: self.allocations - other.allocations,
        }
    }

    pub(super) fn of(self, instructions: Cost, allocations: Cost) -> [Measured; 2] {
        let measured = |cost, value| Measured { cost, value };
        [
            measured(instructions, self.instructions),
            measured(allocations, self.allocations),
        ]
    }
}

/// Reads callgrind's format: `fn=(3) name` names a function by a number, which alone stands for it from then on;
/// `cfn=(4)` and `calls=7 …` say that it called another so often; `summary:` or `totals:` has the sum.
fn counts(dump: &str) -> Option<Counts> {
    let mut names: HashMap<&str, &str> = HashMap::new();
    let mut called = "";
    let mut counts = Counts::default();
    let mut sum = None;
    for line in dump.lines() {
        let (key, value) = line.split_once(['=', ':']).unwrap_or((line, ""));
        match key {
            "fn" | "cfn" => {
                let (number, name) = value
                    .split_once(") ")
                    .unwrap_or((value.trim_end_matches(')'), ""));
                if !name.is_empty() {
                    names.insert(number, name);
                }
                if key == "cfn" {
                    called = names.get(number).copied().unwrap_or("");
                }
            }
            // A function that is called anew while it runs has a number behind its name.
            "calls" if ALLOCATORS.contains(&called.split('\'').next().unwrap_or("")) => {
                counts.allocations += value.split(' ').next()?.parse::<f64>().ok()?;
            }
            "summary" | "totals" => sum = value.trim().parse::<f64>().ok(),
            _ => {}
        }
    }
    counts.instructions = sum?;
    Some(counts)
}

#[cfg(test)]
mod tests;
