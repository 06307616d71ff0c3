use expect_test::expect;

use super::{check, parsed};

const WHOLE: &str = r#"[auth]
algorithms = ["RS256", "EdDSA"]
jwks = "https://id.example/.well-known/jwks.json?v=1"
issuer = "https://id.example"
audience = "chat"
token = ["auth.jwt", "query.token", "cookie.sid", "header"]
required = false
leeway_ms = 0
expiry_grace_ms = 1000
"#;

#[test]
fn a_whole_section_is_read() {
    expect![[r#"
        Some(
            Auth {
                algorithms: [
                    "RS256",
                    "EdDSA",
                ],
                keys: Jwks(
                    "https://id.example/.well-known/jwks.json?v=1",
                ),
                issuer: Some(
                    "https://id.example",
                ),
                audience: Some(
                    "chat",
                ),
                token: [
                    "auth.jwt",
                    "query.token",
                    "cookie.sid",
                    "header",
                ],
                required: false,
                leeway: 0ns,
                expiry_grace: 1s,
            },
        )
    "#]]
    .assert_debug_eq(&parsed(WHOLE).auth);
    let secret = parsed("[auth]\nalgorithms = [\"HS256\"]\nhs256_secret = \"TOKENS\"\n");
    expect![[r#"
        Some(
            Auth {
                algorithms: [
                    "HS256",
                ],
                keys: Secret(
                    "TOKENS",
                ),
                issuer: None,
                audience: None,
                token: [
                    "auth.token",
                ],
                required: true,
                leeway: 5s,
                expiry_grace: 30s,
            },
        )
    "#]]
    .assert_debug_eq(&secret.auth);
    assert_eq!(parsed("").auth, None);
}

#[test]
fn a_section_that_does_not_say_what_to_check_is_refused_not_ignored() {
    check(
        "[auth]\n",
        &expect![[r#"
        wakeline.toml:1:2: auth: expected one of jwks, public_key and hs256_secret: what tokens are checked with
           |
         1 | [auth]
           |  ^^^^
    "#]],
    );
    check(
        "[auth]\njwks = \"https://id.example/keys\"\n",
        &expect![[r#"
        wakeline.toml:1:2: auth: expected `algorithms`: a token does not choose how it is checked
           |
         1 | [auth]
           |  ^^^^
    "#]],
    );
    check(
        "[auth]\njwt = { issuer = \"i\" }\n",
        &expect![[r#"
        wakeline.toml:2:1: auth.jwt: there is no such key
           |
         2 | jwt = { issuer = "i" }
           | ^^^
           = help: did you mean `jwks`?
    "#]],
    );
}

#[test]
fn algorithms_and_keys_must_go_together() {
    check(
        "[auth]\nalgorithms = [\"HS256\", \"RS256\"]\nhs256_secret = \"TOKENS\"\n",
        &expect![[r#"
            wakeline.toml:2:14: auth.algorithms: expected only `HS256`: a secret signs by no other
               |
             2 | algorithms = ["HS256", "RS256"]
               |              ^^^^^^^^^^^^^^^^^^
        "#]],
    );
    check(
        "[auth]\nalgorithms = [\"HS256\", \"RS256\"]\njwks = \"https://id.example/keys\"\n",
        &expect![[r#"
            wakeline.toml:2:14: auth.algorithms: expected no `HS256` beside public keys: whoever reads the key could sign
               |
             2 | algorithms = ["HS256", "RS256"]
               |              ^^^^^^^^^^^^^^^^^^
        "#]],
    );
    check(
        "[auth]\nalgorithms = [\"RS256\"]\njwks = \"https://id.example/keys\"\nhs256_secret = \"TOKENS\"\n",
        &expect![[r#"
            wakeline.toml:4:16: auth.hs256_secret: expected no second source of keys beside auth.jwks
               |
             4 | hs256_secret = "TOKENS"
               |                ^^^^^^^^
        "#]],
    );
}

#[test]
fn strings_are_checked() {
    check(
        r#"[auth]
algorithms = ["none", "RS512"]
jwks = "ftp://id.example"
public_key = "-----BEGIN PRIVATE KEY-----"
hs256_secret = "not a name"
token = ["auth", "body.x", "cookie."]
"#,
        &expect![[r#"
            wakeline.toml:2:15: auth.algorithms: expected `RS256`, `ES256`, `EdDSA` or `HS256`, found the text "none"
               |
             2 | algorithms = ["none", "RS512"]
               |               ^^^^^^

            wakeline.toml:2:23: auth.algorithms: expected `RS256`, `ES256`, `EdDSA` or `HS256`, found the text "RS512"
               |
             2 | algorithms = ["none", "RS512"]
               |                       ^^^^^^^

            wakeline.toml:3:8: auth.jwks: expected a URL, `https://` and host and path, without user, fragment and anything to fill in, found the text "ftp://id.example"
               |
             3 | jwks = "ftp://id.example"
               |        ^^^^^^^^^^^^^^^^^^

            wakeline.toml:4:14: auth.public_key: expected `-----BEGIN PUBLIC KEY-----` … `-----END PUBLIC KEY-----`, found the text "-----BEGIN PRIVATE KEY-----"
               |
             4 | public_key = "-----BEGIN PRIVATE KEY-----"
               |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

            wakeline.toml:5:16: auth.hs256_secret: expected the name of a secret, not the secret itself: letters, digits, `_`, `-`, `.`, found the text "not a name"
               |
             5 | hs256_secret = "not a name"
               |                ^^^^^^^^^^^^

            wakeline.toml:6:10: auth.token: expected `auth.FIELD`, `query.NAME`, `cookie.NAME` or `header`, found the text "auth"
               |
             6 | token = ["auth", "body.x", "cookie."]
               |          ^^^^^^

            wakeline.toml:6:18: auth.token: expected `auth.FIELD`, `query.NAME`, `cookie.NAME` or `header`, found the text "body.x"
               |
             6 | token = ["auth", "body.x", "cookie."]
               |                  ^^^^^^^^

            wakeline.toml:6:28: auth.token: expected `auth.FIELD`, `query.NAME`, `cookie.NAME` or `header`, found the text "cookie."
               |
             6 | token = ["auth", "body.x", "cookie."]
               |                            ^^^^^^^^^
        "#]],
    );
    check(
        "[auth]\nalgorithms = [\"RS256\"]\njwks = \"http://127.0.0.1/keys\"\n",
        &expect![[r#"
            wakeline.toml:3:8: auth.jwks: expected https: who can change an answer on its way would be the issuer; for one of your own network, set http.allow_private
               |
             3 | jwks = "http://127.0.0.1/keys"
               |        ^^^^^^^^^^^^^^^^^^^^^^^
        "#]],
    );
}

/// Centrifugo filled a URL in from claims that nobody had verified.
#[test]
fn cve_2026_32301_a_jwks_url_has_nothing_to_fill_in() {
    for url in [
        "https://id.example/{{tenant}}/keys",
        "https://{realm}.id.example/keys",
        "https://id.example/%7Btenant%7D/keys",
        "https://user@id.example/keys",
        "https://id.example/keys#{x}",
        "https://",
        "https:///keys",
    ] {
        let text = format!("[auth]\nalgorithms = [\"RS256\"]\njwks = \"{url}\"\n");
        let errors = crate::Manifest::parse(&text, "wakeline.toml", "chat", &crate::Ceilings::none());
        assert!(errors.unwrap_err().to_string().contains("auth.jwks"), "{url}");
    }
    let own = "[auth]\nalgorithms = [\"RS256\"]\njwks = \"http://127.0.0.1:8080/keys\"\n[http]\nallow_private = true\n";
    assert!(parsed(own).auth.is_some());
}
