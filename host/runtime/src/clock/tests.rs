use super::Ticker;

/// Waits until `done`; the clock is real, its thread is what is tested.
fn until(done: impl Fn() -> bool) {
    while !done() {
        std::thread::yield_now();
    }
}

#[test]
fn ticks_while_calls_run_and_sleeps_when_none_do() {
    let ticker = Ticker::start(wasmtime::Engine::default()).unwrap();
    let clock = ticker.clock();
    for _ in 0..3 {
        until(|| clock.asleep.load(super::SeqCst));
        let before = clock.ticks.load(super::Relaxed);
        clock.wake();
        until(|| clock.ticks.load(super::Relaxed) > before + 2);
    }
}
