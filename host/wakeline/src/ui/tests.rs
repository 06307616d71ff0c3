use super::*;

#[test]
fn times_are_read_as_calendars_have_them() {
    let check = |at_ms, expected: &str| assert_eq!(time(at_ms), expected);
    check(0, "1970-01-01T00:00:00.000Z");
    check(951_782_400_000, "2000-02-29T00:00:00.000Z");
    check(1_709_251_199_999, "2024-02-29T23:59:59.999Z");
    check(1_798_761_600_000, "2027-01-01T00:00:00.000Z");
}

#[test]
fn a_guest_cannot_move_the_cursor() {
    assert_eq!(printable("a\x1b[2J\tb"), "a\u{fffd}[2J\tb");
}
