//! Apps that know their clients, with `socket.io-client` and with clients that know nothing but WebSockets. The issuer's
//! keys are published by a listener here.
use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tempfile::TempDir;
use tungstenite::{Message, client::IntoClientRequest as _, http::HeaderValue};

use crate::harness::{AppDir, FaultProxy, Script, Wakeline};

/// A web server with one page.
struct Issuer {
    url: String,
    page: Arc<Mutex<String>>,
}

impl Issuer {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let page = Arc::new(Mutex::new(String::new()));
        let shown = Arc::clone(&page);
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let (mut head, mut byte) = (Vec::new(), [0]);
                while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
                    head.push(byte[0]);
                }
                let page = shown.lock().clone();
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{page}",
                    page.len()
                );
            }
        });
        Self { url, page }
    }
}

fn play(scenario: &str) {
    let issuer = Issuer::new();
    let app = AppDir::probe(&format!(
        "[auth]\nalgorithms = [\"RS256\", \"ES256\", \"EdDSA\"]\njwks = \"{}\"\nissuer = \"https://id.example\"\n\
         audience = \"probe\"\nleeway_ms = 0\nexpiry_grace_ms = 5000\n[http]\nallow_private = true\n",
        issuer.url
    ));
    let data = TempDir::new().unwrap();
    let wakeline = Wakeline::serve(&[&app], data.path());
    let proxy = FaultProxy::new(&wakeline.address);
    Script::node("play.mjs")
        .argument("auth")
        .argument(scenario)
        .variable("TRANSPORT", "websocket")
        .variable("WAKELINE_URL", &wakeline.url())
        .variable("WAKELINE_PATH", "/probe/socket.io/")
        .variable("PROXY_URL", &proxy.url())
        .within(300)
        .run_with(|what| match what.strip_prefix("publish ") {
            Some(keys) => keys.clone_into(&mut issuer.page.lock()),
            None => proxy.grant(what),
        });
    let said = wakeline.output.text();
    assert!(!said.contains("eyJ"), "a token in the log:\n{said}");
}

macro_rules! scenarios {
    ($($scenario:ident),* $(,)?) => { $(#[test] fn $scenario() { play(stringify!($scenario)); })* };
}

scenarios![
    tokens_of_published_keys_are_taken_and_reach_the_handler,
    what_is_no_good_token_is_refused_with_a_code_that_says_why,
    a_token_that_ends_is_renewed_or_ends_the_socket,
    recovery_needs_a_token_about_the_same_subject,
    a_key_that_is_new_is_fetched,
];

/// Signed with HS256 and the secret below: `{"sub":"ann","exp":…}`, of 2001 and of 2286.
const SECRET: &str = "thirty-two bytes that nobody else knows";
const OLD: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4iLCJleHAiOjEwMDAwMDAwMDB9.ZFItHxgHaxjNDM93l0auP3nXartXYz1gaJ_u3efLN-c";
const GOOD: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4iLCJleHAiOjk5OTk5OTk5OTl9.MCtBLtLVkJdopAL8Nxjy6GeLKRu9LahKOPs9YScpKis";

#[test]
fn plain_websockets_show_their_token_in_the_first_request() {
    let app = AppDir::example(
        "echo",
        &format!(
            "[raw]\nwebsocket = \"/ws\"\n[auth]\nalgorithms = [\"HS256\"]\nhs256_secret = \"TOKENS\"\n\
             token = [\"header\", \"query.token\", \"cookie.jwt\"]\n[config]\nTOKENS = \"{SECRET}\"\n"
        ),
    );
    let data = TempDir::new().unwrap();
    let wakeline = Wakeline::dev_in(&app.path(), data.path());
    let dial = |query: &str, header: Option<(&'static str, String)>| {
        let stream = TcpStream::connect(&wakeline.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let url = format!("ws://{}/ws{query}", wakeline.address);
        let mut request = url.into_client_request().unwrap();
        if let Some((name, value)) = header {
            request
                .headers_mut()
                .insert(name, HeaderValue::from_str(&value).unwrap());
        }
        let (mut socket, _) = tungstenite::client(request, stream).unwrap();
        socket.send(Message::text("hello")).unwrap();
        socket.read().unwrap()
    };
    let hello = Message::text("hello");
    assert_eq!(dial("", Some(("authorization", format!("Bearer {GOOD}")))), hello);
    assert_eq!(dial(&format!("?token={GOOD}"), None), hello);
    assert_eq!(dial("", Some(("cookie", format!("a=b; jwt={GOOD}")))), hello);
    for answer in [
        dial("", None),
        dial(&format!("?token={OLD}"), None),
        dial("?token=nonsense", None),
    ] {
        let Message::Close(Some(frame)) = answer else {
            panic!("{answer:?}")
        };
        assert_eq!(u16::from(frame.code), 1008);
    }
    let said = wakeline.output.text();
    assert!(!said.contains("eyJ"), "a token in the log:\n{said}");
}
