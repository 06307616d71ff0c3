use super::*;

fn package(version: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("dist")).unwrap();
    fs::write(
        dir.path().join("package.json"),
        format!("{{ \"name\": \"socket.io-client\", \"version\" : \"{version}\" }}"),
    )
    .unwrap();
    fs::write(dir.path().join("dist/socket.io.js"), "var io = 1;".repeat(500)).unwrap();
    fs::write(dir.path().join("dist/socket.io.min.js.map"), "{}").unwrap();
    dir
}

#[test]
fn files_are_tagged_with_the_version() {
    let dir = package("4.8.4");
    let bundle = ClientBundle::load(&dir.path().join("dist")).unwrap();
    let mut headers = HeaderMap::new();
    let whole = bundle.serve("socket.io.js", &Method::GET, &headers);
    assert_eq!(whole.status(), StatusCode::OK);
    assert_eq!(whole.headers()["etag"], "\"4.8.4\"");
    assert_eq!(whole.headers()["cache-control"], "public, max-age=0");
    assert_eq!(
        whole.headers()["content-type"],
        "application/javascript; charset=utf-8"
    );

    let map = bundle.serve("socket.io.min.js.map", &Method::GET, &headers);
    assert_eq!(map.headers()["content-type"], "application/json; charset=utf-8");

    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    let packed = bundle.serve("socket.io.js", &Method::GET, &headers);
    assert_eq!(packed.headers()["content-encoding"], "gzip");

    headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static("W/\"4.8.4\""));
    assert_eq!(
        bundle.serve("socket.io.js", &Method::GET, &headers).status(),
        StatusCode::NOT_MODIFIED
    );

    assert_eq!(
        bundle
            .serve("socket.io.esm.min.js", &Method::GET, &headers)
            .status(),
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        bundle.serve("socket.io.js", &Method::POST, &headers).status(),
        StatusCode::METHOD_NOT_ALLOWED
    );
    assert_eq!(
        serve(None, "socket.io.js", &Method::GET, &headers).status(),
        StatusCode::NOT_FOUND
    );
}

#[test]
fn a_wrong_directory_is_named() {
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(
        ClientBundle::load(empty.path()),
        Err(ClientBundleError::Unreadable { .. })
    ));
    fs::write(empty.path().join("package.json"), "{\"version\": 4}").unwrap();
    assert!(matches!(
        ClientBundle::load(empty.path()),
        Err(ClientBundleError::NoVersion(_))
    ));
    fs::write(empty.path().join("package.json"), "{\"version\":\"1.0.0\"}").unwrap();
    assert!(matches!(
        ClientBundle::load(empty.path()),
        Err(ClientBundleError::Empty(_))
    ));
}
