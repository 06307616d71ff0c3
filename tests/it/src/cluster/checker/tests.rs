use serde_json::{Value, json};

use super::Verdict;

/// Two clients of one room; `heard` is what each heard in its one life, recovered once.
fn history(said: &Value, heard: [Value; 2]) -> Value {
    let mut clients = Vec::new();
    for (number, heard) in heard.into_iter().enumerate() {
        let sid = format!("s{number}");
        clients.push(json!({
            "number": number,
            "rooms": ["r"],
            "lives": [{ "sids": [sid, sid], "claimed": false, "joined": 10.0, "heard": heard }],
            "away": [{ "from": 20.0, "back": 30.0, "reason": "transport close" }],
            "orphans": 0,
            "whoami": { "sid": sid, "rooms": [sid, "r"], "state": number },
        }));
    }
    json!({ "said": said, "clients": clients, "marks": { "r": "z" }, "errors": {} })
}

fn said() -> Value {
    json!([
        { "id": "early", "room": "r", "at": 1.0, "outcome": "accepted" },
        { "id": "a", "room": "r", "at": 11.0, "outcome": "accepted" },
        { "id": "b", "room": "r", "at": 12.0, "outcome": "unknown" },
        { "id": "z", "room": "r", "at": 40.0, "outcome": "accepted" },
    ])
}

fn judge(history: Value) -> [u64; 4] {
    let verdict = Verdict::of(&serde_json::from_value(history).unwrap());
    let counts = [
        verdict.duplicated,
        verdict.reordered,
        verdict.lost,
        verdict.falsely_recovered,
    ];
    assert_eq!(verdict.is_flawless(), counts == [0; 4]);
    assert_eq!(verdict.findings.is_empty(), verdict.is_flawless());
    counts
}

/// All that was said, at offsets 1 to 3.
fn whole() -> Value {
    json!([["a", "1-1"], ["b", "1-2"], ["z", "1-a"]])
}

#[test]
fn a_whole_history_is_flawless() {
    assert_eq!(judge(history(&said(), [whole(), whole()])), [0; 4]);
    // What was said before it joined may be heard or not.
    let more = json!([["early", "1-0"], ["a", "1-1"], ["b", "1-2"], ["z", "1-a"]]);
    assert_eq!(judge(history(&said(), [whole(), more])), [0; 4]);
    // What was never acked may be nobody's.
    let less = json!([["a", "1-1"], ["z", "1-a"]]);
    assert_eq!(judge(history(&said(), [less.clone(), less])), [0; 4]);
}

#[test]
fn what_one_heard_and_another_did_not_is_lost() {
    let less = json!([["a", "1-1"], ["z", "1-a"]]);
    assert_eq!(judge(history(&said(), [whole(), less])), [0, 0, 1, 1]);
    let short = json!([["a", "1-1"]]);
    assert_eq!(judge(history(&said(), [whole(), short])), [0, 0, 2, 1]);
}

#[test]
fn what_was_accepted_and_nobody_heard_is_lost_for_each() {
    let less = json!([["b", "1-2"], ["z", "1-a"]]);
    assert_eq!(judge(history(&said(), [less.clone(), less])), [0, 0, 2, 2]);
}

#[test]
fn what_was_said_early_is_due_once_something_older_was_heard() {
    let mut said = said();
    said[0]["at"] = json!(9.0);
    let more = json!([["a", "1-1"], ["early", "1-2"], ["b", "1-3"], ["z", "1-a"]]);
    let less = json!([["a", "1-1"], ["b", "1-3"], ["z", "1-a"]]);
    assert_eq!(judge(history(&said, [more, less])), [0, 0, 1, 1]);
}

#[test]
fn repetitions_and_disorder_are_counted() {
    let twice = json!([["a", "1-1"], ["b", "1-2"], ["a", "1-1"], ["z", "1-a"]]);
    assert_eq!(judge(history(&said(), [whole(), twice])), [1, 0, 0, 0]);
    let mixed = json!([["b", "1-2"], ["a", "1-1"], ["z", "1-a"]]);
    assert_eq!(judge(history(&said(), [whole(), mixed])), [0, 1, 0, 0]);
    let elsewhere = json!([["a", "1-1"], ["b", "1-3"], ["z", "1-a"]]);
    assert_eq!(judge(history(&said(), [whole(), elsewhere])), [0, 1, 0, 0]);
    let stray = json!([["a", "1-1"], ["b", "1-2"], ["never said", "1-3"], ["z", "1-a"]]);
    assert_eq!(judge(history(&said(), [whole(), stray])), [0, 1, 0, 0]);
}

#[test]
fn a_life_that_was_given_up_is_whole_up_to_its_end() {
    let mut given_up = history(&said(), [whole(), json!([["a", "1-1"]])]);
    let fresh = json!({ "sids": ["n"], "claimed": false, "joined": 35.0, "heard": [["z", "1-a"]] });
    let client = &mut given_up["clients"][1];
    client["lives"].as_array_mut().unwrap().push(fresh);
    client["whoami"] = json!({ "sid": "n", "rooms": ["n", "r"], "state": 1 });
    assert_eq!(judge(given_up.clone()), [0; 4]);
    given_up["clients"][1]["lives"][0]["heard"] = json!([["b", "1-2"]]);
    assert_eq!(judge(given_up), [0, 0, 1, 1]);
}

#[test]
fn another_id_state_or_room_is_no_recovery() {
    let sound = history(&said(), [whole(), whole()]);
    for (path, value) in [
        ("/clients/0/lives/0/sids/1", json!("other")),
        ("/clients/0/lives/0/claimed", json!(true)),
        ("/clients/0/whoami/state", json!(null)),
        ("/clients/0/whoami/rooms", json!(["s0"])),
    ] {
        let mut broken = sound.clone();
        *broken.pointer_mut(path).unwrap() = value;
        assert_eq!(judge(broken), [0, 0, 0, 1], "{path}");
    }
}
