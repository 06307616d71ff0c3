use super::Trace;

const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn what_is_read_is_written() {
    let trace = Trace::parse(GIVEN).unwrap();
    assert_eq!(trace.to_string(), GIVEN);
    assert!(trace.sampled);
    assert_eq!(trace.id_text(), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(trace.span_text(), "00f067aa0ba902b7");
    // Flags that we do not know are not passed on.
    let other = Trace::parse(&GIVEN.replace("-01", "-fe")).unwrap();
    assert!(other.to_string().ends_with("-00"));
}

#[test]
fn a_later_version_may_have_more() {
    let later = format!("01{}-more-of-it", GIVEN.strip_prefix("00").unwrap());
    assert_eq!(Trace::parse(&later), Trace::parse(GIVEN));
}

#[test]
fn what_is_malformed_is_as_good_as_absent() {
    let zero_id = GIVEN.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32));
    let zero_span = GIVEN.replace("00f067aa0ba902b7", &"0".repeat(16));
    let forbidden = GIVEN.replacen("00", "ff", 1);
    let more = format!("{GIVEN}-more");
    for text in [
        "",
        "-",
        "00",
        &GIVEN.to_ascii_uppercase(),
        &zero_id,
        &zero_span,
        &forbidden,
        &more,
        &GIVEN.replace('b', "é"),
        &GIVEN.replace("-01", "-1"),
        &format!(" {GIVEN}"),
    ] {
        assert_eq!(Trace::parse(text), None, "{text:?}");
    }
}
