use super::*;

#[test]
fn a_part_is_one_segment_whatever_is_in_it() {
    let check = |parts: &[&str], expected| assert_eq!(Path::new(parts).0, expected);
    check(&["apps", "chat", "versions"], "/v1/apps/chat/versions");
    check(&["apps", "../nodes"], "/v1/apps/..%2Fnodes");
    check(&["apps", ".."], "/v1/apps/%2E%2E");
    check(&["apps", "a b?c#d%"], "/v1/apps/a%20b%3Fc%23d%25");
    check(&["apps", "ä"], "/v1/apps/%C3%A4");
    assert_eq!(
        Path::new(&["apps"]).query("a", "1&b=2").query("c", "").0,
        "/v1/apps?a=1%26b%3D2&c="
    );
    assert_eq!(Path::new(&["apps", "chat", "logs"]).app(), Some("chat"));
    assert_eq!(Path::new(&["nodes"]).app(), None);
}
