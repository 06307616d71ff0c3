//! What an app leaves on a node's disk goes when the app goes.
use std::{fs, path::Path, time::Duration};

use cluster::until;
use tempfile::TempDir;

use super::Labelled;
use crate::harness::Host;

const PATIENCE: Duration = Duration::from_mins(1);

fn files(directory: &Path) -> usize {
    fs::read_dir(directory).map_or(0, Iterator::count)
}

/// Nobody tells when files are gone: they are looked for.
fn wait_until_empty(directory: &Path) {
    let what = format!("{} empty", directory.display());
    until(PATIENCE, &what, || Ok((files(directory) == 0).then_some(()))).unwrap();
}

#[test]
fn compiled_code_and_files_of_a_deleted_app_leave_the_disk() {
    let (mut host, app) = (Host::start(), Labelled::new("labels"));
    app.label("one", "[assets]\ndir = \"public\"\n");
    fs::create_dir(app.path().join("public")).unwrap();
    fs::write(app.path().join("public/index.html"), "hello").unwrap();
    let run = |host: &Host, words: &[&str]| {
        let ran = host.run(&app.path(), words);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    };
    run(&host, &["deploy", "."]);
    let (code, assets) = (host.data.path().join("compiled"), host.data.path().join("assets"));
    assert!(files(&code) > 0 && files(&assets) > 0);

    // Nor is it kept for an app that was deleted while the node was away.
    host.wakeline.terminate();
    let other = TempDir::new().unwrap();
    for part in [&code, &assets] {
        super::copy(part, other.path());
    }
    let stranger = Host::start_in(other);
    wait_until_empty(&stranger.data.path().join("compiled"));
    wait_until_empty(&stranger.data.path().join("assets"));

    let Host { data, .. } = host;
    let host = Host::start_in(data);
    assert!(files(&code) > 0 && files(&assets) > 0);
    run(&host, &["delete", "labels", "--yes"]);
    wait_until_empty(&code);
    wait_until_empty(&assets);
}
