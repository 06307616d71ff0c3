//! The same chat on socketioxide, as its own documentation starts one: axum, tokio's default runtime. `socketioxide PORT`.
use axum::routing::get;
use socketioxide::{
    SocketIo,
    extract::{AckSender, Data, SocketRef},
};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let port: u16 = std::env::args()
        .nth(1)
        .and_then(|port| port.parse().ok())
        .unwrap_or(3000);
    let (layer, io) = SocketIo::new_layer();
    io.ns("/", async |socket: SocketRef| {
        socket.on("echo", async |Data::<String>(text), ack: AckSender| {
            ack.send(&text).ok();
        });
        socket.on(
            "join",
            async |socket: SocketRef, Data::<String>(room), ack: AckSender| {
                socket.join(room);
                ack.send(&()).ok();
            },
        );
        socket.on(
            "say",
            async |socket: SocketRef, Data::<(String, String)>((room, text))| {
                socket.within(room).emit("msg", &text).await.ok();
            },
        );
    });
    let app = axum::Router::new()
        .route("/", get(async || "ready\n"))
        .layer(layer);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    axum::serve(listener, app).await
}
