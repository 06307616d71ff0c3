//! Over real TCP: what matters is what the kernel makes of it. Limits that are to run out are short, others long.
use std::{future::pending, io::ErrorKind, pin::pin, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::{Limits, Pair};
use crate::stream::Stream;

const LONG: Limits = Limits {
    write_timeout: Duration::from_mins(2),
    close_timeout: Duration::from_mins(2),
    silence_max: Duration::from_mins(2),
};
const SHORT: Duration = Duration::from_millis(30);

async fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    (near.unwrap(), far.unwrap().0)
}

/// A client's end, a home's end, and the pair between them at work.
async fn start(limits: Limits) -> (TcpStream, TcpStream, JoinHandle<()>) {
    let (client, near_client) = connected().await;
    let (near_home, home) = connected().await;
    let mut pair = Pair::new(Stream::Plain(near_client), near_home, b"early", b"said", limits);
    let carrying = tokio::spawn(async move { pair.carry(pin!(pending())).await });
    (client, home, carrying)
}

#[track_caller]
fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(async {
        let limited = tokio::time::timeout(Duration::from_mins(1), test).await;
        limited.expect("the test hangs");
    });
}

/// What comes until the end, and how that was.
async fn rest(mut stream: TcpStream) -> (Vec<u8>, Option<ErrorKind>) {
    let mut bytes = Vec::new();
    let end = stream.read_to_end(&mut bytes).await;
    (bytes, end.err().map(|error| error.kind()))
}

#[test]
fn a_half_closed_stream_goes_on_the_other_way() {
    run(async {
        let (mut client, mut home, carrying) = start(LONG).await;
        client.write_all(b" bird").await.unwrap();
        client.shutdown().await.unwrap();
        let mut bytes = Vec::new();
        home.read_to_end(&mut bytes).await.unwrap();
        assert_eq!(bytes, b"early bird");
        home.write_all(b" so").await.unwrap();
        drop(home);
        assert_eq!(rest(client).await, (b"said so".to_vec(), None));
        carrying.await.unwrap();
    });
}

#[test]
fn a_reset_is_passed_on_as_one() {
    run(async {
        let (client, home, carrying) = start(LONG).await;
        client.set_zero_linger().unwrap();
        drop(client);
        carrying.await.unwrap();
        assert_eq!(rest(home).await.1, Some(ErrorKind::ConnectionReset));

        let (client, home, carrying) = start(LONG).await;
        home.set_zero_linger().unwrap();
        drop(home);
        carrying.await.unwrap();
        assert_eq!(rest(client).await.1, Some(ErrorKind::ConnectionReset));
    });
}

#[test]
fn who_does_not_end_is_cut() {
    run(async {
        let close_timeout = SHORT;
        let (mut client, home, carrying) = start(Limits {
            close_timeout,
            ..LONG
        })
        .await;
        client.shutdown().await.unwrap();
        carrying.await.unwrap();
        assert_eq!(rest(client).await, (b"said".to_vec(), None));
        drop(home);
    });
}

#[test]
fn a_silent_home_is_a_dead_one() {
    run(async {
        let silence_max = SHORT;
        let (client, home, carrying) = start(Limits { silence_max, ..LONG }).await;
        carrying.await.unwrap();
        assert_eq!(rest(client).await.1, Some(ErrorKind::ConnectionReset));
        drop(home);
    });
}

#[test]
fn a_client_that_takes_nothing_holds_up_the_home_and_is_cut() {
    run(async {
        let write_timeout = SHORT;
        let (client, mut home, carrying) = start(Limits {
            write_timeout,
            ..LONG
        })
        .await;
        let mut sent = 0_usize;
        while let Ok(count) = home.write(&[0; 1 << 14]).await {
            sent += count;
        }
        carrying.await.unwrap();
        // Two kernels' worth of buffers on each leg, and what the pair holds; a pair that stored more would never
        // have stopped taking.
        assert!(sent < 64 << 20, "{sent}");
        drop(client);
    });
}

#[test]
fn all_of_it_arrives_both_ways() {
    run(async {
        const SIZE: usize = 5_000_000;
        let (client, home, carrying) = start(LONG).await;
        let bytes: Vec<u8> = (0..SIZE).map(|index| (index * 31 % 251) as u8).collect();
        let exchange = async |stream: TcpStream, first: &[u8]| {
            let (mut from, mut to) = stream.into_split();
            let (wrote, read) = tokio::join!(
                async {
                    to.write_all(&bytes).await?;
                    to.shutdown().await
                },
                async {
                    let mut read = Vec::new();
                    from.read_to_end(&mut read).await.map(|_| read)
                }
            );
            wrote.unwrap();
            assert!(read.unwrap() == [first, &bytes].concat());
        };
        tokio::join!(exchange(client, b"said"), exchange(home, b"early"));
        carrying.await.unwrap();
    });
}
