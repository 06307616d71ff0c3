//! P12: deploys and rollbacks under traffic, on one node; on three: [`crate::cluster`].
use std::cell::RefCell;

use super::Labelled;
use crate::harness::{Host, Ran, Script};

/// What a host is asked to do meanwhile.
const DEPLOYS: u32 = 20;
const ROLLBACKS: u32 = 5;
const CLIENTS: u32 = 200;
/// For all nodes to have a version, on a machine that is busy with as many clients.
const WAIT_MS: &str = "60000";

/// Deploys labels 1, 2, 3…, each by the next of the doors; a rollback goes to the version before.
pub(crate) struct Author<'a> {
    app: &'a Labelled,
    /// What has been live, oldest first; the last one is.
    live: RefCell<Vec<u32>>,
    next: RefCell<u32>,
    run: &'a dyn Fn(u32, &[&str]) -> Ran,
}

impl<'a> Author<'a> {
    /// `run` does a command, the number of whose version it is told.
    pub(crate) fn new(app: &'a Labelled, run: &'a dyn Fn(u32, &[&str]) -> Ran) -> Self {
        Self {
            app,
            live: RefCell::default(),
            next: RefCell::new(1),
            run,
        }
    }

    fn grant(&self, what: &str) {
        let turn = *self.next.borrow();
        let words: Vec<&str> = match what {
            "deploy" => {
                self.app.label(&turn.to_string(), "");
                self.live.borrow_mut().push(turn);
                *self.next.borrow_mut() += 1;
                vec!["deploy", ".", "--wait-ms", WAIT_MS]
            }
            "rollback" => {
                self.live.borrow_mut().pop();
                vec!["rollback", "labels", "--wait-ms", WAIT_MS]
            }
            _ => panic!("nobody here can {what}"),
        };
        let ran = (self.run)(turn, &words);
        assert_eq!(ran.code, 0, "{what}: {}{}", ran.stdout, ran.stderr);
    }
}

/// The app at `url` is deployed for the first time, and again and again while its clients talk.
pub(crate) fn play(url: &str, author: &Author<'_>) {
    author.grant("deploy");
    Script::node("deploys.mjs")
        .variable("WAKELINE_URL", url)
        .variable("WAKELINE_PATH", "/labels/socket.io/")
        .variable("CLIENTS", &CLIENTS.to_string())
        .variable("DEPLOYS", &DEPLOYS.to_string())
        .variable("ROLLBACKS", &ROLLBACKS.to_string())
        .within(900)
        .run_with(|what| author.grant(what));
}

#[test]
fn p12_two_hundred_clients_talk_through_twenty_deploys_and_five_rollbacks() {
    let (host, app) = (Host::start(), Labelled::new("labels"));
    let directory = app.path();
    let run_here = |_: u32, words: &[&str]| host.run(&directory, words);
    play(&host.wakeline.url(), &Author::new(&app, &run_here));
}
