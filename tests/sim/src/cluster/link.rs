//! A client's WebSocket: two queues whose messages take their time, and may lead nowhere without either end knowing.
use std::{cell::RefCell, collections::BTreeMap, future::poll_fn, rc::Rc, time::Duration};

use bytes::Bytes;
use session::{Outgoing, WsPort};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

/// Frames that the network holds for a client that does not read.
const FRAMES_MAX: usize = 64;

pub(crate) type Frame = Option<String>;

/// The client's end. Dropping it is a cut that the server sees.
pub(crate) struct Link {
    delay: Duration,
    to_server: mpsc::UnboundedSender<(Instant, String)>,
    from_server: mpsc::Receiver<(Instant, Frame)>,
    /// Taken from the queue, on its way.
    coming: Option<(Instant, Frame)>,
    /// When the last frame came that was taken, which may be long before it was.
    pub(crate) heard: Instant,
}

/// The server's end.
pub(crate) struct Far {
    delay: Duration,
    to_client: mpsc::Sender<(Instant, Frame)>,
    from_client: mpsc::UnboundedReceiver<(Instant, String)>,
}

/// What a node holds open: without this, a machine that vanishes would close its connections by vanishing.
#[derive(Clone, Default)]
pub(crate) struct Held(Rc<RefCell<Ends>>);

type Ends = BTreeMap<u64, mpsc::Sender<(Instant, Frame)>>;

pub(crate) fn link(delay: Duration) -> (Link, Far) {
    let (to_server, from_client) = mpsc::unbounded_channel();
    let (to_client, from_server) = mpsc::channel(FRAMES_MAX);
    let near = Link {
        delay,
        to_server,
        from_server,
        coming: None,
        heard: Instant::now(),
    };
    let far = Far {
        delay,
        to_client,
        from_client,
    };
    (near, far)
}

impl Link {
    pub(crate) fn send(&self, text: String) {
        // Nobody there: the client finds out by reading.
        _ = self.to_server.send((Instant::now() + self.delay, text));
    }

    /// The next frame; `None` is the connection's end.
    pub(crate) async fn receive(&mut self) -> Frame {
        if self.coming.is_none() {
            self.coming = self.from_server.recv().await;
        }
        let due = self.coming.as_ref()?.0;
        sleep_until(due).await;
        let frame = self.coming.take()?.1;
        if frame.is_some() {
            self.heard = due;
        }
        frame
    }
}

impl Far {
    /// Carries frames between a session and its client until either ends.
    pub(crate) async fn carry(mut self, mut port: WsPort) {
        loop {
            let room = async {
                let permit = self.to_client.reserve().await.ok()?;
                Some((permit, poll_fn(|cx| port.poll_outgoing(cx)).await))
            };
            tokio::select! {
                biased;
                sent = room => {
                    let Some((permit, frame)) = sent else { return };
                    let due = Instant::now() + self.delay;
                    match frame {
                        Outgoing::Text(text) => permit.send((due, Some(String::from_utf8(text.to_vec()).unwrap()))),
                        Outgoing::Close(_) => return permit.send((due, None)),
                        Outgoing::Binary(_) | Outgoing::Ping => {}
                    }
                }
                received = self.from_client.recv() => {
                    let Some((due, text)) = received else { return };
                    sleep_until(due).await;
                    poll_fn(|cx| port.poll_ready(cx)).await;
                    port.receive_text(Bytes::from(text));
                }
            }
        }
    }

    pub(crate) fn hold(&self, held: &Held, connection: u64) {
        held.0.borrow_mut().insert(connection, self.to_client.clone());
    }
}

impl Held {
    pub(crate) fn release(&self, connection: u64) {
        self.0.borrow_mut().remove(&connection);
    }

    pub(crate) fn release_all(&self) {
        self.0.borrow_mut().clear();
    }
}
