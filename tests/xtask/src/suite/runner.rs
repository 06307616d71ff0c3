//! Runs test binaries and reads libtest's lines. No other runner is installed: this one has to count by kind,
//! and a fresh machine would build a better one for minutes.
use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{
    kind::Kind,
    report::{self, Report},
    tally::Tally,
};
use crate::{guests, sh};

pub(crate) struct Runner<'a> {
    /// Part of the names of the tests to run; all, if none.
    pub(crate) filter: Option<&'a str>,
    pub(crate) report: &'a Report,
}

/// Whole clusters of processes: one at a time, and nothing beside, or they would starve each other's heartbeats.
const ALONE: &str = "cluster::";

/// How a test ended, by libtest's word.
#[derive(Debug, PartialEq, Eq)]
enum Verdict<'a> {
    Passed,
    Failed,
    Ignored(&'a str),
}

impl Runner<'_> {
    /// The host's workspace: builds the test binaries, then runs one after the other.
    pub(crate) fn host(&self, tally: &mut Tally) -> Result<()> {
        let arguments = [
            "test",
            "--release",
            "--workspace",
            "--no-run",
            "--message-format=json-render-diagnostics",
        ];
        let messages = sh::read_watched(sh::cargo().args(arguments)).context("the tests do not build")?;
        let mut binaries: Vec<(String, String, String)> = messages.lines().filter_map(test_binary).collect();
        // The slow ones, which need the whole machine to be quiet, come last.
        binaries.sort_by_key(|(package, ..)| (package == "it", package.clone()));
        for (package, directory, executable) in binaries {
            sh::step(&format!("testing {package}"));
            let run = |tally: &mut Tally, arguments: &[&str]| {
                let mut command = Command::new(&executable);
                command.current_dir(&directory).args(arguments);
                self.tests(&mut command, &package, tally, |test| Kind::of(&package, test))
            };
            if package != "it" {
                run(tally, &[])?;
                continue;
            }
            // Its tests mostly wait, for clocks and clients; sixteen at once leave two cores half idle.
            run(tally, &["--test-threads", "6", "--skip", ALONE])?;
            let alone = self.list(&executable, ALONE)?;
            if !alone.is_empty() {
                let mut arguments = vec!["--test-threads", "1", "--exact"];
                arguments.extend(alone.iter().map(String::as_str));
                run(tally, &arguments)?;
            }
        }
        Ok(())
    }

    /// The tests of a module that the filter chooses: libtest can say "or", but not "and".
    fn list(&self, executable: &str, module: &str) -> Result<Vec<String>> {
        let listed = sh::read(Command::new(executable).args(self.filter).arg("--list"))?;
        let tests = listed.lines().filter_map(|line| line.strip_suffix(": test"));
        Ok(tests
            .filter(|test| test.starts_with(module))
            .map(str::to_owned)
            .collect())
    }

    /// The guests' workspaces, natively: unit tests of handlers, and the SDK's documentation.
    pub(crate) fn guests(&self, tally: &mut Tally) -> Result<()> {
        // Those of tests/ are components and nothing else: they are run by the host's tests.
        let native = |directory: &PathBuf| !directory.starts_with(sh::root().join("tests"));
        for directory in guests::workspaces().into_iter().filter(native) {
            let name = directory
                .strip_prefix(sh::root())
                .unwrap_or(&directory)
                .display()
                .to_string();
            sh::step(&format!("testing {name}"));
            let mut command = sh::cargo();
            command
                .args(["test", "--workspace", "--no-fail-fast"])
                .current_dir(&directory);
            if self.filter.is_some() {
                command.arg("--");
            }
            let docs = |test: &str| {
                if test.contains("(line ") {
                    Kind::Docs
                } else {
                    Kind::Guest
                }
            };
            self.tests(&mut command, &name, tally, docs)?;
        }
        Ok(())
    }

    /// Runs a command that speaks as libtest does; shows what failed.
    fn tests(
        &self,
        command: &mut Command,
        name: &str,
        tally: &mut Tally,
        kind: impl Fn(&str) -> Kind,
    ) -> Result<()> {
        let started = Instant::now();
        command.args(self.filter).env(report::VARIABLE, &self.report.path);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start the tests of {name}"))?;
        let mut errors = child.stderr.take().context("piped")?;
        let errors = std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = errors.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        let (mut passed, mut failed, mut rest) = (0, 0, Vec::new());
        for line in BufReader::new(child.stdout.take().context("piped")?).lines() {
            let line = line?;
            match verdict(&line) {
                Some((test, Verdict::Passed)) => {
                    passed += 1;
                    tally.pass(kind(test));
                }
                Some((test, Verdict::Failed)) => {
                    failed += 1;
                    println!("    {line}");
                    tally.fail(kind(test), format!("{name}: {test}"));
                }
                Some((test, Verdict::Ignored(reason))) => tally.skip(kind(test), test, reason),
                None => rest.push(line),
            }
        }
        let status = child.wait()?;
        let errors = errors.join().unwrap_or_default();
        if !status.success() {
            println!("{}\n{errors}", rest.join("\n"));
            if failed == 0 {
                // It did not build, or died before libtest could count.
                tally.fail(kind(""), format!("{name}: {status}"));
            }
        }
        println!(
            "    {name}: {passed} passed, {failed} failed in {:.1} s",
            started.elapsed().as_secs_f32()
        );
        Ok(())
    }
}

/// Package, its folder and the executable, if a line of cargo's tells of a test binary.
fn test_binary(line: &str) -> Option<(String, String, String)> {
    let message: Value = serde_json::from_str(line).ok()?;
    let executable = message["executable"].as_str()?;
    if message["profile"]["test"] != true {
        return None;
    }
    let manifest = Path::new(message["manifest_path"].as_str()?);
    let directory = manifest.parent()?.to_str()?;
    let package = message["package_id"]
        .as_str()?
        .rsplit(['/', '#'])
        .find(|part| !part.starts_with(char::is_numeric));
    let package = package?.split('@').next()?;
    Some((package.to_owned(), directory.to_owned(), executable.to_owned()))
}

/// Reads `test NAME ... ok`, `… FAILED`, `… ignored, REASON`.
fn verdict(line: &str) -> Option<(&str, Verdict<'_>)> {
    let (name, verdict) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let name = name
        .trim_end_matches(" - should panic")
        .trim_end_matches(" - compile");
    let verdict = match verdict {
        "ok" => Verdict::Passed,
        "FAILED" => Verdict::Failed,
        _ => Verdict::Ignored(verdict.strip_prefix("ignored")?.trim_start_matches(", ")),
    };
    Some((name, verdict))
}

#[cfg(test)]
mod tests;
