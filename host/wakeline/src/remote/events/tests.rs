use std::io::Cursor;

use serde_json::json;

use super::*;

fn read(text: &'static str) -> (Vec<Event>, String) {
    let mut events = Events::new(Cursor::new(text));
    let mut found = Vec::new();
    loop {
        match events.next() {
            Ok(event) => found.push(event),
            Err(Ended::Whole) => return (found, "whole".to_owned()),
            Err(Ended::Broken(why)) => return (found, why),
        }
    }
}

#[test]
fn events_come_one_by_one_and_comments_are_nothing() {
    let (found, end) =
        read(": hello\n\nevent: log\ndata: {\"n\":1}\n\n:\r\ndata:{\"n\":\r\ndata: 2}\r\n\r\n");
    let event = |name: &str, n: u32| Event {
        name: name.to_owned(),
        data: json!({ "n": n }),
    };
    assert_eq!(found, [event("log", 1), event("", 2)]);
    assert_eq!(end, "whole");
}

#[test]
fn a_stream_that_breaks_is_told_from_one_that_ends() {
    assert_eq!(read("data: {\"n\":1").1, "it ended within a line");
    assert!(
        read("data: <html>\n\n")
            .1
            .starts_with("an event is not as expected")
    );
}
