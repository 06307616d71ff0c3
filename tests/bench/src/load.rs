use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};

use crate::{
    client::Client,
    figures::Figures,
    histogram::Histogram,
    machine::{self, Used},
    peers::Running,
};

/// What all clients of one measurement share: how much was done, how long it took, what went wrong.
pub(crate) struct Load {
    recording: Cell<bool>,
    ended: Cell<bool>,
    done: Cell<u64>,
    errors: Cell<u64>,
    times: RefCell<Histogram>,
    /// The first; further ones are counted only.
    error: RefCell<Option<anyhow::Error>>,
}

pub(crate) const PAYLOAD: &str = "0123456789012345678901234567890123456789012345678901234567890123";

/// How many connect at once.
const JOINING_AT_ONCE: usize = 64;

impl Load {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self {
            recording: Cell::new(false),
            ended: Cell::new(false),
            done: Cell::new(0),
            errors: Cell::new(0),
            times: RefCell::new(Histogram::new()),
            error: RefCell::new(None),
        })
    }

    /// So many messages were answered or delivered.
    pub(crate) fn done(&self, messages: u64) {
        self.done.set(self.done.get() + messages);
    }

    /// How long one took; not kept before the measurement begins.
    pub(crate) fn took(&self, time: Duration) {
        if self.recording.get() {
            self.times.borrow_mut().record(time);
        }
    }

    pub(crate) fn failed(&self, count: u64, error: anyhow::Error) {
        self.errors.set(self.errors.get() + count);
        self.error.borrow_mut().get_or_insert(error);
    }

    /// Whether clients should stop.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.get()
    }

    pub(crate) fn end(&self) {
        self.ended.set(true);
    }

    /// Lets the load run for a while, then counts.
    pub(crate) async fn measure(&self, server: &Running, warm_up: Duration, time: Duration) -> Figures {
        tokio::time::sleep(warm_up).await;
        let span = self.begin(server);
        tokio::time::sleep(time).await;
        self.finish(server, &span)
    }

    /// Counting begins.
    pub(crate) fn begin(&self, server: &Running) -> Span {
        self.recording.set(true);
        Span {
            used: server.used(),
            own: Used::by(&[std::process::id()]),
            busy: machine::busy(),
            at: Instant::now(),
            done: self.done.get(),
        }
    }

    /// Counting ends: what was done since, and what of the server's time it took.
    pub(crate) fn finish(&self, server: &Running, span: &Span) -> Figures {
        let used = server.used().since(span.used);
        let seconds = span.at.elapsed().as_secs_f64();
        let done = self.done.get() - span.done;
        let own = Used::by(&[std::process::id()]).since(span.own);
        let busy = machine::busy().saturating_sub(span.busy);
        let others = busy.saturating_sub(own.total() + used.total()).as_secs_f64();
        self.recording.set(false);
        let mut figures = per_message(used, done);
        figures.set("rate", done as f64 / seconds);
        figures.set("busy_percent", used.total().as_secs_f64() / seconds * 100.0);
        figures.set(
            "others_percent",
            others / seconds / machine::cores() as f64 * 100.0,
        );
        self.times_into(&mut figures);
        figures
    }

    /// The times that were kept, and the errors.
    pub(crate) fn times_into(&self, figures: &mut Figures) {
        let times = self.times.borrow();
        if times.count() > 0 {
            for (name, percent) in [("p50_ms", 50.0), ("p99_ms", 99.0), ("p999_ms", 99.9)] {
                figures.set(name, times.percentile_ms(percent));
            }
            figures.set("max_ms", times.max_ms());
        }
        figures.set("errors", self.errors.get() as f64);
        if let Some(error) = &*self.error.borrow() {
            println!("    {} errors; the first: {error:#}", self.errors.get());
        }
    }
}

/// Since when is counted.
pub(crate) struct Span {
    used: Used,
    /// Of this process, and of the machine.
    own: Used,
    busy: Duration,
    at: Instant,
    done: u64,
}

/// Processor time of the server's tree by what was done.
pub(crate) fn per_message(used: Used, done: u64) -> Figures {
    let mut figures = Figures::default();
    let total = used.total().as_secs_f64() * 1e6 / done.max(1) as f64;
    figures.set("cpu_us", total);
    figures.set("user_us", total * (1.0 - used.system_share()));
    figures.set("system_us", total * used.system_share());
    figures
}

/// Connects so many clients, the first with the number `first`, and has each join a room if it is to.
pub(crate) async fn gather(
    server: &Running,
    first: usize,
    count: usize,
    room: impl Fn(usize) -> Option<String>,
) -> anyhow::Result<Vec<Client>> {
    let joining = (first..first + count).map(|number| {
        let room = room(number);
        async move {
            let mut client = server.join(number).await?;
            if let Some(room) = room {
                client.call(&format!(r#"["join","{room}"]"#)).await?;
            }
            anyhow::Ok(client)
        }
    });
    let joined: Vec<_> = stream::iter(joining).buffered(JOINING_AT_ONCE).collect().await;
    joined.into_iter().collect()
}
