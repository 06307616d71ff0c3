use std::{
    collections::HashMap,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    num::NonZeroUsize,
    sync::mpsc,
    thread::JoinHandle,
    time::Duration,
};

use platform::{NewToken, Scope};
use serde_json::Value;

use crate::{Config, Handle, Server, Stop, config::Admin};

/// A node with nothing but its admin listener of interest. Ends when dropped.
pub(super) struct Node {
    pub(super) handle: Handle,
    pub(super) admin: SocketAddr,
    stop: tokio::sync::mpsc::UnboundedSender<()>,
    thread: Option<JoinHandle<()>>,
    runtime: tokio::runtime::Runtime,
    _data: tempfile::TempDir,
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HashMap<String, String>,
    pub(super) body: String,
}

/// Of the file.
pub(super) const OPERATOR: &str = "0123456789abcdef0123456789abcdef";
const HANG: Duration = Duration::from_secs(60);

impl Node {
    pub(super) fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let token_file = data.path().join("token");
        std::fs::write(&token_file, OPERATOR).unwrap();
        let mut config = Config::dev("none".into(), "127.0.0.1:0".parse().unwrap(), None);
        config.apps = Vec::new();
        // An author's machine has room for fewer instances, and so has this process for several nodes.
        config.app_at_root = true;
        config.data = Some(data.path().join("data"));
        config.cores = NonZeroUsize::MIN;
        config.admin = Some(Admin {
            listen: "127.0.0.1:0".parse().unwrap(),
            token_file: Some(token_file),
        });
        let server = Server::build(&config).unwrap();
        let handle = server.handle();
        let (stop, stopped) = Stop::channel();
        let (ready, is_ready) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let on_ready = |up: &crate::Ready| ready.send(up.admin.unwrap()).unwrap();
            server.run(on_ready, stopped).unwrap();
        });
        Self {
            handle,
            admin: is_ready.recv_timeout(HANG).unwrap(),
            stop,
            thread: Some(thread),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
            _data: data,
        }
    }

    pub(super) fn wait<T>(&self, what: impl Future<Output = T>) -> T {
        self.runtime.block_on(what)
    }

    /// An app with a version that is live, which nobody has compiled: nothing here calls it.
    pub(super) fn app(&self, name: &str) {
        let platform = self.handle.platform();
        self.wait(async {
            platform.put_manifest(name, "", "test").await.unwrap();
            let draft = platform.draft(name).await.unwrap();
            let added = platform.add_version(name, &draft, "component".into(), "test");
            let version = added.await.unwrap().version;
            platform.set_live(name, version, 100, "test").await.unwrap();
            self.handle.catalogue().refresh().await.unwrap();
        });
    }

    pub(super) fn token(&self, app: Option<&str>, scopes: &[Scope]) -> String {
        let new = NewToken {
            name: "test".into(),
            scopes: scopes.to_vec(),
            expires_in: None,
        };
        let created = self.handle.platform().create_token(app, new, "test");
        self.wait(created).unwrap().1
    }

    /// From an address of this machine that nobody else has: the node takes it for another peer.
    pub(super) fn ask_from(
        &self,
        peer: u8,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &[u8],
    ) -> Answer {
        let from = SocketAddr::from(([127, 0, 1, peer], 0));
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&from.into()).unwrap();
        socket.connect(&self.admin.into()).unwrap();
        exchange(socket.into(), &request(method, path, token, body))
    }

    pub(super) fn ask(&self, method: &str, path: &str, token: Option<&str>, body: &[u8]) -> Answer {
        self.raw(&request(method, path, token, body))
    }

    pub(super) fn operator(&self, method: &str, path: &str, body: &str) -> Answer {
        self.ask(method, path, Some(OPERATOR), body.as_bytes())
    }

    /// Bytes as they are; the answer to the first request in them.
    pub(super) fn raw(&self, request: &[u8]) -> Answer {
        exchange(TcpStream::connect(self.admin).unwrap(), request)
    }
}

fn request(method: &str, path: &str, token: Option<&str>, body: &[u8]) -> Vec<u8> {
    let bearer = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{}Content-Length: {}\r\n\r\n",
        bearer.unwrap_or_default(),
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn exchange(mut stream: TcpStream, request: &[u8]) -> Answer {
    stream.set_read_timeout(Some(HANG)).unwrap();
    // A server that refuses may not read all of it.
    _ = stream.write_all(request);
    let mut bytes = Vec::new();
    _ = stream.read_to_end(&mut bytes);
    Answer::parse(&String::from_utf8_lossy(&bytes))
}

impl Drop for Node {
    fn drop(&mut self) {
        _ = self.stop.send(());
        _ = self.stop.send(());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking());
        }
    }
}

impl Answer {
    fn parse(text: &str) -> Self {
        let (head, body) = text
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("no answer: {text:?}"));
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let headers = lines.filter_map(|line| line.split_once(": "));
        Self {
            status: status.parse().unwrap(),
            headers: headers
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                .collect(),
            body: body.to_owned(),
        }
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    pub(super) fn code(&self) -> String {
        self.json()["error"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}
