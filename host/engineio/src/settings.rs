use std::time::Duration;

/// An app's Engine.IO settings. Sizes in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub ping_interval: Duration,
    pub ping_timeout: Duration,
    pub upgrade_timeout: Duration,
    /// Largest message and largest POST body; told to clients as `maxPayload`.
    pub max_payload_bytes: usize,
    pub polling: bool,
    pub websocket: bool,
    /// Bytes that may wait for a poll or a slow WebSocket before the connection is closed.
    pub queue_bytes_max: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Polling,
    WebSocket,
}
