//! Clients that know neither Engine.IO nor Socket.IO: a plain WebSocket at the app's `[raw]` path.
use std::{net::TcpStream, time::Duration};

use tempfile::TempDir;
use tungstenite::{Message, WebSocket, protocol::WebSocketConfig};

use crate::harness::{AppDir, Script, Wakeline, root};

fn echo() -> (AppDir, TempDir, Wakeline) {
    let app = AppDir::example("echo", "[raw]\nwebsocket = \"/ws\"\nengineio = \"/engine.io/\"\n");
    let data = TempDir::new().unwrap();
    let wakeline = Wakeline::dev_in(&app.path(), data.path());
    (app, data, wakeline)
}

fn connect(wakeline: &Wakeline) -> WebSocket<TcpStream> {
    let stream = TcpStream::connect(&wakeline.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let config = WebSocketConfig::default();
    let url = format!("ws://{}/ws", wakeline.address);
    tungstenite::client::client_with_config(url, stream, Some(config))
        .unwrap()
        .0
}

#[test]
fn text_and_binary_return_as_they_came() {
    let (_app, _data, wakeline) = echo();
    let mut socket = connect(&wakeline);
    for text in [
        "hello",
        "",
        "κόσμε 🦀 \u{1e}",
        "42[\"not\",\"Socket.IO\"]",
        "\"\\",
    ] {
        socket.send(Message::text(text)).unwrap();
        assert_eq!(socket.read().unwrap(), Message::text(text));
    }
    for bytes in [vec![], vec![0, 255, 30], vec![7; 100_000]] {
        socket.send(Message::binary(bytes.clone())).unwrap();
        assert_eq!(socket.read().unwrap(), Message::binary(bytes));
    }
}

#[test]
fn p1_messages_keep_their_order() {
    let (_app, _data, wakeline) = echo();
    let mut socket = connect(&wakeline);
    for number in 0..200 {
        socket.send(Message::text(number.to_string())).unwrap();
    }
    for number in 0..200 {
        assert_eq!(socket.read().unwrap(), Message::text(number.to_string()));
    }
}

#[test]
fn a_ping_frame_is_answered() {
    let (_app, _data, wakeline) = echo();
    let mut socket = connect(&wakeline);
    socket.send(Message::Ping("are you there".into())).unwrap();
    assert_eq!(socket.read().unwrap(), Message::Pong("are you there".into()));
}

#[test]
fn a_close_is_answered_with_a_close() {
    let (_app, _data, wakeline) = echo();
    let mut socket = connect(&wakeline);
    socket.close(None).unwrap();
    assert!(matches!(
        socket.read(),
        Ok(Message::Close(_)) | Err(tungstenite::Error::ConnectionClosed)
    ));
}

#[test]
fn the_ws_package_of_npm_is_served_as_well() {
    let wakeline = Wakeline::dev(&root().join("examples/echo"));
    Script::node("plain.mjs")
        .variable("WAKELINE_URL", &wakeline.url())
        .run();
}
