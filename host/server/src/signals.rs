use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

/// When to end: the first word drains, the second ends at once.
pub struct Stop(Source);

enum Source {
    Signals,
    Channel(mpsc::UnboundedReceiver<()>),
}

impl Stop {
    /// SIGTERM and SIGINT.
    pub fn signals() -> Self {
        Self(Source::Signals)
    }

    /// Whoever holds the sender. Dropping it never stops anything.
    pub fn channel() -> (mpsc::UnboundedSender<()>, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (sender, Self(Source::Channel(receiver)))
    }

    /// Listens from now on; within a runtime.
    pub(crate) fn listen(self) -> std::io::Result<mpsc::UnboundedReceiver<()>> {
        match self.0 {
            Source::Channel(receiver) => Ok(receiver),
            Source::Signals => {
                let (sender, receiver) = mpsc::unbounded_channel();
                for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
                    let mut signals = signal(kind)?;
                    let sender = sender.clone();
                    tokio::spawn(async move {
                        while signals.recv().await.is_some() && sender.send(()).is_ok() {}
                    });
                }
                Ok(receiver)
            }
        }
    }
}
