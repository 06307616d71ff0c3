use super::*;

#[test]
fn asks_then_gives_up() {
    let (start, second) = (Instant::now(), Duration::from_secs(1));
    let mut link = PlainLink::new(second * 25, start);
    assert_eq!(
        link.handle_timeout(second * 20, start + second * 24),
        Tick::Nothing
    );
    assert_eq!(link.handle_timeout(second * 20, start + second * 25), Tick::Ping);
    link.handle_life(second * 25, start + second * 30);
    assert_eq!(link.timeout(), (start + second * 55).into());
    assert_eq!(link.handle_timeout(second * 20, start + second * 55), Tick::Ping);
    assert_eq!(link.handle_timeout(second * 20, start + second * 75), Tick::Dead);
}
