use std::{cell::Cell, time::Duration};

use router::Hits;

use super::*;

fn core() -> Fair {
    Fair::new(10, &Lanes::new(1))
}

fn quota() -> Arc<Quota> {
    Arc::new(Quota::new(Arc::new(Hits::default())))
}

/// An app all of whose calls run a slice of a millisecond, again and again, until `slices` were run by all.
async fn spin(seat: Arc<Seat>, mine: &Cell<u32>, all: &Cell<u32>, slices: u32) {
    let hold = Hold::default();
    seat.enter().await;
    while all.get() < slices {
        all.set(all.get() + 1);
        mine.set(mine.get() + 1);
        seat.spend(1_000_000, &hold, 1_000_000);
        Arc::clone(&seat).after_slice(&hold, 1_000_000).await;
    }
    hold.release();
}

#[tokio::test]
async fn an_app_with_many_calls_has_the_same_share_as_one_with_one() {
    let fair = core();
    let (many, one) = (fair.seat(&quota()), fair.seat(&quota()));
    let (of_many, of_one, all) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let crowd = (0..30).map(|_| spin(Arc::clone(&many), &of_many, &all, 600));
    let single = spin(Arc::clone(&one), &of_one, &all, 600);
    tokio::join!(futures_util::future::join_all(crowd), single);
    assert!(
        of_one.get().abs_diff(of_many.get()) <= 60,
        "{} and {} slices",
        of_one.get(),
        of_many.get()
    );
}

/// A call that begins while another app's queue is long goes before all of it, and one slice alone runs between two
/// looks at the sockets.
#[tokio::test]
async fn a_quiet_app_goes_before_a_crowd() {
    let fair = core();
    let (many, quiet) = (fair.seat(&quota()), fair.seat(&quota()));
    let (of_many, all) = (Cell::new(0), Cell::new(0));
    let crowd = futures_util::future::join_all((0..30).map(|_| spin(Arc::clone(&many), &of_many, &all, 400)));
    let mut waited = Vec::new();
    let visits = async {
        while all.get() < 390 {
            tokio::task::yield_now().await;
            let before = all.get();
            quiet.enter().await;
            waited.push(all.get() - before);
            quiet.spend(5_000, &Hold::default(), 1_000_000);
        }
    };
    tokio::join!(crowd, visits);
    assert!(waited.len() > 50, "{}", waited.len());
    assert!(waited.iter().all(|slices| *slices <= 1), "{waited:?}");
}

#[tokio::test]
async fn a_call_that_gave_up_waiting_holds_nobody_up() {
    let fair = core();
    let seat = fair.seat(&quota());
    seat.enter().await;
    let hold = Hold::default();
    seat.spend(5_000_000, &hold, 1_000_000);
    for _ in 0..10 {
        let waiting = Arc::clone(&seat).after_slice(&hold, 1_000_000);
        assert!(futures_util::FutureExt::now_or_never(waiting).is_none());
    }
    Arc::clone(&seat).after_slice(&hold, 1_000_000).await;
}

#[tokio::test(start_paused = true)]
async fn an_app_that_used_its_second_waits_until_it_is_paid_for() {
    let fair = core();
    let quota = quota();
    let seat = fair.seat(&quota);
    let start = tokio::time::Instant::now();
    seat.enter().await;
    // Three seconds' worth at ten milliseconds a second: one is the burst.
    seat.spend(30_000_000, &Hold::default(), 10);
    assert!(seat.is_starved());
    // Another core's seat is starved as well.
    assert!(core().seat(&quota).is_starved());
    seat.enter().await;
    let waited = start.elapsed();
    assert!(
        waited >= Duration::from_secs(2) && waited < Duration::from_millis(2_100),
        "{waited:?}"
    );
    assert_eq!(quota.hits().get(Limit::CpuMsPerSecond), 1);
}

/// Short calls of an app that has been alone for ten seconds do not queue, however many they are.
#[tokio::test(start_paused = true)]
async fn an_app_that_is_alone_does_not_wait_for_itself() {
    let fair = core();
    let (busy, other) = (fair.seat(&quota()), fair.seat(&quota()));
    let floods = || {
        let mut at_once = 0;
        for _ in 0..1_000 {
            if futures_util::FutureExt::now_or_never(busy.enter()).is_none() {
                return at_once;
            }
            busy.spend(5_000, &Hold::default(), 1_000_000);
            at_once += 1;
        }
        at_once
    };
    assert_eq!(floods(), 1_000);
    // The core is shared from now on: a round is 200 µs.
    other.enter().await;
    assert_eq!(floods(), 40);
    tokio::time::advance(Duration::from_secs(9)).await;
    assert!(floods() <= 40);
    tokio::time::advance(Duration::from_secs(2)).await;
    busy.enter().await;
    assert_eq!(floods(), 1_000);
}

#[test]
fn seats_are_an_apps_and_go_with_it() {
    let fair = core();
    let one = quota();
    let (seat, same) = (fair.seat(&one), fair.seat(&one));
    assert!(Arc::ptr_eq(&seat, &same));
    drop((seat, same));
    let _other = fair.seat(&quota());
    assert_eq!(fair.seats.borrow().len(), 1);
}

/// Of two cores one is kept free of long calls; the other core's app has its half all the same.
#[tokio::test]
async fn long_calls_of_two_cores_take_turns_on_one() {
    let lanes = Lanes::new(2);
    let (one, other) = (Fair::new(10, &lanes), Fair::new(10, &lanes));
    let (here, there) = (one.seat(&quota()), other.seat(&quota()));
    let (of_here, of_there, all) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let crowd = (0..5).map(|_| spin(Arc::clone(&here), &of_here, &all, 300));
    let single = spin(Arc::clone(&there), &of_there, &all, 300);
    tokio::join!(futures_util::future::join_all(crowd), single);
    assert!(
        of_here.get().abs_diff(of_there.get()) <= 30,
        "{} and {} slices",
        of_here.get(),
        of_there.get()
    );
    let (first, second) = (Hold::default(), Hold::default());
    Arc::clone(&here).after_slice(&first, 1_000).await;
    let waits = Arc::clone(&there).after_slice(&second, 1_000);
    assert!(futures_util::FutureExt::now_or_never(waits).is_none());
    first.release();
    Arc::clone(&there).after_slice(&second, 1_000).await;
}

/// What an app may use by the second is so many cores at once, at least one.
#[tokio::test]
async fn an_app_has_as_many_lanes_as_its_cpu_by_the_second() {
    let lanes = Lanes::new(8);
    let (app, cores) = (quota(), (0..4).map(|_| Fair::new(10, &lanes)).collect::<Vec<_>>());
    let seats: Vec<_> = cores.iter().map(|core| core.seat(&app)).collect();
    let holds: Vec<_> = (0..4).map(|_| Hold::default()).collect();
    let mut ran = 0;
    for (seat, hold) in seats.iter().zip(&holds) {
        let slice = Arc::clone(seat).after_slice(hold, 2_500);
        let waited = tokio::time::timeout(Duration::from_millis(50), slice).await;
        ran += u32::from(waited.is_ok());
    }
    assert_eq!(ran, 3);
}

/// What an app has had of a core that nobody else wanted is not held against it when somebody comes.
#[tokio::test]
async fn a_newcomer_is_not_ahead_of_an_app_that_has_been_busy() {
    let fair = core();
    let (old, new) = (fair.seat(&quota()), fair.seat(&quota()));
    for _ in 0..10_000 {
        old.enter().await;
        old.spend(100_000, &Hold::default(), 1_000_000);
    }
    let (of_new, all) = (Cell::new(0), Cell::new(0));
    let mut waited = 0;
    let visits = async {
        while all.get() < 200 {
            tokio::task::yield_now().await;
            let before = all.get();
            old.enter().await;
            waited += all.get() - before;
            old.spend(5_000, &Hold::default(), 1_000_000);
        }
    };
    tokio::join!(spin(Arc::clone(&new), &of_new, &all, 200), visits);
    assert!(waited < 20, "{waited}");
}
