//! A real browser, and the loop of an author: the chat in two windows, its source edited under them.
use std::{fs, path::Path, process::Command};

use tempfile::TempDir;

use crate::harness::{Script, Wakeline, browser, report, root, target};

#[test]
fn p12_two_windows_chat_while_the_handler_is_edited() {
    let Some(browser) = browser() else {
        return report::skip("there is no chromium on PATH");
    };
    let copy = TempDir::new().unwrap();
    let app = copy_of_chat(copy.path());
    let wakeline = Wakeline::dev(&app);
    let shots = target().join("screenshots");
    fs::create_dir_all(&shots).unwrap();
    Script::node("browser.mjs")
        .variable("WAKELINE_URL", &wakeline.url())
        .variable("BROWSER", browser)
        .variable("SCREENSHOTS", shots.to_str().unwrap())
        .within(600)
        .run_with(|what| match what {
            "edit" => edit(&app),
            "break" => {
                // What does not compile changes nothing but the terminal.
                let source = app.join("src/lib.rs");
                let text = fs::read_to_string(&source).unwrap();
                fs::write(&source, format!("{text}\nthis does not compile\n")).unwrap();
                let limit = std::time::Duration::from_mins(5);
                let said = wakeline
                    .output
                    .wait(limit, |line| line.contains("Still").then_some(()));
                assert!(
                    said.is_some(),
                    "dev does not say that the build failed:\n{}",
                    wakeline.output.text()
                );
            }
            _ => panic!("nobody here can {what}"),
        });
}

/// The example outside the repository, in a workspace of its own, the SDK still where it is.
fn copy_of_chat(directory: &Path) -> std::path::PathBuf {
    let copied = Command::new("cp")
        .arg("-r")
        .arg(root().join("examples/chat"))
        .arg(directory)
        .status()
        .unwrap();
    assert!(copied.success());
    let workspace = fs::read_to_string(root().join("examples/Cargo.toml")).unwrap();
    let members = workspace.find("members = ").unwrap();
    let end = members + workspace[members..].find('\n').unwrap();
    let sdk = format!("path = \"{}\"", root().join("guest-sdk").display());
    let workspace = format!(
        "{}members = [\"chat\"]{}",
        &workspace[..members],
        &workspace[end..]
    );
    fs::write(
        directory.join("Cargo.toml"),
        workspace.replace("path = \"../guest-sdk\"", &sdk),
    )
    .unwrap();
    fs::copy(root().join("examples/Cargo.lock"), directory.join("Cargo.lock")).unwrap();
    directory.join("chat")
}

/// Messages arrive louder from now on.
fn edit(app: &Path) {
    let source = app.join("src/lib.rs");
    let before = fs::read_to_string(&source).unwrap();
    let after = before.replace("text: text.chars()", "text: text.to_uppercase().chars()");
    assert_ne!(
        before, after,
        "the chat's source has changed: edit something else of it"
    );
    fs::write(&source, after).unwrap();
}
