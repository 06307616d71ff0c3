//! One random life of a node and its clients, from one seed, and the check of it: every accepted message was received by
//! everyone it was meant for, once, in the log's order, or its client was told that it was not recovered.
use std::{collections::BTreeSet, fmt::Write as _};

use serde_json::json;
use tokio::time::{Duration, Instant, sleep};

use crate::{Client, Random, Rig};

/// What a run amounted to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Messages whose handler returned ok, and copies of them that clients received.
    pub accepted: u64,
    pub received: u64,
    /// Recoveries that were tried, and those that came too late for the window or the log and were told so.
    pub recoveries: u64,
    pub not_recovered: u64,
    pub restarts: u64,
}

/// How a client stands to the network.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Net {
    Up,
    /// It neither reads nor answers; the server does not know yet.
    Stalled,
    Down,
}

struct Member {
    client: Client,
    net: Net,
    /// When it was last up, or came up.
    since: Instant,
    rooms: BTreeSet<usize>,
    /// Messages accepted for it since it joined.
    expected: Vec<u64>,
}

/// Runs `seed` for `steps` steps. `Err` has what went wrong, and the trace.
pub async fn life(seed: u64, steps: usize) -> Result<Tally, String> {
    let mut random = Random::new(seed);
    let mut world = World::new(&mut random).await;
    for _ in 0..steps {
        world.step(&mut random).await;
        if let Some(wrong) = &world.wrong {
            return Err(format!("seed {seed}: {wrong}\n{}", world.trace));
        }
    }
    world.finish(&mut random).await;
    match &world.wrong {
        Some(wrong) => Err(format!("seed {seed}: {wrong}\n{}", world.trace)),
        None => Ok(world.tally),
    }
}

impl Member {
    /// An absence lasts from its first moment, whatever happens to the node meanwhile.
    fn turn(&mut self, net: Net) {
        if self.net == Net::Up || net == Net::Up {
            self.since = Instant::now();
        }
        self.net = net;
    }
}

/// Shorter absences than this are within the window of [`crate::settings`], whatever the clock's grain.
const RECOVERABLE: Duration = Duration::from_secs(118);

struct World {
    rig: Rig,
    members: Vec<Member>,
    next: u64,
    tally: Tally,
    trace: String,
    wrong: Option<String>,
}

const ROOMS: [&str; 3] = ["red", "green", "blue"];

impl World {
    async fn new(random: &mut Random) -> Self {
        let rig = Rig::new(1 + random.below(3));
        let mut members = Vec::new();
        for _ in 0..2 + random.below(5) {
            let client = rig.join(random.below(rig.hubs.len())).await;
            members.push(Member {
                client,
                net: Net::Up,
                since: Instant::now(),
                rooms: BTreeSet::new(),
                expected: Vec::new(),
            });
        }
        Self {
            rig,
            members,
            next: 0,
            tally: Tally::default(),
            trace: String::new(),
            wrong: None,
        }
    }

    async fn step(&mut self, random: &mut Random) {
        let who = random.below(self.members.len());
        let room = random.below(ROOMS.len());
        match (random.below(20), self.members[who].net) {
            (0..=7, Net::Up) => self.say(who, room).await,
            (8, Net::Up) => {
                self.note(format_args!("{who} murmurs to {}", ROOMS[room]));
                self.members[who]
                    .client
                    .call("murmur", json!([ROOMS[room], "volatile"]))
                    .await;
            }
            (9..=10, Net::Up) => self.join(who, room).await,
            (11, Net::Up) => self.leave(who, room).await,
            (12, Net::Up) => {
                self.note(format_args!("{who} is cut"));
                self.members[who].client.cut();
                self.members[who].turn(Net::Down);
            }
            (13, Net::Up) => {
                self.note(format_args!("{who} stalls"));
                self.members[who].turn(Net::Stalled);
            }
            (12..=16, Net::Stalled | Net::Down) => self.recover(who, random).await,
            (17, _) => self.wait(random.below(5_000) as u64).await,
            (18, _) if random.chance(20) => self.wait(50_000).await,
            (19, _) if random.chance(25) => self.restart(random),
            _ => self.read_all(),
        }
    }

    async fn say(&mut self, who: usize, room: usize) {
        let id = self.next;
        self.next += 1;
        self.note(format_args!("{who} says {id} to {}", ROOMS[room]));
        self.members[who]
            .client
            .call("say", json!([ROOMS[room], id.to_string()]))
            .await;
        self.tally.accepted += 1;
        for member in self
            .members
            .iter_mut()
            .filter(|member| member.rooms.contains(&room))
        {
            member.expected.push(id);
        }
    }

    async fn join(&mut self, who: usize, room: usize) {
        self.note(format_args!("{who} joins {}", ROOMS[room]));
        self.members[who].client.call("join", json!([ROOMS[room]])).await;
        self.members[who].rooms.insert(room);
    }

    async fn leave(&mut self, who: usize, room: usize) {
        self.note(format_args!("{who} leaves {}", ROOMS[room]));
        self.members[who].client.call("leave", json!([ROOMS[room]])).await;
        self.members[who].rooms.remove(&room);
    }

    async fn recover(&mut self, who: usize, random: &mut Random) {
        let core = random.below(self.rig.hubs.len());
        if random.chance(20) {
            // Its network fails again while it recovers.
            let mut half = self.rig.dial(core).await;
            let claim = self.members[who].client.claim();
            half.send(&claim);
            self.note(format_args!("{who} comes back half on core {core}"));
        }
        let next = self.rig.recover(core, &self.members[who].client).await;
        self.note(format_args!(
            "{who} comes back on core {core}: {}",
            next.recovered
        ));
        self.tally.recoveries += 1;
        let member = &mut self.members[who];
        let recovered = next.recovered;
        member.client = next;
        let away = member.since.elapsed();
        member.turn(Net::Up);
        if !recovered {
            self.tally.not_recovered += 1;
            if away < RECOVERABLE {
                self.wrong = Some(format!("{who} was away for {away:?} only, and not recovered"));
            }
            member.rooms.clear();
            member.expected.clear();
            member.client.received.clear();
        }
        self.check(who);
    }

    /// Lets time pass; clients that are up answer their pings.
    async fn wait(&mut self, ms: u64) {
        self.note(format_args!("{ms} ms pass"));
        let mut left = ms;
        while left > 0 {
            let slice = left.min(5_000);
            sleep(Duration::from_millis(slice)).await;
            left -= slice;
            self.read_all();
        }
    }

    fn read_all(&mut self) {
        for member in &mut self.members {
            if member.net == Net::Up && !member.client.take_ready() {
                self.wrong = Some("a client that reads and answers was closed".into());
            }
        }
    }

    fn restart(&mut self, random: &mut Random) {
        let cores = 1 + random.below(3);
        self.note(format_args!("the process restarts with {cores} cores"));
        self.rig = self.rig.restarted(cores);
        self.tally.restarts += 1;
        for member in &mut self.members {
            member.client.cut();
            member.turn(Net::Down);
        }
    }

    async fn finish(&mut self, random: &mut Random) {
        for who in 0..self.members.len() {
            if self.members[who].net != Net::Up {
                self.recover(who, random).await;
            }
            self.members[who].client.call("echo", json!([])).await;
            self.check(who);
            self.tally.received += self.members[who].client.received.len() as u64;
        }
        // What is still on its way to one client when another's ack has come: told by its own ack above.
        for who in 0..self.members.len() {
            self.complete(who);
        }
    }

    /// What a client has so far: in order, once, and nothing that was not for it.
    fn check(&mut self, who: usize) {
        let member = &self.members[who];
        let got = numbers(&member.client);
        let prefix: Vec<u64> = member.expected.iter().copied().take(got.len()).collect();
        if got != prefix {
            self.wrong = Some(format!("{who} got {got:?}, meant for it: {:?}", member.expected));
        }
    }

    fn complete(&mut self, who: usize) {
        let member = &self.members[who];
        if numbers(&member.client) != member.expected {
            let got = numbers(&member.client);
            self.wrong = Some(format!(
                "{who} got {got:?} in the end, meant for it: {:?}",
                member.expected
            ));
        }
    }

    fn note(&mut self, what: std::fmt::Arguments<'_>) {
        _ = writeln!(self.trace, "  {what}");
    }
}

fn numbers(client: &Client) -> Vec<u64> {
    let logged = client.received.iter().filter(|(name, _)| name == "msg");
    logged
        .map(|(_, args)| args[0].as_str().unwrap().parse().unwrap())
        .collect()
}
