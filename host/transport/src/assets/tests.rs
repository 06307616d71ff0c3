use http_body_util::BodyExt;

use super::*;

struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("public");
        fs::create_dir_all(root.join("sub dir")).unwrap();
        fs::create_dir_all(root.join(".git")).unwrap();
        fs::write(root.join("index.html"), "<h1>hi</h1>").unwrap();
        fs::write(root.join("app.js"), "alert(1)").unwrap();
        fs::write(root.join("sub dir/index.html"), "sub").unwrap();
        fs::write(root.join(".git/config"), "secret").unwrap();
        fs::write(dir.path().join("secret"), "secret").unwrap();
        std::os::unix::fs::symlink(dir.path().join("secret"), root.join("link")).unwrap();
        Self(dir)
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        if_none_match: Option<&str>,
    ) -> (StatusCode, HeaderMap, String) {
        let mut headers = HeaderMap::new();
        if let Some(tag) = if_none_match {
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_str(tag).unwrap());
        }
        let answer = serve(Some(&self.0.path().join("public")), path, &method, &headers).await;
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (
            parts.status,
            parts.headers,
            String::from_utf8(body.to_vec()).unwrap(),
        )
    }

    async fn get(&self, path: &str) -> (StatusCode, HeaderMap, String) {
        self.ask(Method::GET, path, None).await
    }
}

#[tokio::test]
async fn files_have_types_and_tags() {
    let site = Site::new();
    let (status, headers, body) = site.get("/").await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "<h1>hi</h1>"));
    assert_eq!(headers["content-type"], "text/html; charset=utf-8");
    assert_eq!(headers["content-length"], "11");
    let tag = headers["etag"].to_str().unwrap().to_owned();

    let (status, headers, body) = site.ask(Method::GET, "/", Some(&format!("\"x\", W/{tag}"))).await;
    assert_eq!((status, body.as_str()), (StatusCode::NOT_MODIFIED, ""));
    assert_eq!(headers["etag"], tag.as_str());

    let (status, headers, body) = site.ask(Method::HEAD, "/app.js", None).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, ""));
    assert_eq!(headers["content-length"], "8");
    assert_eq!(headers["content-type"], "text/javascript; charset=utf-8");

    let (status, ..) = site.ask(Method::POST, "/app.js", None).await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn directories_have_a_page_and_a_slash() {
    let site = Site::new();
    assert_eq!(site.get("/sub%20dir/").await.2, "sub");
    let (status, headers, _) = site.get("/sub%20dir").await;
    assert_eq!(
        (status, headers["location"].to_str().unwrap()),
        (StatusCode::MOVED_PERMANENTLY, "sub%20dir/")
    );
    assert_eq!(site.get("/app.js/").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn nothing_leads_out() {
    let site = Site::new();
    for path in [
        "/../secret",
        "/..%2fsecret",
        "/%2e%2e/secret",
        "/sub dir/../../secret",
        "/..\\secret",
        "//etc/passwd",
        "/.git/config",
        "/link",
        "/%00",
        "/%ff",
        "/%252e%252e/secret",
        "/nothing",
    ] {
        let (status, _, body) = site.get(path).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}: {body}");
    }
    let none = serve(None, "/", &Method::GET, &HeaderMap::new()).await;
    assert_eq!(none.status(), StatusCode::NOT_FOUND);
}
