//! P12 on three nodes: an author deploys and rolls back through any of them while clients talk.
use ::cluster::{Cluster, Options};

use super::storm::alone;
use crate::{
    harness::{binary, run, target},
    tenants::{
        Labelled,
        deploys::{Author, play},
    },
};

#[test]
fn p12_two_hundred_clients_talk_through_deploys_and_rollbacks_by_any_node() {
    let _alone = alone();
    let directory = target().join("cluster/deploys");
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token.path(), "0123456789abcdef0123456789abcdef\n").unwrap();
    let options = Options {
        binary: binary(),
        apps: Vec::new(),
        nats: 1,
        nodes: 3,
        at_once: false,
        arguments: vec![
            "--admin-token-file".to_owned(),
            token.path().display().to_string(),
        ],
        directory,
    };
    let cluster =
        Cluster::start(&options, |_, server| server.to_owned()).unwrap_or_else(|error| panic!("{error:#}"));
    let app = Labelled::new("labels");
    let work = app.path();
    let run_there = |turn: u32, words: &[&str]| {
        let node = &cluster.nodes[turn as usize % cluster.nodes.len()];
        run(&node.admin, token.path(), &work, words)
    };
    play(&cluster.url(), &Author::new(&app, &run_there));
}
