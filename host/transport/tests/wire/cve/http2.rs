//! HTTP/2 in plain text, frame by frame.
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::spawn_local,
};

use super::{Memory, serves};
use crate::node::{Node, run};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

const ENHANCE_YOUR_CALM: u8 = 11;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// `method` is an index of HPACK's static table: 2 GET, 3 POST.
fn head(method: u8, path: &str) -> Vec<u8> {
    let mut block = vec![0x80 | method, 0x86, 0x01, 9];
    block.extend_from_slice(b"localhost");
    block.extend_from_slice(&[0x04, u8::try_from(path.len()).unwrap()]);
    block.extend_from_slice(path.as_bytes());
    block
}

/// Says hello and then `flood` again and again, `times` times or until the server ends the connection; answers the
/// frames that the server sent until it ended it, or until `enough`.
async fn attack(
    node: &Node,
    mut flood: impl FnMut(u32) -> Vec<u8> + 'static,
    times: u32,
    enough: impl Fn(&[(u8, Vec<u8>)]) -> bool,
) -> Vec<(u8, Vec<u8>)> {
    let (mut read, mut write) = TcpStream::connect(node.address).await.unwrap().into_split();
    let writing = spawn_local(async move {
        let mut hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        hello.extend(frame(SETTINGS, 0, 0, &[]));
        let mut sent = write.write_all(&hello).await;
        let mut turn = 0;
        while sent.is_ok() && turn < times {
            sent = write.write_all(&flood(turn)).await;
            turn += 1;
        }
        // Not dropped: the server is to end it.
        (turn, write)
    });
    let (mut unread, mut frames) = (Vec::new(), Vec::new());
    while !enough(&frames) && read.read_buf(&mut unread).await.is_ok_and(|bytes| bytes > 0) {
        while let Some(header) = unread.first_chunk::<9>() {
            let size = u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize + 9;
            let Some(whole) = unread.get(..size) else { break };
            frames.push((header[3], whole[9..].to_vec()));
            unread.drain(..size);
        }
    }
    writing.abort();
    frames
}

fn calmed(frames: &[(u8, Vec<u8>)]) -> bool {
    frames
        .iter()
        .any(|(kind, payload)| *kind == GOAWAY && payload.get(7) == Some(&ENHANCE_YOUR_CALM))
}

/// CVE-2023-44487, and h2's own queue of streams that were reset before they were accepted.
#[test]
fn rustsec_2024_0003_rapid_resets_end_their_connection() {
    run(async {
        let node = Node::start(|_| {}).await;
        let memory = Memory::now();
        let flood = |turn: u32| {
            let pair = |stream| {
                let head = head(2, "/socket.io/?EIO=4&transport=polling");
                let mut pair = frame(HEADERS, END_HEADERS | END_STREAM, stream, &head);
                pair.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
                pair
            };
            (0..1_000)
                .flat_map(|index| pair((turn * 1_000 + index) * 2 + 1))
                .collect()
        };
        let frames = attack(&node, flood, 1_000, |_| false).await;
        assert!(calmed(&frames), "{frames:?}");
        memory.grew_less_than(16);
        serves(&node).await;
    });
}

#[test]
fn rustsec_2024_0332_a_flood_of_continuations_ends_its_connection() {
    run(async {
        let node = Node::start(|_| {}).await;
        for size in [0, 100, 16_384] {
            let memory = Memory::now();
            // A header with an endless value: never indexed, its name and value are literals.
            let flood = move |turn: u32| {
                if turn == 0 {
                    return frame(HEADERS, 0, 1, &head(2, "/"));
                }
                let block = [&[0x00, 1, b'x', 0x7f, 0xff, 0xff, 0x7f][..], &vec![b'v'; size]].concat();
                let block = if size == 0 { &[][..] } else { &block[..size] };
                frame(CONTINUATION, 0, 1, block).repeat(100)
            };
            let frames = attack(&node, flood, 10_000, |_| false).await;
            assert!(
                frames.iter().any(|(kind, _)| *kind == GOAWAY),
                "{size}: {frames:?}"
            );
            memory.grew_less_than(16);
        }
        serves(&node).await;
    });
}

#[test]
fn rustsec_2026_0258_a_flood_of_empty_data_is_not_kept() {
    run(async {
        let node = Node::start(|_| {}).await;
        let sid = node.open().await;
        let memory = Memory::now();
        let path = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
        let flood = move |turn: u32| match turn {
            0 => frame(HEADERS, END_HEADERS, 1, &head(3, &path)),
            1_001 => frame(DATA, END_STREAM, 1, b"40"),
            _ => frame(DATA, 0, 1, &[]).repeat(1_000),
        };
        // The answer to the post, or the end for so much of nothing.
        let answered =
            |frames: &[(u8, Vec<u8>)]| frames.iter().any(|(kind, _)| *kind == DATA || *kind == GOAWAY);
        let frames = attack(&node, flood, 1_002, answered).await;
        assert!(answered(&frames), "{frames:?}");
        memory.grew_less_than(16);
        serves(&node).await;
    });
}
