use super::*;

fn finished(nodes: &Value) -> Result<(), Failure> {
    finish(
        "chat",
        json!({ "version": 3, "percent": 100, "url": "http://x/", "nodes": nodes }),
        true,
    )
}

#[test]
fn nodes_that_do_not_have_it_are_named_and_the_code_tells_behind_from_failed() {
    let live = json!({ "node": "a", "state": "live" });
    let behind = json!({ "node": "b", "state": "behind" });
    let failed = json!({ "node": "c", "state": "failed", "reason": "it traps:\nat chat::connect" });
    assert!(finished(&json!([live])).is_ok());
    let failure = finished(&json!([live, behind])).unwrap_err();
    assert_eq!(failure.kind, Kind::Later);
    assert_eq!(
        failure.message,
        "version 3 of chat is not live on 1 of 2 nodes\n  b: behind"
    );
    let failure = finished(&json!([live, behind, failed])).unwrap_err();
    assert_eq!(failure.kind, Kind::App);
    assert!(
        failure
            .message
            .ends_with("\n  c: failed: it traps:\n    at chat::connect")
    );
    // Scripts get the host's answer, and the error with it.
    let json = failure.json();
    assert_eq!(
        (&json["version"], &json["error"]["code"]),
        (&json!(3), &json!("app"))
    );
}
