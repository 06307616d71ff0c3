use super::*;

#[test]
fn the_event_that_renews_is_known_by_its_whole_name() {
    let event = |inner: &'static str| EventData::from_inner(Bytes::from(inner), Vec::new());
    assert!(is_refresh(&event(r#""wakeline:auth","token""#)));
    assert!(is_refresh(&event(r#""wakeline:auth""#)));
    for other in [r#""wakeline:authors","x""#, r#""say","wakeline:auth""#, "7", ""] {
        assert!(!is_refresh(&event(other)), "{other}");
    }
}
