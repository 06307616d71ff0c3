//! The network between client and server, as bad as a test wants it.
use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::watch,
};

/// A TCP proxy on a thread of its own; gone when dropped.
pub(crate) struct FaultProxy {
    pub(crate) address: SocketAddr,
    weather: watch::Sender<Weather>,
}

#[derive(Clone, Copy, Default)]
struct Weather {
    /// Connections are reset, new ones too.
    cut: bool,
    /// Bytes wait, both ways; nobody is told.
    stalled: bool,
    /// What passes, up to 16 KiB at once, takes so long, each way.
    delay: Duration,
    /// Connections numbered below this one hang for ever, and their ends are not passed on.
    stranded_below: u64,
    /// Connections accepted so far.
    accepted: u64,
    over: bool,
}

impl FaultProxy {
    /// In front of `server`, an address.
    pub(crate) fn new(server: &str) -> Self {
        let (weather, forecast) = watch::channel(Weather::default());
        let server: SocketAddr = server.parse().unwrap();
        let (bound, address) = std::sync::mpsc::channel();
        let accepted = weather.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                bound.send(listener.local_addr().unwrap()).unwrap();
                tokio::select! {
                    () = accept(listener, server, accepted) => {}
                    () = until(forecast, |weather| weather.over) => {}
                }
            });
        });
        Self {
            address: address.recv().unwrap(),
            weather,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Does what a script asks for: `cut`, `stall`, `slow MS`, `heal`, `strand`, `cut for MS`.
    pub(crate) fn grant(&self, what: &str) {
        match what.split(' ').collect::<Vec<_>>().as_slice() {
            ["cut"] => self.change(|weather| weather.cut = true),
            ["stall"] => self.change(|weather| weather.stalled = true),
            ["slow", ms] => {
                let delay = Duration::from_millis(ms.parse().unwrap());
                self.change(|weather| weather.delay = delay);
            }
            ["heal"] => self.change(|weather| {
                (weather.cut, weather.stalled, weather.delay) = (false, false, Duration::ZERO);
            }),
            // What is connected now never hears from the other side again; new connections are fine.
            ["strand"] => self.change(|weather| weather.stranded_below = weather.accepted),
            ["cut", "for", ms] => {
                self.change(|weather| weather.cut = true);
                std::thread::sleep(Duration::from_millis(ms.parse().unwrap()));
                self.change(|weather| weather.cut = false);
            }
            _ => panic!("a proxy cannot {what}"),
        }
    }

    fn change(&self, how: impl FnOnce(&mut Weather)) {
        self.weather.send_modify(how);
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.change(|weather| weather.over = true);
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, weather: watch::Sender<Weather>) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let mut number = 0;
        weather.send_modify(|weather| {
            number = weather.accepted;
            weather.accepted += 1;
        });
        let weather = weather.subscribe();
        tokio::spawn(async move {
            if weather.borrow().cut {
                return reset(&client);
            }
            // A refused connection is passed on as a reset: the server is being restarted.
            let Ok(server) = TcpStream::connect(server).await else {
                return reset(&client);
            };
            carry(client, server, weather, number).await;
        });
    }
}

/// Carries bytes both ways until both sides have ended, or the link is cut.
async fn carry(mut client: TcpStream, mut server: TcpStream, weather: watch::Receiver<Weather>, number: u64) {
    let cut = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let both = async {
            tokio::join!(
                pass(from_client, to_server, weather.clone(), number),
                pass(from_server, to_client, weather.clone(), number)
            )
        };
        tokio::select! {
            _ = both => false,
            () = until(weather.clone(), |weather| weather.cut) => true,
        }
    };
    if cut {
        reset(&client);
        reset(&server);
    }
}

/// Passes bytes one way until they end, or for ever if stranded.
async fn pass(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut weather: watch::Receiver<Weather>,
    number: u64,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await.unwrap_or(0);
        hold_if_stranded(&weather, number).await;
        let delay = weather.borrow().delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let _ = weather.wait_for(|weather| !weather.stalled).await;
        hold_if_stranded(&weather, number).await;
        if read == 0 || to.write_all(&buffer[..read]).await.is_err() {
            let _ = to.shutdown().await;
            return;
        }
    }
}

async fn hold_if_stranded(weather: &watch::Receiver<Weather>, number: u64) {
    if weather.borrow().stranded_below > number {
        std::future::pending::<()>().await;
    }
}

async fn until(mut weather: watch::Receiver<Weather>, condition: impl Fn(&Weather) -> bool) {
    let _ = weather.wait_for(|weather| condition(weather)).await;
}

/// Makes the stream end in a reset when it is dropped: a clean end would tell the peer that all was well.
fn reset(stream: &TcpStream) {
    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
