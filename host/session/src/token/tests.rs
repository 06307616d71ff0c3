use super::*;

fn handshake(cookies: &[&str]) -> Handshake {
    let headers = cookies
        .iter()
        .map(|line| ("cookie".to_owned(), (*line).to_owned()));
    Handshake {
        headers: headers.collect(),
        ..Handshake::default()
    }
}

fn check(place: &TokenPlace, auth: Option<&str>, cookies: &[&str], expected: Option<(&str, Option<&str>)>) {
    let found = place.find("/", auth, &handshake(cookies));
    let found = found.as_ref().map(|shown| (&*shown.key, shown.offset.as_deref()));
    let expected = expected.map(|(token, offset)| (format!("/\0{token}"), offset));
    assert_eq!(
        found,
        expected.as_ref().map(|(key, offset)| (key.as_str(), *offset)),
        "{auth:?} {cookies:?}"
    );
}

#[test]
fn tokens_are_found_where_the_app_says() {
    const TOKEN: &str = "0123456789abcdef";
    let field = TokenPlace::Auth("resume".into());
    check(&field, None, &[], None);
    check(&field, Some("{}"), &[], None);
    check(&field, Some("nonsense"), &[], None);
    check(&field, Some(r#"{"resume":7}"#), &[], None);
    check(&field, Some(r#"{"resume":"too short"}"#), &[], None);
    check(
        &field,
        Some(r#"{"resume":"0123456789abcdef"}"#),
        &[],
        Some((TOKEN, None)),
    );
    check(
        &field,
        Some(r#"{"resume":"0123456789abcdef","offset":"7-1f"}"#),
        &[],
        Some((TOKEN, Some("7-1f"))),
    );
    let cookie = TokenPlace::Cookie("seat".into());
    check(
        &cookie,
        Some(r#"{"seat":"0123456789abcdef"}"#),
        &["other=1"],
        None,
    );
    check(
        &cookie,
        None,
        &["a=b; seat=0123456789abcdef; c=d"],
        Some((TOKEN, None)),
    );
    check(
        &cookie,
        None,
        &["a=b", "seat=0123456789abcdef"],
        Some((TOKEN, None)),
    );
    let long = format!("seat={}", "x".repeat(TOKEN_BYTES_MAX + 1));
    check(&cookie, None, &[&long], None);
}

/// Names and values that are no cookie's, beside the one that is looked for.
#[test]
fn ghsa_pxg6_pf52_xh8x_odd_cookies_are_nobodys_token() {
    const TOKEN: &str = "0123456789abcdef";
    let seat = TokenPlace::Cookie("seat".into());
    for line in [
        "",
        ";;;=;==",
        "__proto__=0123456789abcdef",
        "seat\t=0123456789abcdef",
        "userName=<script>alert('XSS3')</script>; Max-Age=2592000; a",
        "SEAT=0123456789abcdef",
        "seats=0123456789abcdef",
    ] {
        check(&seat, None, &[line], None);
        let both = format!("{line}; seat={TOKEN}");
        check(&seat, None, &[&both], Some((TOKEN, None)));
    }
}
