use super::*;

fn check(place: &CredentialPlace, auth: Option<&str>, handshake: &Handshake, expected: Option<&str>) {
    let auth = auth.map_or(Value::Null, |auth| serde_json::from_str(auth).unwrap());
    assert_eq!(
        place.find(&auth, handshake).as_deref(),
        expected,
        "{place:?} {auth}"
    );
}

#[test]
fn tokens_are_found_where_the_app_says() {
    let pairs = |pairs: &[(&str, &str)]| {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    };
    let handshake = Handshake {
        query: pairs(&[("EIO", "4"), ("jwt", "of-the-query"), ("empty", "")]),
        headers: pairs(&[
            ("authorization", "bearer of-the-header"),
            ("cookie", "a=b; jwt=of-the-cookie"),
        ]),
        ..Handshake::default()
    };
    let none = Handshake::default();
    let auth = CredentialPlace::Auth("jwt".into());
    check(
        &auth,
        Some(r#"{"jwt":"of-the-payload"}"#),
        &handshake,
        Some("of-the-payload"),
    );
    check(&auth, Some(r#"{"jwt":7}"#), &handshake, None);
    check(&auth, None, &handshake, None);
    check(
        &CredentialPlace::Query("jwt".into()),
        None,
        &handshake,
        Some("of-the-query"),
    );
    check(&CredentialPlace::Query("empty".into()), None, &handshake, None);
    check(
        &CredentialPlace::Cookie("jwt".into()),
        None,
        &handshake,
        Some("of-the-cookie"),
    );
    check(&CredentialPlace::Header, None, &handshake, Some("of-the-header"));
    check(&CredentialPlace::Header, None, &none, None);
    let basic = Handshake {
        headers: pairs(&[("authorization", "Basic YTpi")]),
        ..Handshake::default()
    };
    check(&CredentialPlace::Header, None, &basic, None);
}

#[test]
fn a_credential_is_not_shown() {
    let credential = Credential {
        token: Some("eyJ.secret.sig".to_owned()),
        remote_address: "192.0.2.1".to_owned(),
    };
    assert!(!format!("{credential:?}").contains("secret"));
}
