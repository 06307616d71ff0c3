//! What a browser needs of a host that nothing was fetched for.
use crate::harness::{AppDir, Host, Script, Wakeline, browser, report, root};

#[test]
fn the_browsers_client_is_the_one_of_npm() {
    let (app, data) = (AppDir::example("echo", ""), tempfile::tempdir().unwrap());
    let wakeline = Wakeline::serve(&[&app], data.path());
    Script::node("client.mjs")
        .variable("WAKELINE_URL", &format!("{}/echo", wakeline.url()))
        .run();
}

#[test]
fn a_page_that_was_deployed_to_a_fresh_host_works_in_a_browser() {
    let Some(browser) = browser() else {
        return report::skip("there is no chromium on PATH");
    };
    let host = Host::start();
    let ran = host.run(&root().join("examples/chat"), &["deploy", "."]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    Script::node("deployed.mjs")
        .variable("WAKELINE_URL", &format!("{}/chat/", host.wakeline.url()))
        .variable("BROWSER", browser)
        .within(300)
        .run();
}
