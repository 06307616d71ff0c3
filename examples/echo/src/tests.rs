use wakeline_sdk::test::TestApp;

use super::*;

#[test]
fn text_and_binary_come_back() {
    let app = TestApp::new::<Echo>();
    let client = app.connect("raw:websocket").unwrap();
    client.emit("message", "hello").unwrap();
    client.emit("message", Bytes::from([0, 255])).unwrap();
    let received = client.received();
    assert_eq!(received[0], ("message", json!(["hello"])));
    assert_eq!(received[1].args.parse::<(Bytes,)>().unwrap().0, vec![0, 255]);
}
