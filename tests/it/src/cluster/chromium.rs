//! The chat in a real browser, behind round robin, while a node dies.
use std::fs;

use ::cluster::{Cluster, Options, copy_chat};

use super::storm::alone;
use crate::harness::{Script, binary, browser, report, root, target};

#[test]
fn p4_nothing_is_missing_in_the_page_when_its_node_is_killed() {
    let Some(browser) = browser() else {
        return report::skip("there is no chromium on PATH");
    };
    let _alone = alone();
    let app = copy_chat(&root(), &target().join("cluster/chat")).unwrap();
    let options = Options {
        binary: binary(),
        apps: vec![app],
        nats: 3,
        nodes: 3,
        at_once: false,
        arguments: Vec::new(),
        directory: target().join("cluster/chromium"),
    };
    let mut cluster =
        Cluster::start(&options, |_, server| server.to_owned()).unwrap_or_else(|error| panic!("{error:#}"));
    let shots = target().join("screenshots");
    fs::create_dir_all(&shots).unwrap();
    let admins: Vec<&str> = cluster.nodes.iter().map(|node| node.admin.as_str()).collect();
    Script::node("cluster/browser.mjs")
        .variable("WAKELINE_URL", &format!("{}/chat/", cluster.url()))
        .variable("ADMINS", &admins.join(","))
        .variable("BROWSER", browser)
        .variable("SCREENSHOTS", shots.to_str().unwrap())
        .within(300)
        .run_with(|what| {
            let node = what.strip_prefix("kill ").and_then(|node| node.parse().ok());
            let node: usize = node.unwrap_or_else(|| panic!("nobody here can {what}"));
            cluster.nodes[node].process.kill();
        });
}
