//! An app's log, on whichever node it is written.
use std::{
    collections::{HashSet, VecDeque},
    hash::{BuildHasher, RandomState},
    thread,
    time::Duration,
};

use clap::{ValueEnum, builder::PossibleValue};
use serde_json::Value;

use crate::{
    cli,
    failure::{Failure, Kind},
    fields::{cell, field},
    remote::{Ended, Event, Path, Remote},
    ui,
};

pub(crate) fn run(arguments: &cli::Logs) -> Result<(), Failure> {
    let remote = Remote::find(&arguments.host)?;
    let mut seen = Seen::default();
    let mut pause = PAUSE_MIN;
    let mut again = false;
    loop {
        let outcome = read(&remote, arguments, again, &mut seen, &mut pause);
        let why = match outcome {
            Ok(Outcome::Whole) if !arguments.follow => return Ok(()),
            Ok(Outcome::Unheard) => return Ok(()),
            Ok(Outcome::Whole) => "the host ended it".to_owned(),
            Ok(Outcome::Ended(why)) => format!("the host ended it: {why}"),
            Ok(Outcome::Broken(why)) if arguments.follow => why,
            Ok(Outcome::Broken(why)) => {
                return Err(Failure::new(
                    Kind::Unavailable,
                    format!("the log broke off: {why}"),
                ));
            }
            // A host that was never there is a mistake; one that was comes back.
            Err(failure) if again && matches!(failure.kind, Kind::Unavailable | Kind::Later) => {
                failure.message
            }
            Err(failure) => return Err(failure),
        };
        ui::warn(&format!("{why}: asking again in {} s", pause.as_secs()), None);
        thread::sleep(pause);
        pause = (pause * 2).min(PAUSE_MAX);
        again = true;
    }
}

const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(15);
/// Asked for after a break, so that nothing said meanwhile is lost; lines already shown are left out.
const TAIL_AGAIN: u32 = 1_000;
/// Lines that are remembered: those of a tail, and some that overtook each other on several nodes.
const SEEN_MAX: usize = 4_000;

enum Outcome {
    Whole,
    /// In the host's words.
    Ended(String),
    Broken(String),
    /// Nobody reads what is printed (`| head`).
    Unheard,
}

/// Until the stream ends. `pause` is short again once a line came.
fn read(
    remote: &Remote,
    arguments: &cli::Logs,
    again: bool,
    seen: &mut Seen,
    pause: &mut Duration,
) -> Result<Outcome, Failure> {
    let mut events = remote.events(&path(arguments, again))?;
    loop {
        let Event { name, data: line } = match events.next() {
            Ok(event) => event,
            Err(Ended::Whole) => return Ok(Outcome::Whole),
            Err(Ended::Broken(why)) => return Ok(Outcome::Broken(why)),
        };
        *pause = PAUSE_MIN;
        match name.as_str() {
            "" => {}
            "end" => return Ok(Outcome::Ended(cell(field(&line, "message")))),
            _ => {
                aside(&name, &line);
                continue;
            }
        }
        if !seen.is_new(&line, again) {
            continue;
        }
        let shown = if arguments.host.json {
            ui::json_line(&line)
        } else {
            ui::remote_log(&serde_json::from_value(line).unwrap_or_default())
        };
        if shown.is_err() {
            return Ok(Outcome::Unheard);
        }
    }
}

/// What is not here. It is no line of the log, so it does not go where those go.
fn aside(name: &str, data: &Value) {
    match name {
        "missed" => {
            let lines = cell(field(data, "lines"));
            ui::warn(
                &format!("{lines} lines are missing here: they came too fast"),
                None,
            );
        }
        "partial" => {
            let nodes = cell(field(data, "nodes"));
            ui::warn(&format!("earlier lines of {nodes} are missing: no answer"), None);
        }
        // Of a host newer than this.
        _ => {}
    }
}

fn path(arguments: &cli::Logs, again: bool) -> Path {
    let tail = if again {
        TAIL_AGAIN.max(arguments.tail)
    } else {
        arguments.tail
    };
    let mut path = Path::new(&["apps", &arguments.app, "logs"]).query("tail", &tail.to_string());
    let level = arguments.level.and_then(|level| level.to_possible_value());
    let origin = arguments.origin.and_then(|origin| origin.to_possible_value());
    let filters = [
        ("follow", arguments.follow.then_some("1")),
        ("socket", arguments.socket.as_deref()),
        ("level", level.as_ref().map(PossibleValue::get_name)),
        ("origin", origin.as_ref().map(PossibleValue::get_name)),
    ];
    for (name, value) in filters {
        if let Some(value) = value {
            path = path.query(name, value);
        }
    }
    path
}

/// Lines that were shown, as hashes.
#[derive(Default)]
struct Seen {
    state: RandomState,
    known: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Seen {
    /// Within one stream a line that comes twice was said twice; after a break it is the same one.
    fn is_new(&mut self, line: &Value, again: bool) -> bool {
        let hash = self.state.hash_one(line.to_string());
        let known = !self.known.insert(hash);
        if known {
            return !again;
        }
        self.order.push_back(hash);
        if self.order.len() > SEEN_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}
