/// One for every WebSocket, idle or not: with what tokio adds to a task it has two steps of 128 bytes.
#[test]
fn an_idle_websocket_is_small() {
    let size = size_of::<super::Carry>();
    assert!(size <= 144, "{size} bytes");
}
