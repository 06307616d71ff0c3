//! A child process that can be killed, stopped and started again.
use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use crate::until;

/// A process; killed when dropped.
pub struct Process {
    pub name: String,
    program: OsString,
    arguments: Vec<OsString>,
    /// What it says, over all its lives.
    pub log: PathBuf,
    child: Child,
}

impl Process {
    /// Its output goes to `NAME.log` in `directory`.
    pub fn start(
        name: &str,
        program: impl Into<OsString>,
        arguments: Vec<OsString>,
        directory: &Path,
    ) -> Result<Self> {
        let log = directory.join(format!("{name}.log"));
        let program = program.into();
        let child = spawn(&program, &arguments, &log)?;
        Ok(Self {
            name: name.to_owned(),
            program,
            arguments,
            log,
            child,
        })
    }

    /// The same again, after it has ended.
    pub fn start_again(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_none() {
            bail!("{} has not ended", self.name);
        }
        self.child = spawn(&self.program, &self.arguments, &self.log)?;
        Ok(())
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: no goodbye to anyone.
    pub fn kill(&mut self) {
        // A stopped process dies of it too. An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGSTOP: it keeps its connections and does nothing.
    pub fn pause(&self) -> Result<()> {
        self.signal("STOP")
    }

    /// SIGCONT.
    pub fn resume(&self) -> Result<()> {
        self.signal("CONT")
    }

    /// SIGTERM, and waits for the end.
    pub fn terminate(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.signal("TERM")?;
        let what = format!("the end of {} after SIGTERM", self.name);
        until(limit, &what, || Ok(self.child.try_wait()?))
    }

    /// An error if it has ended by itself, with its last words.
    pub fn must_run(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} has ended ({status}):\n{}", self.name, self.last_words(20));
        }
        Ok(())
    }

    /// The end of its log, what is said again and again but once.
    pub fn last_words(&self, lines: usize) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let mut kept: Vec<(&str, usize)> = Vec::new();
        for line in text.lines() {
            match kept.last_mut() {
                Some((last, more)) if gist(last) == gist(line) => *more += 1,
                _ => kept.push((line, 0)),
            }
        }
        let skipped = kept.len().saturating_sub(lines);
        let shown = kept.into_iter().skip(skipped).map(|(line, more)| match more {
            0 => line.to_owned(),
            _ => format!("{line} (and {more} like it)"),
        });
        shown.collect::<Vec<_>>().join("\n")
    }

    /// The most memory that it ever had, and what it has now (resident, in bytes).
    pub fn memory(&self) -> Result<(u64, u64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let read = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            let kilobytes = line.and_then(|rest| rest.split_whitespace().next());
            let kilobytes: u64 = kilobytes.context("no such line in /proc")?.parse()?;
            anyhow::Ok(kilobytes * 1024)
        };
        Ok((read("VmHWM:")?, read("VmRSS:")?))
    }

    fn signal(&self, name: &str) -> Result<()> {
        let status = Command::new("kill")
            .args([format!("-{name}"), self.id().to_string()])
            .status()
            .context("cannot run `kill`")?;
        if !status.success() {
            bail!("{} cannot be sent SIG{name}", self.name);
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a line says, without when and about whom.
fn gist(line: &str) -> Vec<&str> {
    let words = line.split_whitespace().skip(1);
    words.take_while(|word| !word.contains('=')).take(12).collect()
}

fn spawn(program: &OsString, arguments: &[OsString], log: &Path) -> Result<Child> {
    let file: File = OpenOptions::new()
        .append(true)
        .create(true)
        .open(log)
        .with_context(|| format!("cannot write {}", log.display()))?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file);
    // Of the terminal's group: Ctrl-C reaches it too, should the parent have no time to end it.
    command
        .spawn()
        .with_context(|| format!("cannot start {}: is it on PATH?", program.display()))
}
