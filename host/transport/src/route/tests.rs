use super::*;

#[track_caller]
fn check(host: &str, path: &str, default_app: Option<&str>, expected: Option<(&str, &str)>) {
    let is_app = |name: &str| matches!(name, "chat" | "echo");
    assert_eq!(locate(Some(host), path, default_app, is_app), expected);
}

#[test]
fn an_app_is_found_by_host_then_path_then_default() {
    check(
        "chat.example.com",
        "/socket.io/",
        None,
        Some(("chat", "/socket.io/")),
    );
    check("chat.localhost:3000", "/echo/", None, Some(("chat", "/echo/")));
    check(
        "example.com",
        "/chat/socket.io/",
        None,
        Some(("chat", "/socket.io/")),
    );
    check("127.0.0.1:3000", "/echo", None, Some(("echo", "")));
    check("127.0.0.1:3000", "/echo/", Some("chat"), Some(("echo", "/")));
    check(
        "127.0.0.1:3000",
        "/socket.io/",
        Some("chat"),
        Some(("chat", "/socket.io/")),
    );
    check("localhost", "/", None, None);
    check("chat", "/", None, None);
    check("[::1]:3000", "/nobody/", None, None);
    check("nobody.example.com", "//chat/", None, None);
    assert_eq!(locate(None, "", None, |_| true), None);
    assert_eq!(locate(None, "*", None, |_| false), None);
}

#[test]
fn endpoints_of_an_app() {
    let bare = WebSettings::default();
    let raw = WebSettings {
        raw_websocket: Some("/ws".to_owned()),
        raw_engineio: Some("/engine.io/".to_owned()),
        ..WebSettings::default()
    };
    for (web, path, expected) in [
        (&bare, "/socket.io/", Endpoint::SocketIo),
        (&bare, "/socket.io/anything", Endpoint::SocketIo),
        (&bare, "/socket.io", Endpoint::Asset),
        (
            &bare,
            "/socket.io/socket.io.min.js",
            Endpoint::Client("socket.io.min.js"),
        ),
        (
            &bare,
            "/socket.io/socket.io.js.map",
            Endpoint::Client("socket.io.js.map"),
        ),
        (&bare, "/socket.io/socket.io.css", Endpoint::SocketIo),
        (&bare, "/engine.io/", Endpoint::Asset),
        (&raw, "/engine.io/", Endpoint::EngineIo),
        (&raw, "/engine.io", Endpoint::Asset),
        (&bare, "/ws", Endpoint::Asset),
        (&raw, "/ws", Endpoint::WebSocket),
        (&raw, "/ws/", Endpoint::Asset),
        (&raw, "/", Endpoint::Asset),
    ] {
        assert_eq!(endpoint(web, path), expected, "{path}");
    }
}
