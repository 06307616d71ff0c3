use crate::{Ceilings, Manifest};

fn accepted(place: &str) -> bool {
    let source = format!("[recovery]\ntoken = {place:?}\n");
    Manifest::parse(&source, "wakeline.toml", "chat", &Ceilings::none()).is_ok()
}

/// A name that ends its own field could set attributes, or another cookie.
#[test]
fn ghsa_pxg6_pf52_xh8x_a_cookies_name_is_a_token() {
    for odd in [
        "",
        "a;b",
        "a=b",
        "a b",
        "a,b",
        "a\"",
        "a\\",
        "a\r\nSet-Cookie: x",
        "\u{7f}",
        "é",
        "userName=<script>alert('XSS3')</script>; Max-Age=2592000; a",
    ] {
        assert!(!accepted(&format!("cookie.{odd}")), "{odd:?}");
    }
    for plain in ["seat", "__Host-seat", "a.b", "!#$%&'*+-.^_`|~"] {
        assert!(accepted(&format!("cookie.{plain}")), "{plain:?}");
    }
}
