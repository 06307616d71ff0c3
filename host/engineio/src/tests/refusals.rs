use std::fmt::Write as _;

use expect_test::expect;

use crate::Refusal;

/// wire-probe: status and body of every refusal, and the words of a refused upgrade.
#[test]
fn bodies() {
    let mut table = String::new();
    for refusal in [
        Refusal::TransportUnknown,
        Refusal::SessionUnknown,
        Refusal::BadHandshakeMethod,
        Refusal::BadRequest,
        Refusal::Forbidden,
        Refusal::UnsupportedVersion,
        Refusal::Broken,
        Refusal::TooLarge,
        Refusal::Unavailable,
    ] {
        writeln!(
            table,
            "{} {} / {}",
            refusal.status(),
            refusal.body(),
            refusal.message()
        )
        .unwrap();
    }
    expect![[r#"
        400 {"code":0,"message":"Transport unknown"} / Transport unknown
        400 {"code":1,"message":"Session ID unknown"} / Session ID unknown
        400 {"code":2,"message":"Bad handshake method"} / Bad handshake method
        400 {"code":3,"message":"Bad request"} / Bad request
        403 {"code":4,"message":"Forbidden"} / Forbidden
        400 {"code":5,"message":"Unsupported protocol version"} / Unsupported protocol version
        400  / Bad request
        413  / Payload too large
        503 {"message":"Service unavailable"} / Service unavailable
    "#]]
    .assert_eq(&table);
}
