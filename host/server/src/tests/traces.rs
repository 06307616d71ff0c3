use http::{HeaderMap, HeaderValue};
use router::{Call, CallKind, Trace};

use crate::traces;

const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn call(trace: Option<Trace>) -> Call {
    let kind = CallKind::Push {
        topic: "t".to_owned(),
        payload: bytes::Bytes::new(),
    };
    Call {
        socket: None,
        kind,
        trace,
    }
}

#[test]
fn a_call_is_a_span_of_what_caused_it_and_of_nothing_without_that() {
    let mut untraced = call(None);
    assert!(traces::begin(&mut untraced, "chat", "push").is_none());
    assert_eq!(untraced.trace, None);

    let given = Trace::parse(GIVEN).unwrap();
    let mut traced = call(Some(given));
    assert!(traces::begin(&mut traced, "chat", "push").is_some());
    let own = traced.trace.unwrap();
    assert_eq!((own.id, own.sampled), (given.id, true));
    assert_ne!(own.span, given.span);
}

#[test]
fn new_traces_are_well_formed_and_differ() {
    let mut seen = std::collections::HashSet::new();
    for _ in 0..10_000 {
        let trace = traces::child(None);
        assert_eq!(Trace::parse(&trace.to_string()), Some(trace));
        assert!(seen.insert(trace.id_text()) && seen.insert(trace.span_text()));
    }
}

#[test]
fn one_header_is_believed_and_two_are_not() {
    let mut headers = HeaderMap::new();
    assert_eq!(traces::given(&headers), None);
    headers.append("traceparent", HeaderValue::from_static(GIVEN));
    assert_eq!(traces::given(&headers), Trace::parse(GIVEN));
    headers.append("traceparent", HeaderValue::from_static(GIVEN));
    assert_eq!(traces::given(&headers), None);
}
