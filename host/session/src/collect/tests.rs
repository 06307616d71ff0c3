use bytes::Bytes;

use super::*;

fn node(incarnation: u64) -> Node {
    Node {
        incarnation,
        name: format!("node-{incarnation}"),
        address: String::new(),
        apps: std::collections::BTreeMap::new(),
        catalogue: None,
        failed: std::collections::BTreeMap::new(),
        draining: false,
        gone: false,
    }
}

/// From the first of two cores, so that more is waited for.
fn report(request: u64, id: &str, attachment: usize) -> Report {
    let answer = Answer {
        inner: Bytes::from_static(br#"{"_placeholder":true,"num":0}"#),
        attachments: vec![vec![0; attachment].into()],
    };
    Report {
        request,
        incarnation: 2,
        cores: usize::MAX,
        answers: vec![(id.into(), answer)],
        missing: Vec::new(),
    }
}

#[test]
fn attachments_count_for_what_answers_may_hold() {
    let mut state = State::default();
    let request = state.expect_reports(
        SocketKey::default(),
        "token".into(),
        node(1),
        &[Arc::new(node(2))],
    );
    let half = ANSWERS_BYTES_MAX / 2;
    for (id, bytes) in [("a", half), ("b", half), ("c", 1)] {
        state.collect(report(request, id, bytes));
    }
    let found = &state.collecting[&request].found;
    let answered: Vec<_> = found.answers.iter().map(|(id, _)| &**id).collect();
    assert_eq!(answered, ["a", "c"], "what is small still has room");
    assert_eq!(found.missing, [Arc::from("b")]);
}
