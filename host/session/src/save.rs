//! Writing a socket's record, one write at a time and only the latest.
use backplane::{Change, Condition, Error};
use tokio::sync::oneshot;

use crate::{
    Hub,
    record::{Home, Record, bucket},
    socket::{Phase, Saved, Socket},
    state::{SocketKey, State},
};

enum Step {
    Done,
    Wait(oneshot::Receiver<()>),
    Write {
        app: std::sync::Arc<str>,
        change: Change,
        version: u64,
        through: u64,
    },
}

impl Hub {
    /// Stores a socket as it is now. Returns when that, or something later, is stored. Among other nodes it is tried until
    /// it succeeds: what waits for it is acked, or asked of others, only then. Where there are no others, a failure is
    /// logged and leaves the socket as it was: it lives on in memory, and the next change writes again.
    pub(crate) async fn save(&self, key: SocketKey) {
        let Some(wanted) = self.with(|state, _| {
            let socket = state
                .sockets
                .get_mut(key)
                .filter(|socket| socket.is_recoverable())?;
            socket.saved.wanted += 1;
            Some(socket.saved.wanted)
        }) else {
            return;
        };
        loop {
            match self.with(|state, _| step(state, key, wanted, self)) {
                Step::Done => return,
                Step::Wait(written) => _ = written.await,
                Step::Write {
                    app,
                    change,
                    version,
                    through,
                } => {
                    let written = self.write_own(key, &app, change).await;
                    self.with(|state, now| {
                        let Some(socket) = state.sockets.get_mut(key) else { return };
                        socket.pending.saved();
                        let saved = &mut socket.saved;
                        saved.writing = false;
                        saved.done = version;
                        match written {
                            Ok(revision) => {
                                saved.revision = revision;
                                (saved.through, saved.at) = (through, Some(now.into()));
                            }
                            Err(Error::Conflict { .. }) => {
                                tracing::debug!(%app, socket = %socket.id, "a socket was taken over: this copy ends");
                                if self.0.shards.nodes().is_cluster() {
                                    let (app, id) = (socket.app.clone(), socket.id.clone());
                                    crate::tasks::spawn_local(self.clone().look_after(app, id));
                                }
                                state.evict(key, now);
                            }
                            Err(error) => tracing::warn!(%app, socket = %socket.id, %error, "a socket was not saved"),
                        }
                    });
                }
            }
        }
    }
}

impl Hub {
    /// Writes a record of ours. Among other nodes: until that succeeds or the record is another's. A write that failed may
    /// have been stored all the same, so a conflict with the very bytes that were to be written is none.
    async fn write_own(&self, key: SocketKey, app: &str, change: Change) -> Result<Option<u64>, Error> {
        let (bucket, backplane) = (bucket(app), &self.0.backplane);
        if !self.0.shards.nodes().is_cluster() {
            let revisions = backplane.write(&bucket, vec![change]).await?;
            return Ok(revisions.first().copied());
        }
        loop {
            let error = match backplane.write(&bucket, vec![change.clone()]).await {
                Ok(revisions) => return Ok(revisions.first().copied()),
                Err(error) => error,
            };
            // Gone meanwhile: what it was is not to be written over what it became.
            if !self.with(|state, _| state.sockets.contains_key(key)) {
                return Err(error);
            }
            match (&error, backplane.get(&bucket, &change.key).await) {
                (Error::Conflict { .. }, Ok(stored)) => {
                    let own = stored.filter(|stored| Some(&stored.bytes) == change.value.as_ref());
                    return own.map(|own| Some(own.revision)).ok_or(error);
                }
                (Error::Conflict { .. } | Error::Unavailable(_), _) => {}
                (Error::Gone | Error::Invalid(_), _) => return Err(error),
            }
            tracing::debug!(%app, socket = %change.key, %error, "a socket is not saved yet");
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }
}

/// The backplane has tried for as long itself.
const RETRY_PAUSE: std::time::Duration = std::time::Duration::from_millis(500);

fn step(state: &mut State, key: SocketKey, wanted: u64, hub: &Hub) -> Step {
    let Some(socket) = state.sockets.get_mut(key) else {
        return Step::Done;
    };
    if socket.saved.done >= wanted {
        return Step::Done;
    }
    if socket.saved.writing {
        let (send, written) = oneshot::channel();
        socket.pending.wait_for_save(send);
        return Step::Wait(written);
    }
    if let (Phase::Live { .. }, Some(line)) = (socket.phase, state.lines.get(&socket.app.name)) {
        socket.progress.through = line.position().1;
    }
    socket.saved.writing = true;
    let condition = match socket.saved.revision {
        Some(revision) => Condition::Revision(revision),
        None if hub.0.shards.nodes().is_cluster() => Condition::Absent,
        // A new id, which nobody else has drawn or been told: there is nothing to look for.
        None => Condition::Always,
    };
    let record = socket.record(hub.0.home);
    Step::Write {
        app: socket.app.name.clone(),
        change: Change {
            key: socket.id.to_string(),
            value: Some(record.encode()),
            condition,
        },
        version: socket.saved.wanted,
        through: record.progress.through,
    }
}

impl Socket {
    /// Whether the stored record says all that is known of a socket at `offset` of the log: nothing was told or changed since.
    pub(crate) fn is_saved_at(&self, offset: u64) -> bool {
        let Saved {
            revision,
            wanted,
            done,
            writing,
            through,
            ..
        } = &self.saved;
        revision.is_some() && !writing && done == wanted && *through == offset
    }

    /// The socket as another home would need it.
    pub(crate) fn record(&self, home: Home) -> Record {
        Record {
            home,
            namespace: self.namespace.clone(),
            secret: self.secret,
            stays: self.stays.clone(),
            state: self.state(),
            state_version: self.state_version(),
            progress: self.progress,
            token: self.token.clone(),
            ending: self.ending,
            subject: self.subject().cloned(),
        }
    }
}
