use super::*;

fn get(name: &str, headers: &HeaderMap) -> Answer {
    serve(name, &Method::GET, headers)
}

#[test]
fn files_are_tagged_with_the_version() {
    let mut headers = HeaderMap::new();
    let whole = get("socket.io.js", &headers);
    assert_eq!(whole.status(), StatusCode::OK);
    let etag = whole.headers()["etag"].clone();
    assert_eq!(etag.to_str().unwrap(), ETAG);
    assert_eq!(whole.headers()["cache-control"], "public, max-age=0");
    assert_eq!(
        whole.headers()["content-type"],
        "application/javascript; charset=utf-8"
    );
    let map = get("socket.io.min.js.map", &headers);
    assert_eq!(map.headers()["content-type"], "application/json; charset=utf-8");

    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, br"));
    let packed = get("socket.io.js", &headers);
    assert_eq!(packed.headers()["content-encoding"], "gzip");

    for known in [ETAG, &format!("W/{ETAG}")] {
        headers.insert(header::IF_NONE_MATCH, known.parse().unwrap());
        assert_eq!(
            get("socket.io.js", &headers).status(),
            StatusCode::NOT_MODIFIED,
            "{known}"
        );
    }
    let posted = serve("socket.io.js", &Method::POST, &headers);
    assert_eq!(posted.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(
        get("socket.io.msgpack.min.js", &headers).status(),
        StatusCode::NOT_FOUND
    );
}

#[test]
fn every_file_is_whole() {
    let version = ETAG.trim_matches('"');
    for file in &FILES {
        let plain = file.plain();
        let text = std::str::from_utf8(&plain).unwrap();
        if file.content_type().starts_with("application/json") {
            assert!(
                text.starts_with('{') && text.trim_end().ends_with('}'),
                "{}",
                file.name
            );
        } else {
            assert!(text.contains(&format!("Socket.IO v{version}")), "{}", file.name);
        }
    }
}
