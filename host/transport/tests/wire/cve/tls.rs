use std::sync::Arc;

use rustls::{ClientConfig, ClientConnection, RootCertStore, pki_types::ServerName};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    node::{Node, run},
    secure::{connect, polls_over_http2, secure},
};

const HANDSHAKE: u8 = 22;

/// A ClientHello's message, without the record around it.
fn client_hello() -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut record = Vec::new();
    connection.write_tls(&mut record).unwrap();
    record.split_off(5)
}

fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
    let size = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [&[kind, 3, 3], &size[..], payload].concat()
}

async fn serves(node: &Node) {
    polls_over_http2(connect(node, b"h2").await).await;
}

/// An alert "close notify" at every point of the handshake that a client can reach without a key.
#[test]
fn rustsec_2024_0336_a_close_in_mid_handshake_ends_the_connection() {
    run(async {
        let node = secure().await;
        let free = node.connections.available_permits();
        let (hello, close) = (client_hello(), record(21, &[1, 0]));
        let whole = record(HANDSHAKE, &hello);
        let half = record(HANDSHAKE, &hello[..hello.len() / 2]);
        for words in [
            close.clone(),
            [&whole[..], &close].concat(),
            [&half[..], &close].concat(),
            [&whole[..], &close, &close, &whole].concat(),
            whole[..20].to_vec(),
        ] {
            let mut tcp = TcpStream::connect(node.address).await.unwrap();
            tcp.write_all(&words).await.unwrap();
            tcp.shutdown().await.unwrap();
            let mut rest = Vec::new();
            let _ = tcp.read_to_end(&mut rest).await;
        }
        while node.connections.available_permits() < free {
            tokio::task::yield_now().await;
        }
        serves(&node).await;
    });
}

/// The same message in records of every size, and with nothing in them.
#[test]
fn rustsec_2024_0399_a_hello_in_fragments_is_no_panic() {
    run(async {
        let node = secure().await;
        let hello = client_hello();
        for size in [1, 2, 3, 4, 5, 40, hello.len() - 1] {
            let words: Vec<u8> = hello
                .chunks(size)
                .flat_map(|part| record(HANDSHAKE, part))
                .collect();
            let mut tcp = TcpStream::connect(node.address).await.unwrap();
            tcp.write_all(&words).await.unwrap();
            // A server hello, or an alert: an answer.
            let kind = tcp.read_u8().await.unwrap();
            assert!(kind == HANDSHAKE || kind == 21, "{size}: {kind}");
        }
        for words in [
            record(HANDSHAKE, &[]).repeat(100),
            record(HANDSHAKE, &[1]),
            vec![HANDSHAKE; 9],
        ] {
            let mut tcp = TcpStream::connect(node.address).await.unwrap();
            tcp.write_all(&words).await.unwrap();
            tcp.shutdown().await.unwrap();
            let _ = tcp.read_to_end(&mut Vec::new()).await;
        }
        serves(&node).await;
    });
}
