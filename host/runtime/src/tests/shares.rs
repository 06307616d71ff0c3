//! What apps may use by the second, and how they share a core and a pool that are full.
use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use router::{Failure, Limit};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{LocalSet, spawn_local},
};

use super::harness::{App, World};
use crate::{Fair, Lanes, Limits};

/// A guard against hanging.
const PATIENCE: Duration = Duration::from_mins(2);

fn limit(failure: &Failure, expected: &str) {
    assert!(
        matches!(failure, Failure::Limit(text) if text.contains(expected)),
        "{failure}"
    );
}

#[tokio::test]
async fn cpu_of_a_second_is_limited_and_calls_beyond_wait() {
    let limits = Limits {
        cpu_ms_per_call: 60,
        cpu_ms_per_second: 50,
        ..Limits::default()
    };
    let app = App::hostile(limits).await;
    assert_eq!(app.say("count", &[]).await, "1");
    limit(&app.fail("loop", &[]).await, "cpu_ms_per_call = 60");
    limit(&app.fail("loop", &[]).await, "cpu_ms_per_call = 60");
    assert_eq!(app.say("count", &[]).await, "1", "it waited, and was served");
    assert!(app.hits(Limit::CpuMsPerSecond) >= 1);
    assert_eq!(app.hits(Limit::CpuMsPerCall), 2);
}

/// Calls that are shorter than the engine's tick count as well: nobody lives between two ticks for nothing.
#[tokio::test]
async fn floods_of_short_calls_count() {
    let limits = Limits {
        cpu_ms_per_second: 1,
        wall_ms_per_call: 200,
        ..Limits::default()
    };
    let app = App::hostile(limits).await;
    let end = Instant::now() + PATIENCE;
    let failure = loop {
        assert!(Instant::now() < end, "never ended");
        let called = app
            .worker
            .call(&mut super::harness::event_call("count", &[], None))
            .await;
        // A busy machine may take the whole of `wall_ms_per_call` for a call that waits for nothing.
        match called {
            Err(failure) if failure.to_string().contains("cpu_ms_per_second") => break failure,
            Ok(_) | Err(_) => {}
        }
    };
    limit(&failure, "cpu_ms_per_second = 1");
    limit(&failure, "wall_ms_per_call = 200");
    assert!(app.hits(Limit::CpuMsPerSecond) >= 1);
}

#[tokio::test]
async fn log_lines_of_a_second_are_limited() {
    let app = App::hostile(Limits {
        log_lines_per_second: 10,
        ..Limits::default()
    })
    .await;
    let begin = Instant::now();
    for _ in 0..10 {
        app.say("log-some", &["3"]).await;
    }
    // A second's worth at once, ten more with each second that this took, and words on those that were dropped.
    let lines = app.world.lines.lock().len();
    let later = 1 + begin.elapsed().as_millis() as usize / 50;
    assert!(lines >= 10 && lines < 14 + later, "{lines}, {later} later");
    assert!(app.hits(Limit::LogLinesPerSecond) as usize + later >= 16);
    let end = Instant::now() + PATIENCE;
    while !app
        .world
        .log()
        .contains("lines of the app were dropped (log_lines_per_second = 10)")
    {
        assert!(Instant::now() < end);
        app.say("log-some", &["1"]).await;
    }
}

#[tokio::test]
async fn requests_of_a_second_are_limited() {
    let limits = Limits {
        http_requests_per_second: 2,
        ..Limits::default()
    };
    let world = World {
        // Nobody listens there: what counts is the try.
        http: vec!["127.0.0.1:1".to_owned()],
        ..World::default()
    };
    let app = App::new("hostile", world, limits).await;
    // Two at once, and another with each half of a second that this takes.
    let mut sent = 0;
    let refused = loop {
        match app.say("http", &["127.0.0.1:1", "/"]).await {
            said if said == "ErrorCode::DestinationIpProhibited" => sent += 1,
            said => break said,
        }
    };
    assert_eq!(refused, "ErrorCode::ConnectionLimitReached");
    assert!(sent >= 2, "{sent}");
    assert!(
        app.world.log().contains("refused: http_requests_per_second = 2"),
        "{}",
        app.world.log()
    );
    assert_eq!(app.hits(Limit::HttpRequestsPerSecond), 1);
}

#[tokio::test]
async fn an_emit_to_more_than_it_may_reach_is_refused() {
    let world = World {
        members: 600,
        ..World::default()
    };
    let limits = Limits {
        fan_out_per_call: 500,
        ..Limits::default()
    };
    let app = App::new("hostile", world, limits).await;
    let failure = app.fail("emit-everyone", &[]).await;
    assert!(
        matches!(&failure, Failure::Returned(text) if text == "limit exceeded: fan_out_per_call = 500"),
        "{failure}"
    );
    assert_eq!(app.hits(Limit::FanOutPerCall), 1);
    assert_eq!(
        app.say("count", &[]).await,
        "2",
        "replies to the own socket reach one"
    );
}

#[tokio::test]
async fn a_socket_joins_no_more_rooms_than_it_may() {
    let limits = Limits {
        rooms_per_socket: 4,
        ..Limits::default()
    };
    let app = App::hostile(limits).await;
    // It is in the lounge already.
    assert_eq!(app.say("join-many", &["3"]).await, "");
    let said = app.say("join-many", &["4"]).await;
    assert_eq!(
        said,
        "handler returned an error: limit exceeded: rooms_per_socket = 4"
    );
    assert_eq!(app.hits(Limit::RoomsPerSocket), 1);
}

/// Thirty calls of one app spin. From the time when another app's event can be read to its answer at most one of their
/// slices is run: counted, by a peer on the same thread, so that nothing but turns is measured.
#[tokio::test]
async fn between_an_event_and_its_answer_runs_one_slice_of_others() {
    LocalSet::new().run_until(race_a_crowd()).await;
}

async fn race_a_crowd() {
    let fair = Fair::new(100, &Lanes::new(1));
    let limits = Limits {
        cpu_ms_per_call: 30,
        ..Limits::default()
    };
    let hostile = Rc::new(App::beside(&fair, limits).await);
    let victim = App::beside(&fair, Limits::default()).await;
    victim.say("count", &[]).await;
    let (mut peer, mut socket) = tcp_pair().await;
    spawn_local(async move {
        while socket.read_u8().await.is_ok() {
            victim.say("count", &[]).await;
            socket.write_u8(0).await.unwrap();
        }
    });
    let crowd = (0..30).map(|_| {
        let hostile = Rc::clone(&hostile);
        spawn_local(async move { hostile.fail("loop", &[]).await })
    });
    let crowd = spawn_local(join_all(crowd));
    let mut ran = Vec::new();
    while !crowd.is_finished() {
        let before = fair.slices();
        peer.write_u8(0).await.unwrap();
        peer.read_u8().await.unwrap();
        ran.push(fair.slices() - before);
        // A person, not a flood: the crowd has the core between.
        while fair.slices() < before + 3 && !crowd.is_finished() {
            tokio::task::yield_now().await;
        }
    }
    let total = fair.slices();
    println!(
        "{} round trips beside {total} slices of thirty calls that spin",
        ran.len()
    );
    assert!(ran.len() > 200, "{}", ran.len());
    // A machine that takes the processor away from the short call in its midst makes it long.
    let late = ran.iter().filter(|slices| **slices > 1).count();
    assert!(late * 20 <= ran.len(), "{late} of {}: {ran:?}", ran.len());
}

async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (peer, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    (peer.unwrap(), accepted.unwrap().0)
}

#[tokio::test]
async fn a_full_pool_gives_up_idle_instances_before_calls_wait() {
    let fair = Fair::new(8, &Lanes::new(1));
    let (big, small) = (
        App::beside(&fair, Limits::default()).await,
        App::beside(&fair, Limits::default()).await,
    );
    let calls = join_all((0..8).map(|_| big.say("sleep", &["50"])));
    assert!(calls.await.iter().all(|said| said == "woke"));
    // The last quarter of a pool is not for who holds more than half.
    assert_eq!(big.worker.stats().idle, 6);
    let calls = join_all((0..8).map(|_| small.say("sleep", &["50"])));
    assert!(calls.await.iter().all(|said| said == "woke"));
    let (big, small) = (big.worker.stats(), small.worker.stats());
    assert!(small.idle >= 4, "{big:?} {small:?}");
    assert!(big.instances + small.instances <= 8, "{big:?} {small:?}");
}

#[tokio::test]
async fn whoever_waits_for_an_instance_is_told_when_none_comes() {
    let fair = Fair::new(1, &Lanes::new(1));
    let limits = Limits {
        wall_ms_per_call: 50,
        ..Limits::default()
    };
    let (one, other) = (
        App::beside(&fair, Limits::default()).await,
        App::beside(&fair, limits).await,
    );
    let holds = async { one.say("sleep", &["400"]).await };
    let waits = async {
        tokio::task::yield_now().await;
        other.fail("count", &[]).await
    };
    let (held, failure) = tokio::join!(holds, waits);
    assert_eq!(held, "woke");
    assert!(matches!(failure, Failure::Unavailable(_)), "{failure}");
    assert_eq!(other.hits(Limit::Instances), 1);
    assert_eq!(other.say("count", &[]).await, "1", "the one that was idle went");
}
