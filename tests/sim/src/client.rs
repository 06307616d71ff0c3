use std::future::poll_fn;

use bytes::Bytes;
use serde_json::Value;
use session::{Outgoing, WsPort};

/// A stock client's rules, on frames: stores the last string argument of each event as its offset, as
/// socket.io-client 4.8 does, and hands it back with its pid.
pub struct Client {
    port: Option<WsPort>,
    pub sid: String,
    pub pid: Option<String>,
    pub offset: Option<String>,
    pub recovered: bool,
    /// Events, in order: the name and the arguments without the offset.
    pub received: Vec<(String, Vec<Value>)>,
    next_ack: u64,
}

/// What a client saw.
#[derive(Debug, PartialEq)]
pub enum Frame {
    Text(String),
    Close(Option<u16>),
}

impl Client {
    pub(crate) async fn open(port: WsPort) -> Self {
        let mut client = Self {
            port: Some(port),
            sid: String::new(),
            pid: None,
            offset: None,
            recovered: false,
            received: Vec::new(),
            next_ack: 0,
        };
        let Frame::Text(open) = client.frame().await else {
            panic!("no handshake")
        };
        assert!(open.starts_with("0{"), "{open}");
        client
    }

    pub(crate) fn known_as(&mut self, before: &Client) {
        self.pid.clone_from(&before.pid);
        self.offset.clone_from(&before.offset);
        self.received.clone_from(&before.received);
    }

    pub fn claim(&self) -> String {
        let mut auth = serde_json::json!({ "pid": self.pid });
        if let Some(offset) = &self.offset {
            auth["offset"] = offset.as_str().into();
        }
        format!("40{auth}")
    }

    /// Sends a CONNECT and takes frames until its answer.
    pub async fn connect(&mut self, packet: &str) {
        self.send(packet);
        loop {
            match self.text().await {
                text if text.starts_with("40") => {
                    let answer: Value = serde_json::from_str(&text[2..]).unwrap();
                    let pid = answer["pid"].as_str().map(str::to_owned);
                    self.recovered = pid.is_some() && pid == self.pid;
                    if !self.recovered {
                        self.offset = None;
                    }
                    self.pid = pid;
                    answer["sid"].as_str().unwrap().clone_into(&mut self.sid);
                    return;
                }
                text => self.take(&text),
            }
        }
    }

    pub fn send(&mut self, text: &str) {
        self.port
            .as_mut()
            .unwrap()
            .receive_text(Bytes::from(text.to_owned()));
    }

    /// Emits without waiting.
    pub fn emit(&mut self, name: &str, args: &Value) {
        let mut event = vec![Value::from(name)];
        event.extend(args.as_array().unwrap().clone());
        self.send(&format!("42{}", Value::from(event)));
    }

    /// Emits and waits for the ack; events that come before it are received.
    pub async fn call(&mut self, name: &str, args: Value) -> Value {
        let mut event = vec![Value::from(name)];
        event.extend(args.as_array().unwrap().clone());
        let id = self.next_ack;
        self.next_ack += 1;
        self.send(&format!("42{id}{}", Value::from(event)));
        let prefix = format!("43{id}[");
        loop {
            let text = self.text().await;
            if text.starts_with(&prefix) {
                return serde_json::from_str(&text[prefix.len() - 1..]).unwrap();
            }
            self.take(&text);
        }
    }

    /// Waits until `count` events have been received in all.
    pub async fn until(&mut self, count: usize) {
        while self.received.len() < count {
            let text = self.text().await;
            self.take(&text);
        }
    }

    /// Takes what is there already, without waiting. False once the connection was closed.
    pub fn take_ready(&mut self) -> bool {
        let waker = std::task::Waker::noop();
        let mut cx = std::task::Context::from_waker(waker);
        while let Some(port) = &mut self.port {
            match port.poll_outgoing(&mut cx) {
                std::task::Poll::Ready(Outgoing::Text(text)) => {
                    let text = String::from_utf8(text.to_vec()).unwrap();
                    self.take(&text);
                }
                std::task::Poll::Ready(Outgoing::Close(_)) => self.port = None,
                std::task::Poll::Ready(_) => {}
                std::task::Poll::Pending => return true,
            }
        }
        false
    }

    /// The next text; answers pings.
    pub async fn text(&mut self) -> String {
        match self.frame().await {
            Frame::Text(text) if text == "2" => {
                self.send("3");
                Box::pin(self.text()).await
            }
            Frame::Text(text) => text,
            Frame::Close(code) => panic!("closed with {code:?}"),
        }
    }

    pub async fn frame(&mut self) -> Frame {
        let port = self.port.as_mut().unwrap();
        match poll_fn(|cx| port.poll_outgoing(cx)).await {
            Outgoing::Text(text) => Frame::Text(String::from_utf8(text.to_vec()).unwrap()),
            Outgoing::Close(code) => Frame::Close(code),
            other => panic!("unexpected {other:?}"),
        }
    }

    /// The network fails: nothing more arrives, the server sees the connection end.
    pub fn cut(&mut self) {
        self.port = None;
    }

    /// The client leaves with a DISCONNECT.
    pub fn leave(&mut self) {
        self.send("41");
        self.port = None;
    }

    pub fn texts(&self) -> Vec<String> {
        self.received
            .iter()
            .map(|(_, args)| args[0].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    fn take(&mut self, text: &str) {
        if text == "2" {
            return self.send("3");
        }
        let Some(event) = text.strip_prefix("42") else {
            return;
        };
        let start = event.find('[').unwrap();
        let mut args: Vec<Value> = serde_json::from_str(&event[start..]).unwrap();
        if self.pid.is_some() && start == 0 {
            // The client stores whatever string comes last; ours is always an offset.
            self.offset = Some(args.pop().unwrap().as_str().unwrap().to_owned());
        }
        let name = args.remove(0).as_str().unwrap().to_owned();
        self.received.push((name, args));
    }
}
