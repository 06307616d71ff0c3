use std::time::Duration;

use super::*;

#[test]
fn live() {
    let read = parse_live(br#"{"version":3}"#).unwrap();
    assert_eq!((read.version, read.percent), (3, 100));
    assert_eq!(read.wait, Duration::from_secs(10));
    for (body, says) in [
        (r#"{"version":3,"percent":0}"#, "1 to 100"),
        (r#"{"version":3,"percent":101}"#, "1 to 100"),
        (r#"{"version":3,"percent":300}"#, "invalid value"),
        (r#"{"version":-1}"#, "invalid value"),
        (r#"{"version":3,"wait_ms":60001}"#, "60000"),
        (r#"{"version":3,"prcent":10}"#, "prcent"),
        ("{}", "version"),
        ("", "EOF"),
        ("[\"a\"]", "invalid type"),
    ] {
        let error = parse_live(body.as_bytes()).unwrap_err();
        assert!(error.contains(says), "{body}: {error}");
    }
}

#[test]
fn rollback() {
    for body in ["", "{}", r#"{"version":null}"#] {
        assert_eq!(parse_rollback(body.as_bytes()).unwrap().version, None);
    }
    assert_eq!(parse_rollback(br#"{"version":2}"#).unwrap().version, Some(2));
}

#[test]
fn new_token() {
    let new = parse_new_token(br#"{"name":"ci","scopes":["deploy","read"],"expires_in_s":60}"#).unwrap();
    assert_eq!(new.scopes, [Scope::Deploy, Scope::Read]);
    assert_eq!(new.expires_in, Some(Duration::from_secs(60)));
    for (body, says) in [
        (r#"{"name":"ci","scopes":["all"]}"#, "unknown variant"),
        (r#"{"name":"ci","expires_in_s":0}"#, "expires_in_s"),
        (r#"{"name":"ci","expires_in_s":99999999999}"#, "expires_in_s"),
    ] {
        let error = parse_new_token(body.as_bytes()).unwrap_err();
        assert!(error.contains(says), "{body}: {error}");
    }
}

#[test]
fn emit() {
    let read = parse_emit(br#"{"event":"say","args":[1,{"a":2}],"rooms":["r"]}"#).unwrap();
    assert_eq!(read.args.get(), r#"[1,{"a":2}]"#);
    assert_eq!(read.namespace, "/");
    let long = format!(r#"{{"event":"say","args":[],"rooms":["{}"]}}"#, "r".repeat(257));
    assert!(parse_emit(long.as_bytes()).unwrap_err().contains("256"));
    let many = vec!["\"r\""; 1_001].join(",");
    let many = format!(r#"{{"event":"say","args":[],"except":[{many}]}}"#);
    assert!(parse_emit(many.as_bytes()).unwrap_err().contains("1000 rooms"));
}

#[test]
fn push() {
    let read = |body: &str| parse_push(body.as_bytes());
    assert_eq!(read(r#"{"topic":"a"}"#).unwrap().payload, b"null");
    assert_eq!(
        read(r#"{"topic":"a","payload":[1, 2]}"#).unwrap().payload,
        b"[1, 2]"
    );
    assert_eq!(
        read(r#"{"topic":"a","payload_base64":"AP8="}"#).unwrap().payload,
        [0, 255]
    );
    let long = format!(r#"{{"topic":"{}"}}"#, "t".repeat(257));
    for (body, says) in [
        (r#"{"topic":""}"#, "1 to 256"),
        (&long, "1 to 256 bytes, not 257"),
        (r#"{"topic":"a","idempotency_key":""}"#, "1 to 400"),
        (r#"{"topic":"a","payload":1,"payload_base64":""}"#, "not both"),
        (r#"{"topic":"a","payload_base64":"?"}"#, "payload_base64"),
        (r#"{"topic":"a","key":"k"}"#, "key"),
    ] {
        let error = read(body).unwrap_err();
        assert!(error.contains(says), "{body}: {error}");
    }
}

#[test]
fn component_headers() {
    assert_eq!(check_component_header(b"\0asm\x0d\0\x01\0rest"), Ok(()));
    for (bytes, says) in [
        (&b""[..], "no WebAssembly"),
        (b"\0as", "no WebAssembly"),
        (b"(component)", "no WebAssembly"),
        (b"\0asm\x01\0\0\0", "core module"),
        (b"\0asm\x0e\0\x01\0", "version"),
        (b"\0asm\x0d", "ends"),
    ] {
        let error = check_component_header(bytes).unwrap_err();
        assert!(error.contains(says), "{bytes:?}: {error}");
    }
}

#[test]
fn queries() {
    let known = ["after", "limit"];
    let read = parse_query("after=a%2Fb+c&limit=3", &known).unwrap();
    assert_eq!(read, [("after", "a/b c".to_owned()), ("limit", "3".to_owned())]);
    assert!(parse_query("", &known).unwrap().is_empty());
    for (query, says) in [
        ("limt=3", "after, limit"),
        ("limit=3&limit=4", "twice"),
        ("after=%f", "percent-encoded"),
        ("after=%ff", "percent-encoded"),
        ("after=%é", "percent-encoded"),
    ] {
        let error = parse_query(query, &known).unwrap_err();
        assert!(error.contains(says), "{query}: {error}");
    }
}
