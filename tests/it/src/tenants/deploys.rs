//! P12: deploys and rollbacks under traffic, on one node and on three.
use std::cell::RefCell;

use tempfile::TempDir;

use super::Labelled;
use crate::harness::{Host, Ran, Script, binary, report, run};

/// What a host is asked to do meanwhile.
const DEPLOYS: u32 = 20;
const ROLLBACKS: u32 = 5;
const CLIENTS: u32 = 200;

/// Deploys labels 1, 2, 3…, each by the next of the doors; a rollback goes to the version before.
struct Author<'a> {
    app: &'a Labelled,
    /// What has been live, oldest first; the last one is.
    live: RefCell<Vec<u32>>,
    next: RefCell<u32>,
    run: &'a dyn Fn(u32, &[&str]) -> Ran,
}

impl Author<'_> {
    fn grant(&self, what: &str) {
        let turn = *self.next.borrow();
        let words: Vec<&str> = match what {
            "deploy" => {
                self.app.label(&turn.to_string(), "");
                self.live.borrow_mut().push(turn);
                *self.next.borrow_mut() += 1;
                vec!["deploy", "."]
            }
            "rollback" => {
                self.live.borrow_mut().pop();
                vec!["rollback", "labels"]
            }
            _ => panic!("nobody here can {what}"),
        };
        let ran = (self.run)(turn, &words);
        assert_eq!(ran.code, 0, "{what}: {}{}", ran.stdout, ran.stderr);
    }
}

fn play(url: &str, path: &str, author: &Author<'_>) {
    Script::node("deploys.mjs")
        .variable("WAKELINE_URL", url)
        .variable("WAKELINE_PATH", path)
        .variable("CLIENTS", &CLIENTS.to_string())
        .variable("DEPLOYS", &DEPLOYS.to_string())
        .variable("ROLLBACKS", &ROLLBACKS.to_string())
        .within(400)
        .run_with(|what| author.grant(what));
}

#[test]
fn p12_two_hundred_clients_talk_through_twenty_deploys_and_five_rollbacks() {
    let (host, app) = (Host::start(), Labelled::new("labels"));
    let directory = app.path();
    let run_here = |_: u32, words: &[&str]| host.run(&directory, words);
    let author = Author {
        app: &app,
        live: RefCell::default(),
        next: RefCell::new(1),
        run: &run_here,
    };
    author.grant("deploy");
    play(&host.wakeline.url(), "/labels/socket.io/", &author);
}

#[test]
fn p12_the_same_on_three_nodes_through_any_of_them() {
    let directory = TempDir::new().unwrap();
    let options = cluster::Options {
        binary: binary(),
        apps: Vec::new(),
        nats: 1,
        nodes: 3,
        at_once: false,
        arguments: vec![
            "--admin-token-file".to_owned(),
            directory.path().join("token").display().to_string(),
        ],
        directory: directory.path().join("cluster"),
    };
    if !cluster_tools() {
        return report::skip("nats-server or nginx is not on PATH");
    }
    let token = directory.path().join("token");
    std::fs::write(&token, "0123456789abcdef0123456789abcdef\n").unwrap();
    let cluster = cluster::Cluster::start(&options, |_, server| server.to_owned()).unwrap();
    let app = Labelled::new("labels");
    let work = app.path();
    let run_there = |turn: u32, words: &[&str]| {
        let node = &cluster.nodes[turn as usize % cluster.nodes.len()];
        run(&node.admin, &token, &work, words)
    };
    let author = Author {
        app: &app,
        live: RefCell::default(),
        next: RefCell::new(1),
        run: &run_there,
    };
    author.grant("deploy");
    play(
        &format!("http://{}", cluster.nginx.address),
        "/labels/socket.io/",
        &author,
    );
}

fn cluster_tools() -> bool {
    let there = |name: &str| {
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .any(|dir| dir.join(name).is_file())
    };
    there("nats-server") && (there("nginx") || std::path::Path::new("/usr/sbin/nginx").is_file())
}
