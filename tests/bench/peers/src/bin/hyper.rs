//! A bare server of hyper and hyper-tungstenite on one current-thread runtime, buffers of 4 KiB: what the libraries cost
//! that Wakeline is built on. No heartbeats, no namespaces, no limits. `hyper PORT`.
use std::{cell::RefCell, collections::HashMap, convert::Infallible, rc::Rc};

use futures_util::{SinkExt, StreamExt};
use http_body_util::Full;
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    service::service_fn,
};
use hyper_tungstenite::{
    HyperWebsocket,
    tungstenite::{Error, Message, Utf8Bytes, protocol::WebSocketConfig},
};
use hyper_util::rt::TokioIo;
use peers::{CONNECTED, OPEN, Said, ack, message, read};
use tokio::{
    net::TcpListener,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::LocalSet,
};

#[derive(Default)]
struct Chat {
    rooms: RefCell<HashMap<String, Vec<UnboundedSender<Utf8Bytes>>>>,
}

const BUFFER_BYTES: usize = 4 << 10;

fn main() -> std::io::Result<()> {
    let port: u16 = std::env::args()
        .nth(1)
        .and_then(|port| port.parse().ok())
        .unwrap_or(3000);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let chat = Rc::new(Chat::default());
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let chat = Rc::clone(&chat);
            let service = service_fn(move |request| answer(Rc::clone(&chat), request));
            tokio::task::spawn_local(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .with_upgrades(),
            );
        }
    })
}

async fn answer(chat: Rc<Chat>, mut request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES);
    match hyper_tungstenite::upgrade(&mut request, Some(config)) {
        Ok((response, websocket)) => {
            tokio::task::spawn_local(serve(chat, websocket));
            Ok(response)
        }
        Err(_) => Ok(Response::new(Full::from("ready\n"))),
    }
}

/// An error is a connection that ended.
async fn serve(chat: Rc<Chat>, websocket: HyperWebsocket) -> Result<(), Error> {
    let mut websocket = websocket.await?;
    let (sender, mut told): (_, UnboundedReceiver<Utf8Bytes>) = unbounded_channel();
    websocket.send(Message::text(OPEN)).await?;
    loop {
        tokio::select! {
            biased;
            said = websocket.next() => {
                let Some(Message::Text(said)) = said.transpose()? else {
                    return Ok(());
                };
                if let Some(answer) = chat.said(said.as_str(), &sender) {
                    websocket.send(Message::Text(answer)).await?;
                }
            }
            Some(text) = told.recv() => {
                websocket.feed(Message::Text(text)).await?;
                while let Ok(text) = told.try_recv() {
                    websocket.feed(Message::Text(text)).await?;
                }
                websocket.flush().await?;
            }
        }
    }
}

impl Chat {
    /// What the client is answered.
    fn said(&self, text: &str, sender: &UnboundedSender<Utf8Bytes>) -> Option<Utf8Bytes> {
        match read(text) {
            Said::Connect => Some(CONNECTED.into()),
            Said::Echo { id, args } => Some(ack(id, args).into()),
            Said::Join { id, room } => {
                let mut rooms = self.rooms.borrow_mut();
                rooms.entry(room.to_owned()).or_default().push(sender.clone());
                Some(ack(id, "").into())
            }
            Said::Say { room, args } => {
                let text = Utf8Bytes::from(message(args));
                if let Some(members) = self.rooms.borrow_mut().get_mut(room) {
                    members.retain(|member| member.send(text.clone()).is_ok());
                }
                None
            }
            Said::Other => None,
        }
    }
}
