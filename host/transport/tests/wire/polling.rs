use std::io::Read;

use crate::node::{Node, run};

const OK: &str = "200 cache-control=no-store content-length=2 content-type=text/html | ok";

fn packets(text: &str) -> String {
    format!(
        "200 cache-control=no-store content-length={} content-type=text/plain; charset=UTF-8 | {text}",
        text.len()
    )
}

#[test]
fn events_and_attachments_come_back() {
    run(async {
        let node = Node::start(|_| {}).await;
        let sid = node.open().await;
        assert_eq!(node.post(&sid, "40").await.line(), OK);
        assert!(node.poll(&sid).await.text().starts_with("40{\"sid\":\""));
        let body = "42[\"echo\",\"a\"]\x1e451-[\"echo\",{\"_placeholder\":true,\"num\":0}]\x1ebAQIDBA==";
        assert_eq!(node.post(&sid, body).await.line(), OK);
        let mut got = node.poll(&sid).await.text();
        while !got.contains("bAQIDBA==") {
            got = format!("{got}\x1e{}", node.poll(&sid).await.text());
        }
        let expected =
            "42[\"echo-back\",\"a\"]\x1e451-[\"echo-back\",{\"_placeholder\":true,\"num\":0}]\x1ebAQIDBA==";
        assert_eq!(got, expected);
    });
}

#[test]
fn a_client_closes_under_its_own_poll() {
    run(async {
        let node = Node::start(|_| {}).await;
        let sid = node.open().await;
        let target = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
        let mut pending = node.peer().await;
        pending.send(crate::peer::request("GET", &target, &[], "")).await;
        let answered = async {
            assert_eq!(pending.reply(false).await.line(), packets("6"));
        };
        let closed = async {
            assert_eq!(node.post(&sid, "1").await.line(), OK);
        };
        futures_util::future::join(answered, closed).await;
        assert_eq!(
            node.poll(&sid).await.text(),
            r#"{"code":1,"message":"Session ID unknown"}"#
        );
    });
}

#[test]
fn a_handler_closes_between_polls() {
    run(async {
        let node = Node::start(|_| {}).await;
        let sid = node.open().await;
        node.post(&sid, "40").await;
        node.poll(&sid).await;
        assert_eq!(node.post(&sid, "42[\"drop\"]").await.line(), OK);
        let last = node.poll(&sid).await.text();
        assert!(last.ends_with("\x1e1") || last == "1", "{last:?}");
        assert_eq!(node.poll(&sid).await.status, 400);
    });
}

#[test]
fn two_polls_at_once_end_the_session() {
    run(async {
        let node = Node::start(|_| {}).await;
        let sid = node.open().await;
        let target = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
        let (mut one, mut two) = (node.peer().await, node.peer().await);
        one.send(crate::peer::request("GET", &target, &[], "")).await;
        two.send(crate::peer::request("GET", &target, &[], "")).await;
        let (one, two) = futures_util::future::join(one.reply(false), two.reply(false)).await;
        // Whichever arrived first.
        let (first, second) = if one.status == 200 { (one, two) } else { (two, one) };
        assert_eq!(first.line(), packets("1"));
        assert_eq!(second.line(), "400 content-length=0");
        assert_eq!(
            node.poll(&sid).await.text(),
            r#"{"code":1,"message":"Session ID unknown"}"#
        );
    });
}

#[test]
fn odd_methods_of_a_session_are_bad_requests() {
    run(async {
        let node = Node::start(|_| {}).await;
        let sid = node.open().await;
        let target = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
        for method in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
            // The reference server answers an empty 500.
            let reply = node.ask(method, &target, &[], "").await;
            assert_eq!(
                (reply.status, &*reply.text()),
                (400, r#"{"code":3,"message":"Bad request"}"#),
                "{method}"
            );
        }
        assert_eq!(node.post(&sid, "40").await.line(), OK);
    });
}

#[test]
fn octet_streams_end_the_session() {
    run(async {
        let node = Node::start(|_| {}).await;
        let sid = node.open().await;
        let target = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
        let headers = [("Content-Type", "application/octet-stream")];
        assert_eq!(
            node.ask("POST", &target, &headers, "40").await.line(),
            "400 content-length=0"
        );
        // What is left is to hear of the end.
        let last = node.poll(&sid).await;
        assert!(
            last.status == 400 || last.text().ends_with('1'),
            "{}",
            last.line()
        );
    });
}

#[test]
fn nonsense_in_a_post_ends_the_session() {
    run(async {
        let node = Node::start(|_| {}).await;
        let sid = node.open().await;
        let reply = node.post(&sid, "abc").await;
        assert!(reply.line() == OK || reply.status == 400, "{}", reply.line());
        assert_eq!(
            node.poll(&sid).await.text(),
            r#"{"code":1,"message":"Session ID unknown"}"#
        );
    });
}

#[test]
fn large_answers_are_compressed_when_wanted() {
    run(async {
        let node = Node::start(|_| {}).await;
        let sid = node.open().await;
        node.post(&sid, "40").await;
        node.poll(&sid).await;
        let target = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
        for (asked, encoding) in [
            ("", None),
            ("gzip, deflate, br", Some("gzip")),
            ("deflate", Some("deflate")),
        ] {
            node.post(&sid, "42[\"flood\",4]").await;
            let reply = node.ask("GET", &target, &[("Accept-Encoding", asked)], "").await;
            assert_eq!(reply.header("content-encoding"), encoding);
            let mut text = String::new();
            match encoding {
                Some("gzip") => flate2::read::GzDecoder::new(&*reply.body)
                    .read_to_string(&mut text)
                    .unwrap(),
                Some(_) => flate2::read::ZlibDecoder::new(&*reply.body)
                    .read_to_string(&mut text)
                    .unwrap(),
                None => std::io::Cursor::new(&reply.body)
                    .read_to_string(&mut text)
                    .unwrap(),
            };
            assert!(text.starts_with("42[\"flood\",\"xxx"));
            assert!(encoding.is_none() || reply.body.len() < text.len() / 4);
        }
    });
}
