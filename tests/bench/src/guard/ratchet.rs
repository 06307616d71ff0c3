//! What each thing may cost: the table, and the judge. A figure that has become lower takes its ratchet along.
//!
//! Slack is a little more than ten runs differed by, on a machine with load averages of 7 to 16 (instructions 3 to 6 %, allocations
//! of an echo 0.6: things done by the clock fall into a slow echo more often; resident bytes 1 to 3 %, and more
//! where the allocator keeps what it had), so that a run that fails has a cause. One allocation more in an echo, or one more in every fifth delivery,
//! is above it. Another processor may choose other routines of the C library: some 2 % of instructions.
use std::fmt;

/// What is guarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cost {
    /// Of an echo with its ack, one client, one at a time.
    EchoInstructions,
    EchoAllocations,
    /// The same where eight events of a client come at once.
    BatchedInstructions,
    BatchedAllocations,
    /// The same over long polling.
    PolledInstructions,
    PolledAllocations,
    /// Of a WebSocket's handshake and CONNECT.
    JoinInstructions,
    JoinAllocations,
    /// Of one more member of a room, for each message to it.
    DeliveryInstructions,
    DeliveryAllocations,
    /// Of a message to a room of ten, its ten deliveries included.
    MessageInstructions,
    MessageAllocations,
    /// Resident memory of a session that joined a room and says nothing.
    IdleWebSocket,
    /// The same between two polls.
    IdlePolling,
}

/// A figure of this run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    pub(super) cost: Cost,
    pub(super) value: f64,
}

/// What a figure may be: `most`, and `slack` above it before that counts as more.
struct Ratchet {
    most: f64,
    slack: f64,
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Held,
    Dear,
    /// The ratchet can be lowered.
    Cheap,
}

impl Cost {
    fn ratchet(self) -> Ratchet {
        let (most, slack) = match self {
            Self::EchoInstructions => (30_900.0, 2_200.0),
            Self::EchoAllocations => (14.0, 0.9),
            Self::BatchedInstructions => (25_800.0, 1_900.0),
            Self::BatchedAllocations => (14.5, 0.9),
            Self::PolledInstructions => (72_800.0, 5_200.0),
            Self::PolledAllocations => (36.1, 1.5),
            Self::JoinInstructions => (97_500.0, 7_000.0),
            Self::JoinAllocations => (70.2, 2.5),
            Self::DeliveryInstructions => (1_310.0, 100.0),
            Self::DeliveryAllocations => (0.0, 0.2),
            Self::MessageInstructions => (70_800.0, 5_000.0),
            Self::MessageAllocations => (41.0, 1.3),
            Self::IdleWebSocket => (2_070.0, 250.0),
            Self::IdlePolling => (930.0, 250.0),
        };
        Ratchet { most, slack }
    }

    fn name(self) -> &'static str {
        match self {
            Self::EchoInstructions => "echo, instructions",
            Self::EchoAllocations => "echo, allocations",
            Self::BatchedInstructions => "echo, eight at once, instructions",
            Self::BatchedAllocations => "echo, eight at once, allocations",
            Self::PolledInstructions => "echo by polling, instructions",
            Self::PolledAllocations => "echo by polling, allocations",
            Self::JoinInstructions => "connect, instructions",
            Self::JoinAllocations => "connect, allocations",
            Self::DeliveryInstructions => "delivery, instructions",
            Self::DeliveryAllocations => "delivery, allocations",
            Self::MessageInstructions => "message to ten, instructions",
            Self::MessageAllocations => "message to ten, allocations",
            Self::IdleWebSocket => "idle WebSocket session, bytes",
            Self::IdlePolling => "idle polling session, bytes",
        }
    }
}

impl Measured {
    pub(super) fn is_dear(&self) -> bool {
        self.cost.ratchet().judge(self.value) == Verdict::Dear
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ratchet { most, slack } = self.cost.ratchet();
        let digits = usize::from(slack < 10.0) * 2;
        write!(
            f,
            "{:<34} {:>10.digits$}, ratchet {most:.digits$} + {slack:.digits$}",
            self.cost.name(),
            self.value
        )?;
        match self.cost.ratchet().judge(self.value) {
            Verdict::Held => Ok(()),
            Verdict::Dear => write!(f, ": TOO MUCH"),
            Verdict::Cheap => write!(f, ": lower the ratchet"),
        }
    }
}

impl Ratchet {
    /// What is no number at all is too much.
    fn judge(&self, value: f64) -> Verdict {
        if value < self.most - self.slack {
            Verdict::Cheap
        } else if value <= self.most + self.slack {
            Verdict::Held
        } else {
            Verdict::Dear
        }
    }
}

#[cfg(test)]
mod tests;
