//! A question to the core: sent again under the same id until it is answered or its time is over, as a client of NATS that
//! does not know what became of it must.
use std::{
    sync::Arc,
    time::{Duration, Instant as Point},
};

use backplane::{Answer, Error};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{Core, Net, faults::up_to, links::Lane, now};

/// An unanswered message is sent again after this.
const PATIENCE: Duration = Duration::from_secs(3);
/// A call is given up after this, whatever may still come of it.
const DEADLINE: Duration = Duration::from_secs(20);

/// One call, and what has become of it.
struct Call<T> {
    node: usize,
    lane: Lane,
    deadline: Point,
    state: Mutex<State<T>>,
}

struct State<T> {
    act: Act<T>,
    /// What was done is not done twice.
    done: Option<Result<T, Error>>,
    answer: Option<oneshot::Sender<Result<T, Error>>>,
}

type Act<T> = Box<dyn FnMut(&mut Core) -> Result<T, Error> + Send>;

impl Net {
    pub(super) fn call<T: Clone + Send + 'static>(
        &self,
        node: usize,
        lane: Lane,
        act: impl FnMut(&mut Core) -> Result<T, Error> + Send + 'static,
    ) -> Answer<T> {
        let (send, receive) = oneshot::channel();
        let call = Arc::new(Call {
            node,
            lane,
            deadline: now() + DEADLINE,
            state: Mutex::new(State {
                act: Box::new(act),
                done: None,
                answer: Some(send),
            }),
        });
        self.with(|core| attempt(core, &call));
        Box::pin(async move {
            match receive.await {
                Ok(answer) => answer,
                // The process has ended: nobody waits any more.
                Err(_) => std::future::pending().await,
            }
        })
    }
}

fn attempt<T: Clone + Send + 'static>(core: &mut Core, call: &Arc<Call<T>>) {
    let link = &mut core.nodes[call.node];
    if link.dead || call.state.lock().answer.is_none() {
        return;
    }
    let again = call.clone();
    if link.paused {
        return link.waiting.push(Box::new(move |core| attempt(core, &again)));
    }
    if now() >= call.deadline {
        let late = Err(Error::Unavailable("no answer in time".into()));
        return finish(call, late);
    }
    core.after(PATIENCE, move |core| attempt(core, &again));
    let (link, sent) = (&mut core.nodes[call.node], call.clone());
    if !link.cut {
        return depart(core, sent);
    }
    // A client's buffer goes out with the next connection; or it was lost with the last one.
    if core.random.chance(50) {
        core.nodes[call.node]
            .waiting
            .push(Box::new(move |core| depart(core, sent)));
    }
}

fn depart<T: Clone + Send + 'static>(core: &mut Core, call: Arc<Call<T>>) {
    let connection = core.nodes[call.node].connection;
    core.send(call.node, call.lane, Duration::ZERO, move |core| {
        arrive(core, call, connection);
    });
}

fn arrive<T: Clone + Send + 'static>(core: &mut Core, call: Arc<Call<T>>, connection: u64) {
    if let Some(held) = &mut core.held {
        return held.push(Box::new(move |core| arrive(core, call, connection)));
    }
    // Cut meanwhile: it may have come through just before.
    if core.nodes[call.node].connection != connection && core.random.chance(50) {
        return;
    }
    let outcome = {
        let mut state = call.state.lock();
        if let Some(done) = &state.done {
            done.clone()
        } else {
            let outcome = (state.act)(core);
            state.done = Some(outcome.clone());
            outcome
        }
    };
    let faults = core.faults;
    if core.random.chance(faults.ack_lost) {
        return;
    }
    let late = if core.random.chance(faults.ack_late) {
        up_to(faults.ack_late_max, &mut core.random)
    } else {
        Duration::ZERO
    };
    let connection = core.nodes[call.node].connection;
    core.send(call.node, call.lane.back(), late, move |core| {
        if core.nodes[call.node].connection == connection {
            finish(&call, outcome);
        }
    });
}

fn finish<T>(call: &Call<T>, outcome: Result<T, Error>) {
    if let Some(answer) = call.state.lock().answer.take() {
        // Whoever asked may have given up.
        _ = answer.send(outcome);
    }
}

impl Lane {
    fn back(self) -> Self {
        match self {
            Self::Log(_) => Self::Back("log"),
            Self::Values => Self::Back("values"),
            Self::Reads => Self::Back("reads"),
            Self::Topics | Self::Back(_) => Self::Back("topics"),
        }
    }
}
