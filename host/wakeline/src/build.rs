//! From sources to a component, by the command of the manifest.
use std::{
    path::Path,
    process::{Command, ExitStatus, Stdio},
    time::Instant,
};

use platform::{AppDir, Ceilings};
use serde_json::json;

use crate::{
    cli,
    failure::{Failure, Kind},
    target, ui,
};

pub(crate) fn run(arguments: &cli::Build) -> Result<(), Failure> {
    let app = AppDir::load(&arguments.dir, &Ceilings::none())?;
    build(&app)?;
    let digest = server::check_component(&app)?;
    if arguments.json {
        ui::json(&json!({ "name": app.manifest.name, "component": app.component, "digest": digest }));
    } else {
        ui::say(&format!("{} ({digest})", app.component.display()));
    }
    Ok(())
}

/// Runs the build command; its words go to the terminal as they come. The component exists afterwards.
pub(crate) fn build(app: &AppDir) -> Result<(), Failure> {
    let manifest = &app.manifest;
    if manifest.build_command.contains(target::TARGET) {
        target::ensure(&app.dir)?;
    }
    ui::step(
        "Building",
        &format!("{} ({})", manifest.name, manifest.build_command),
    );
    let started = Instant::now();
    let status = command(&manifest.build_command, &app.dir)
        .status()
        .map_err(|error| {
            Failure::new(
                Kind::Unavailable,
                format!("cannot run `sh` for the build command: {error}"),
            )
        })?;
    if !status.success() {
        return Err(failed(app, status));
    }
    if !app.component.is_file() {
        return Err(Failure::new(
            Kind::App,
            format!(
                "the build made no component: there is no {}",
                app.component.display()
            ),
        )
        .help(format!(
            "set `component` in {} to the file that the build makes",
            app.manifest_path.display()
        )));
    }
    ui::step(
        "Built",
        &format!("{} in {:.1} s", manifest.name, started.elapsed().as_secs_f64()),
    );
    Ok(())
}

fn failed(app: &AppDir, status: ExitStatus) -> Failure {
    let failure = Failure::new(
        Kind::App,
        format!(
            "`{}` failed in {} ({status})",
            app.manifest.build_command,
            app.dir.display()
        ),
    );
    if status.code() == Some(127) {
        return failure
            .help("the shell did not find a program of the command: install it, or change [build] command");
    }
    failure
}

fn command(text: &str, dir: &Path) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(text).current_dir(dir).stdin(Stdio::null());
    // stdout is for scripts that wait for our own lines.
    command.stdout(std::io::stderr());
    // `cargo run` tells its child of its own workspace, and a target folder set for that one is not where the
    // manifest looks for the component.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        let of_cargo_run = name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        if of_cargo_run || ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR", "CARGO"].contains(&name.as_str()) {
            command.env_remove(name);
        }
    }
    if let Some(rustc) = target::guest_rustc() {
        command.env("RUSTC", rustc);
    }
    command
}
