//! Who comes, speaks and goes, at an even pace.
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    time::Duration,
};

use tokio::{task::JoinSet, time::sleep};

use super::APPS;
use crate::{
    admin::Admin,
    client::{Client, Target},
    figures::Figures,
    load::PAYLOAD,
    node::Node,
    polling::Session,
};

/// The tasks; they end when this is stopped.
pub(super) struct Traffic {
    shared: Rc<Shared>,
    tasks: JoinSet<()>,
}

struct Shared {
    busy: Target,
    deployed: Target,
    sleepy: Target,
    stopped: Cell<bool>,
    /// What was done, by what it is.
    counts: RefCell<BTreeMap<&'static str, u64>>,
    first_error: RefCell<Option<String>>,
}

const LISTENERS: usize = 100;
const ROOM: &str = "room";
/// From one to the next of each kind.
const SAY_EVERY: Duration = Duration::from_millis(50);
const CONNECT_EVERY: Duration = Duration::from_millis(25);
const UPGRADE_EVERY: Duration = Duration::from_millis(100);
const RECOVER_EVERY: Duration = Duration::from_millis(100);
const DEPLOY_EVERY: Duration = Duration::from_secs(5);
/// Longer than the app's code stays.
const WAKE_EVERY: Duration = Duration::from_secs(8);
/// For a message to a room in which something is always said.
const PATIENCE: Duration = Duration::from_secs(5);
/// Everybody who comes stays for up to this long.
const STAY: Duration = Duration::from_millis(700);

impl Traffic {
    pub(super) fn start(node: &Rc<Node>, components: &[Vec<u8>]) -> Self {
        let target = |app: &str| Target {
            address: node.address,
            prefix: format!("/{app}"),
        };
        let [busy, deployed, sleepy] = APPS.map(target);
        let shared = Rc::new(Shared {
            busy,
            deployed,
            sleepy,
            stopped: Cell::new(false),
            counts: RefCell::default(),
            first_error: RefCell::default(),
        });
        let mut tasks = JoinSet::new();
        for number in 0..LISTENERS {
            tasks.spawn_local(Rc::clone(&shared).listen(number));
        }
        tasks.spawn_local(Rc::clone(&shared).say());
        tasks.spawn_local(Rc::clone(&shared).crowd("connects", CONNECT_EVERY));
        tasks.spawn_local(Rc::clone(&shared).crowd("upgrades", UPGRADE_EVERY));
        tasks.spawn_local(Rc::clone(&shared).crowd("recoveries", RECOVER_EVERY));
        tasks.spawn_local(Rc::clone(&shared).crowd("wakes", WAKE_EVERY));
        tasks.spawn_local(Rc::clone(&shared).deploy(Rc::clone(node), components.to_vec()));
        Self { shared, tasks }
    }

    /// What was done so far.
    pub(super) fn told(&self) -> String {
        let counts = self.shared.counts.borrow();
        let told: Vec<String> = counts
            .iter()
            .map(|(what, count)| format!("{count} {what}"))
            .collect();
        let error = self.shared.first_error.borrow();
        let error = error.as_ref().map(|error| format!("; the first error: {error}"));
        told.join(", ") + &error.unwrap_or_default()
    }

    /// Everybody leaves.
    pub(super) async fn stop(self) -> Figures {
        self.shared.stopped.set(true);
        self.tasks.join_all().await;
        let mut figures = Figures::default();
        figures.set("errors", 0.0);
        for (what, count) in &*self.shared.counts.borrow() {
            figures.set(what, *count as f64);
        }
        figures
    }
}

impl Shared {
    fn count(&self, what: &'static str, count: u64) {
        *self.counts.borrow_mut().entry(what).or_default() += count;
    }

    fn failed(&self, what: &str, error: &anyhow::Error) {
        // Who is on its way when all is over is no failure.
        if !self.stopped.get() {
            self.count("errors", 1);
            self.first_error
                .borrow_mut()
                .get_or_insert_with(|| format!("{what}: {error:#}"));
        }
    }

    /// Stays and hears.
    async fn listen(self: Rc<Self>, number: usize) {
        let heard = async {
            let mut client = Client::join_from(&self.busy, number, "").await?;
            client.call(&format!(r#"["join","{ROOM}"]"#)).await?;
            while !self.stopped.get() {
                let waiting = tokio::time::timeout(Duration::from_secs(1), client.events());
                if let Ok(events) = waiting.await {
                    self.count("deliveries", events?);
                }
            }
            client.leave().await
        };
        if let Err(error) = heard.await {
            self.failed("a listener", &error);
        }
    }

    async fn say(self: Rc<Self>) {
        let said = async {
            let mut client = Client::join_from(&self.busy, 0, "").await?;
            while !self.stopped.get() {
                client.emit(&format!(r#"["say","{ROOM}","{PAYLOAD}"]"#)).await?;
                client.call(&format!(r#"["echo","{PAYLOAD}"]"#)).await?;
                sleep(SAY_EVERY).await;
            }
            client.leave().await
        };
        if let Err(error) = said.await {
            self.failed("the speaker", &error);
        }
    }

    /// One after another of a kind, each by itself.
    async fn crowd(self: Rc<Self>, what: &'static str, every: Duration) {
        let mut visitors = JoinSet::new();
        for number in 0.. {
            if self.stopped.get() {
                break;
            }
            let shared = Rc::clone(&self);
            visitors.spawn_local(async move {
                let done = match what {
                    "connects" => shared.visit(number).await,
                    "upgrades" => shared.upgrade(number).await,
                    "recoveries" => shared.recover(number).await,
                    _ => shared.wake(number).await,
                };
                match done {
                    Ok(()) => shared.count(what, 1),
                    Err(error) => shared.failed(what, &error),
                }
            });
            while visitors.try_join_next().is_some() {}
            sleep(every).await;
        }
        visitors.join_all().await;
    }

    /// Comes, speaks, goes: every other one without a word.
    async fn visit(&self, number: usize) -> anyhow::Result<()> {
        // Both the app that nothing happens to and the one that is deployed to.
        let target = if number.is_multiple_of(3) {
            &self.deployed
        } else {
            &self.busy
        };
        let mut client = Client::join_from(target, number, "").await?;
        echo(&mut client).await?;
        stay(number).await;
        echo(&mut client).await?;
        if number.is_multiple_of(2) {
            client.leave().await?;
        }
        Ok(())
    }

    /// Polls, then goes on over a WebSocket.
    async fn upgrade(&self, number: usize) -> anyhow::Result<()> {
        let mut session = Session::of(&self.busy, "", number);
        session.connect().await?;
        session.call(&format!(r#"["echo","{PAYLOAD}"]"#)).await?;
        stay(number).await;
        if number.is_multiple_of(4) {
            // One that never comes back.
            return Ok(());
        }
        let mut client = Client::upgrade(&self.busy, number, &session.sid).await?;
        echo(&mut client).await?;
        client.leave().await
    }

    /// Is cut off, and comes back as the same.
    async fn recover(&self, number: usize) -> anyhow::Result<()> {
        let mut client = Client::join_from(&self.busy, number, "").await?;
        client.call(&format!(r#"["join","{ROOM}"]"#)).await?;
        // What it hears, if anything is said still, is what it comes back with.
        tokio::time::timeout(PATIENCE, client.until("42")).await??;
        let (auth, sid) = (client.recovery(), client.sid().map(str::to_owned));
        drop(client);
        stay(number).await;
        let client = Client::join_from(&self.busy, number, &auth).await?;
        anyhow::ensure!(
            client.sid() == sid.as_deref(),
            "a client that came back in time is another"
        );
        client.leave().await
    }

    /// Wakes an app of which nothing is in memory.
    async fn wake(&self, number: usize) -> anyhow::Result<()> {
        let mut client = Client::join_from(&self.sleepy, number, "").await?;
        echo(&mut client).await?;
        client.leave().await
    }

    async fn deploy(self: Rc<Self>, node: Rc<Node>, components: Vec<Vec<u8>>) {
        for component in components.iter().cycle() {
            if self.stopped.get() {
                return;
            }
            let deployed = async {
                let mut admin = Admin::connect(&node).await?;
                deploy(&mut admin, "deployed", None, component).await
            };
            match deployed.await {
                Ok(()) => self.count("deploys", 1),
                Err(error) => self.failed("a deploy", &error),
            }
            sleep(DEPLOY_EVERY).await;
        }
    }
}

/// A new version of an app, live; the app is made if it has a manifest.
pub(super) async fn deploy(
    admin: &mut Admin,
    app: &str,
    manifest: Option<&str>,
    component: &[u8],
) -> anyhow::Result<()> {
    let path = format!("/v1/apps/{app}");
    if let Some(manifest) = manifest {
        admin.ask("PUT", &path, manifest.as_bytes()).await?;
    }
    let made = admin.ask("POST", &format!("{path}/versions"), component).await?;
    let version = made
        .get("version")
        .and_then(serde_json::Value::as_u64)
        .unwrap_or(1);
    let live = format!(r#"{{"version":{version}}}"#);
    admin
        .ask("POST", &format!("{path}/live"), live.as_bytes())
        .await?;
    Ok(())
}

async fn echo(client: &mut Client) -> anyhow::Result<()> {
    let answer = client.call(&format!(r#"["echo","{PAYLOAD}"]"#)).await?;
    anyhow::ensure!(answer.contains(PAYLOAD), "an echo was answered {answer}");
    Ok(())
}

/// Each for another while, always the same.
async fn stay(number: usize) {
    sleep(STAY * u32::try_from(number % 16).unwrap_or(0) / 16).await;
}
