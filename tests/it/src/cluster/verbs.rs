//! What a handler does to sockets, wherever they are, and nodes that do not run the same.
use std::time::Duration;

use ::cluster::{Node, NodeOptions, get, until};

use super::{start::small, storm::alone};
use crate::harness::{AppDir, Script, binary, target};

#[test]
fn p9_a_room_is_one_room_on_all_nodes() {
    let _alone = alone();
    let app = AppDir::probe("");
    let cluster = small("verbs", 3, &app);
    let urls: Vec<String> = cluster
        .nodes
        .iter()
        .map(|node| format!("http://{}", node.address))
        .collect();
    Script::node("cluster/verbs.mjs")
        .variable("NODES", &urls.join(","))
        .run_with(|what| {
            let (act, node) = what.split_once(' ').unwrap();
            let process = &cluster.nodes[node.parse::<usize>().unwrap()].process;
            match act {
                "pause" => process.pause().unwrap(),
                _ => process.resume().unwrap(),
            }
        });
}

#[test]
fn nodes_that_run_different_components_of_one_app_say_so() {
    let _alone = alone();
    let app = AppDir::probe("");
    let cluster = small("versions", 1, &app);
    // Another component under the same name.
    let other = AppDir::posing("probe", "bench");
    let mut node = Node::start(&NodeOptions {
        binary: &binary(),
        apps: &[other.path()],
        name: "other".into(),
        directory: &target().join("cluster/versions"),
        nats: format!("nats://{}", cluster.nats.servers[0].address),
        replicas: 1,
        arguments: &[],
    })
    .unwrap();
    node.wait_until_ready()
        .unwrap_or_else(|error| panic!("{error:#}"));
    until(Duration::from_mins(1), "a word on the difference", || {
        node.process.must_run()?;
        let said = node.process.last_words(20);
        Ok(said.contains("another component of the app").then_some(()))
    })
    .unwrap_or_else(|error| panic!("{error:#}\n{}", node.process.last_words(20)));
    let (status, _) = get(&node.admin, "/readyz").unwrap();
    assert_eq!(status, 200, "it is said, not forbidden");
}
