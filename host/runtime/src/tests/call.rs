use std::sync::Arc;

use bytes::Bytes;
use router::{AckOutcome, AckToken, Call, CallKind, Collected, DisconnectReason, Effect, Failure, Handshake};
use socketio::EventData;

use super::harness::{App, event_call, replies, socket_call};
use crate::Limits;

#[tokio::test]
async fn answers_with_what_it_was_given() {
    let app = App::hostile(Limits::default()).await;
    let data = EventData::event(
        "echo",
        r#"[1,{"_placeholder":true,"num":0},"ü"]"#,
        vec![Bytes::from_static(b"\0\xff")],
    )
    .unwrap();
    let mut call = socket_call(CallKind::Event {
        data,
        ack: Some(AckToken(9)),
    });
    let effects = app.worker.call(&mut call).await.unwrap();
    let [Effect::Ack { token, data }] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert_eq!(*token, AckToken(9));
    assert_eq!(data.array(), r#"[1,{"_placeholder":true,"num":0},"ü"]"#);
    assert_eq!(data.attachments(), [Bytes::from_static(b"\0\xff")]);
}

#[tokio::test]
async fn every_effect_in_order() {
    let app = App::hostile(Limits::default()).await;
    let effects = app
        .worker
        .call(&mut event_call("all-effects", &[], None))
        .await
        .unwrap();
    let names: Vec<_> = effects
        .iter()
        .map(|effect| match effect {
            Effect::Emit { volatile, target, .. } => {
                format!("emit {volatile} {:?} {:?}", target.rooms, target.except)
            }
            Effect::EmitWithAck {
                socket,
                token,
                timeout_ms,
                ..
            } => format!("ask {socket} {token} {timeout_ms}"),
            Effect::EmitWithAcks {
                target,
                token,
                timeout_ms,
                ..
            } => format!("ask {:?} {token} {timeout_ms}", target.rooms),
            Effect::Ack { .. } => "ack".to_owned(),
            Effect::Join { rooms, .. } => format!("join {rooms:?}"),
            Effect::Leave { rooms, .. } => format!("leave {rooms:?}"),
            Effect::SetState(state) => format!("state {state:?}"),
            Effect::StateVersion(_) => "never the guest's to say".to_owned(),
            Effect::Disconnect { close, .. } => format!("disconnect {close}"),
        })
        .collect();
    let expected = [
        r#"join ["lobby"]"#,
        r#"emit true ["lobby"] ["s1"]"#,
        r#"leave ["lobby"]"#,
        r#"state b"s""#,
        "ask s1 t 7",
        r#"ask ["lobby"] all 8"#,
        "disconnect true",
    ];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn a_client_joins_or_is_refused() {
    let app = App::hostile(Limits::default()).await;
    let mut handshake = Handshake {
        query: [("a".into(), "b".into())].into(),
        headers: [("cookie".into(), "c".into())].into(),
        remote_address: "10.0.0.1".into(),
        claims: Some("{}".into()),
        ..Handshake::default()
    };
    let effects = app
        .worker
        .call(&mut socket_call(CallKind::Connect(handshake.clone())))
        .await
        .unwrap();
    assert_eq!(
        replies(&effects),
        "/ 10.0.0.1 [('a', 'b')] [('cookie', 'c')] Some('{}')"
    );

    handshake.auth = Some(r#"{"token":"none"}"#.into());
    let failure = app
        .worker
        .call(&mut socket_call(CallKind::Connect(handshake.clone())))
        .await
        .unwrap_err();
    assert!(matches!(&failure, Failure::Refused(why) if why.message == "who are you" && why.data.is_none()));

    handshake.auth = Some("[1]".into());
    let failure = app
        .worker
        .call(&mut socket_call(CallKind::Connect(handshake.clone())))
        .await
        .unwrap_err();
    assert!(matches!(&failure, Failure::Refused(why) if why.data.as_deref() == Some("[1]")));

    handshake.auth = Some("not json".into());
    let failure = app
        .worker
        .call(&mut socket_call(CallKind::Connect(handshake)))
        .await
        .unwrap_err();
    assert!(
        matches!(&failure, Failure::Returned(text) if text.contains("JSON")),
        "{failure}"
    );
    assert_eq!(
        app.worker.stats().instances,
        1,
        "a refusal does not spend the instance"
    );
}

#[tokio::test]
async fn leaving_answers_and_timers_reach_their_handlers() {
    let app = App::hostile(Limits::default()).await;
    let call = async |kind| replies(&app.worker.call(&mut socket_call(kind)).await.unwrap());
    let reason = DisconnectReason::RecoveryExpired;
    assert_eq!(
        call(CallKind::Disconnect(reason)).await,
        "DisconnectReason::RecoveryExpired"
    );
    let token: Arc<str> = "mine".into();
    let answer = AckOutcome::Answered(EventData::args(r#"["yes"]"#, vec![]).unwrap());
    assert_eq!(
        call(CallKind::Ack {
            token: Arc::clone(&token),
            outcome: answer
        })
        .await,
        "mine ['yes']"
    );
    assert_eq!(
        call(CallKind::Ack {
            token,
            outcome: AckOutcome::TimedOut
        })
        .await,
        "mine timed out"
    );
    let answer = EventData::args(r#"["yes"]"#, Vec::new()).unwrap();
    let found = Collected {
        answers: vec![("a".into(), answer.clone()), ("b".into(), answer)],
        missing: vec!["c".into()],
        partial: vec!["one".into(), "two".into()],
    };
    let token: Arc<str> = "all".into();
    let outcome = AckOutcome::Collected(found);
    assert_eq!(
        call(CallKind::Ack { token, outcome }).await,
        "all 2 of 3, one two"
    );

    let kind = CallKind::Timer {
        name: "t".into(),
        id: "7".into(),
        payload: Bytes::from_static(b"p"),
    };
    let effects = app
        .worker
        .call(&mut Call {
            socket: None,
            kind,
            trace: None,
        })
        .await
        .unwrap();
    assert_eq!(replies(&effects), "t 7 p");
}

#[tokio::test]
async fn every_call_of_a_socket_names_its_namespace() {
    let app = App::hostile(Limits::default()).await;
    let event = EventData::event("count", "[]", Vec::new()).unwrap();
    let kinds = [
        CallKind::Connect(Handshake::default()),
        CallKind::Event {
            data: event,
            ack: None,
        },
        CallKind::Ack {
            token: "t".into(),
            outcome: AckOutcome::TimedOut,
        },
        CallKind::Disconnect(DisconnectReason::Client),
    ];
    for kind in kinds {
        let mut call = socket_call(kind);
        call.socket.as_mut().unwrap().namespace = "/admin".into();
        let effects = app.worker.call(&mut call).await.unwrap();
        let [Effect::Emit { target, .. }] = effects.as_slice() else {
            panic!("{effects:?}")
        };
        assert_eq!(&*target.namespace, "/admin");
    }
}

#[tokio::test]
async fn an_error_undoes_the_call_and_keeps_the_instance() {
    let app = App::hostile(Limits::default()).await;
    assert_eq!(
        app.say("fail", &[]).await,
        "handler returned an error: on purpose"
    );
    assert_eq!(app.say("count", &[]).await, "2");
}

#[tokio::test]
async fn own_rooms_and_state_show_what_the_call_did() {
    let app = App::hostile(Limits::default()).await;
    assert_eq!(app.say("rooms", &[]).await, "s1 lounge b");
    assert_eq!(app.say("state", &["new"]).await, "old new");
    assert_eq!(
        app.say("state", &["newer"]).await,
        "old newer",
        "the next call has its own view"
    );
    assert_eq!(
        app.say("others-rooms", &[]).await,
        "handler returned an error: not found"
    );
    let text = app.say("big-state", &[]).await;
    assert!(text.contains("state is 20000 bytes; at most 16384"), "{text}");
}

#[tokio::test]
async fn a_token_names_the_event_of_its_call_alone() {
    let app = App::hostile(Limits::default()).await;
    let mut tokens = Vec::new();
    for number in [7, 7, 8] {
        let mut call = event_call("token", &[], Some(number));
        let effects = app.worker.call(&mut call).await.unwrap();
        tokens.push(replies(&effects));
    }
    // Not even of the same number of the same socket: a guest that kept one answers nothing with it.
    let last: u32 = tokens.last().unwrap().parse().unwrap();
    assert_eq!(tokens.iter().collect::<std::collections::BTreeSet<_>>().len(), 3);
    for old in tokens.into_iter().chain([(last + 2).to_string()]) {
        let mut call = event_call("ack-as", &[&old], Some(8));
        let refused = app.worker.call(&mut call).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "handler returned an error: not found",
            "{old}"
        );
    }
    let mut unasked = event_call("ack-as", &[&last.to_string()], None);
    let refused = app.worker.call(&mut unasked).await.unwrap_err();
    assert_eq!(refused.to_string(), "handler returned an error: not found");
    let twice = app
        .worker
        .call(&mut event_call("ack-twice", &[], Some(7)))
        .await
        .unwrap_err();
    assert!(twice.to_string().contains("answered already"), "{twice}");
}

#[tokio::test]
async fn malformed_effects_are_refused_with_the_reason() {
    let app = App::hostile(Limits::default()).await;
    let text = app.say("emit-raw", &["x"]).await;
    assert!(text.contains("args must be a JSON array"), "{text}");
    let text = app.say("emit-raw", &["disconnect"]).await;
    assert!(text.contains("invalid"), "{text}");
    for name in ["emit-with-ack", "emit-with-acks"] {
        let text = app.say(name, &[&"x".repeat(257)]).await;
        assert!(text.contains("longer than 256 bytes"), "{text}");
    }
}

#[tokio::test]
async fn optional_handlers_that_are_missing_are_named() {
    let app = App::new("plain", super::harness::World::default(), Limits::default()).await;
    assert_eq!(
        super::harness::component("plain").await.exports(),
        crate::Exports {
            acks: false,
            timers: false,
            push: false,
            migrate: false,
        }
    );
    let text = app.say("set-timer", &[]).await;
    assert!(
        text.contains("does not export wakeline:app/timers-handler@0.1.0"),
        "{text}"
    );
    let text = app.say("emit-with-ack", &[]).await;
    assert!(
        text.contains("does not export wakeline:app/acks-handler@0.1.0"),
        "{text}"
    );
    let kind = CallKind::Ack {
        token: "t".into(),
        outcome: AckOutcome::TimedOut,
    };
    let failure = app.worker.call(&mut socket_call(kind)).await.unwrap_err();
    assert!(failure.to_string().contains("acks-handler"), "{failure}");
    let failure = app.worker.call(&mut push("news", "")).await.unwrap_err();
    assert!(failure.to_string().contains("push-handler"), "{failure}");
    // A state that nobody migrates stays as it is.
    assert!(app.worker.call(&mut migrate("old")).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_backend_pushes_to_no_socket() {
    let app = App::hostile(Limits::default()).await;
    let effects = app.worker.call(&mut push("news", "rain")).await.unwrap();
    assert_eq!(replies(&effects), "news rain");
    let failure = app.worker.call(&mut push("fail", "")).await.unwrap_err();
    assert!(
        matches!(&failure, Failure::Returned(text) if text == "not today"),
        "{failure}"
    );
    let failure = app.worker.call(&mut push("panic", "")).await.unwrap_err();
    assert!(
        matches!(&failure, Failure::Trapped(text) if text.contains("pushed too far")),
        "{failure}"
    );
    let failure = app.worker.call(&mut push("spin", "")).await.unwrap_err();
    assert!(
        matches!(&failure, Failure::Limit(text) if text.contains("cpu_ms_per_call")),
        "{failure}"
    );
}

#[tokio::test]
async fn what_a_migration_answers_becomes_the_state() {
    let app = App::hostile(Limits::default()).await;
    let effects = app.worker.call(&mut migrate("old")).await.unwrap();
    assert_eq!(replies(&effects), "migrating");
    assert!(
        matches!(effects.last(), Some(Effect::SetState(state)) if state == "old of 3"),
        "{effects:?}"
    );
    assert!(app.worker.call(&mut migrate("")).await.unwrap().is_empty());
    let failure = app.worker.call(&mut migrate("fail")).await.unwrap_err();
    assert_eq!(failure.to_string(), "handler returned an error: too old");
    let failure = app.worker.call(&mut migrate("panic")).await.unwrap_err();
    assert!(matches!(failure, Failure::Trapped(_)), "{failure}");
    let failure = app.worker.call(&mut migrate("big")).await.unwrap_err();
    assert!(
        failure
            .to_string()
            .contains("state is 20000 bytes; at most 16384"),
        "{failure}"
    );
}

fn push(topic: &str, payload: &str) -> Call {
    let kind = CallKind::Push {
        topic: topic.to_owned(),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
    };
    Call {
        socket: None,
        kind,
        trace: None,
    }
}

fn migrate(state: &str) -> Call {
    let state = Bytes::copy_from_slice(state.as_bytes());
    let mut call = socket_call(CallKind::Migrate {
        state: state.clone(),
        from_version: 3,
    });
    if let Some(socket) = &mut call.socket {
        socket.state = state;
    }
    call
}
