use super::*;

#[test]
fn times_are_numbers_with_a_unit() {
    let check = |text, expected: Option<u64>| assert_eq!(seconds(text).ok(), expected, "{text}");
    check("90s", Some(90));
    check("15m", Some(900));
    check("12h", Some(43_200));
    check("30d", Some(2_592_000));
    for wrong in [
        "",
        "d",
        "30",
        "0d",
        "-1d",
        "1.5h",
        "30 d",
        "1ä",
        "99999999999999999999d",
        "400000000000000000d",
    ] {
        check(wrong, None);
    }
}
