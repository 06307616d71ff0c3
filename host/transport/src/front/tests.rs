use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;

async fn pair() -> (TcpStream, Stream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (peer, Stream::Plain(listener.accept().await.unwrap().0))
}

#[tokio::test]
async fn what_was_read_early_is_read_first() {
    let (mut peer, stream) = pair().await;
    let mut front = Front::new(Bytes::from_static(b"abc"), stream);
    let mut two = [0; 2];
    front.read_exact(&mut two).await.unwrap();
    assert_eq!(&two, b"ab");
    peer.write_all(b"d").await.unwrap();
    front.read_exact(&mut two).await.unwrap();
    assert_eq!(&two, b"cd");
}

#[tokio::test]
async fn nothing_is_lost_when_it_is_taken_apart() {
    for (early, taken, unread) in [("", "", ""), ("", "a", "a"), ("b", "", "b"), ("b", "a", "ab")] {
        let (_peer, stream) = pair().await;
        let front = Front::new(Bytes::from_static(early.as_bytes()), stream);
        let (_stream, left) = front.into_parts(Bytes::from_static(taken.as_bytes()));
        assert_eq!(left, unread);
    }
}
